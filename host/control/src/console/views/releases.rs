//! Pages about releases.

use super::{Field, Frame, Moment, bytes};
use crate::types::ReleaseView;
use askama::Template;

/// Releases, and the upload form.
#[derive(Debug, Template)]
#[template(path = "console/releases.html")]
pub(in crate::console) struct ReleasesPage {
    pub frame: Frame,
    pub rows: Vec<ReleaseRow>,
    pub fields: Vec<Field>,
}

/// The text fields of an upload, with what was typed.
pub(in crate::console) fn upload_fields(name: &str, version: &str) -> Vec<Field> {
    vec![
        Field::text("name", "Name", "Such as site.", name).required(),
        Field::text("version", "Version", "Such as 1.2.0. A version never changes its bytes.", version)
            .required(),
    ]
}

/// One row of the list.
#[derive(Debug)]
pub(in crate::console) struct ReleaseRow {
    pub name: String,
    pub digest: String,
    pub lane: String,
    pub schema: String,
    pub size: String,
    pub tenants: u64,
    pub pushed: Moment,
    pub is_default: bool,
}

impl ReleaseRow {
    /// A release, and whether new sites get it.
    pub(in crate::console) fn new(release: &ReleaseView, default: Option<&str>) -> Self {
        Self {
            is_default: default == Some(release.name.as_str()),
            name: release.name.clone(),
            digest: release.digest.chars().take(12).collect(),
            lane: release.lane.clone(),
            schema: if release.schema_version == 0 {
                "none".to_owned()
            } else {
                release.schema_version.to_string()
            },
            size: bytes(release.size),
            tenants: release.tenants,
            pushed: Moment::of(&release.pushed_at),
        }
    }
}

/// One release.
#[derive(Debug, Template)]
#[template(path = "console/release.html")]
pub(in crate::console) struct ReleasePage {
    pub frame: Frame,
    pub base: String,
    pub release: ReleaseRow,
    pub digest: String,
    pub has_upgrade: bool,
    pub ready_on: Vec<String>,
    pub exports: Vec<String>,
    pub imports: Vec<String>,
}

/// Which sites to move to a release.
#[derive(Debug, Template)]
#[template(path = "console/activate.html")]
pub(in crate::console) struct ActivatePage {
    pub frame: Frame,
    pub action: String,
    /// Sites that can be moved.
    pub total: usize,
    /// Some of them, each with its present release.
    pub tenants: Vec<(String, String)>,
}
