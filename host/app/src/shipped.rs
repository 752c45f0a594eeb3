//! The site module inside the binary.

use anyhow::Context;
use bytes::Bytes;
use rowhouse_control::ShippedModule;
use rowhouse_tenant::ReleaseName;

static COMPONENT: &[u8] = include_bytes!(env!("ROWHOUSE_SITE_MODULE_FILE"));

/// The shipped module as a release. Its version is the server's, with the first digits of its digest,
/// because two builds of one version may differ and a release never changes.
pub(crate) fn module() -> anyhow::Result<ShippedModule> {
    let bytes = Bytes::from_static(COMPONENT);
    let digest = rowhouse_base::Digest::of(&bytes).short();
    let version = format!("{}+{digest}", env!("CARGO_PKG_VERSION"));
    let release = ReleaseName::new("site", &version).context("name the shipped module")?;
    Ok(ShippedModule { release, bytes })
}
