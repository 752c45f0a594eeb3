//! Releases: push, list, show, delete.

use super::PushArgs;
use crate::api::{Api, Target};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::screen::Screen;
use crate::table::{Table, details};
use crate::views;
use rowhouse_base::Digest;
use rowhouse_tenant::ReleaseName;
use std::path::Path;
use ureq::http::Method;

/// How a component begins: `\0asm`, then the version and layer of the component model.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// How a core module begins.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Stores a component as a release.
pub(super) fn push(args: &PushArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let release =
        ReleaseName::new(&args.name, &args.version).map_err(|error| Failure::usage(error.to_string()))?;
    let bytes = read_component(&args.file)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let number = |value: Option<u32>| value.map(|number| number.to_string());
    let target = Target::new(&["releases"])
        .with("name", Some(&args.name))
        .with("version", Some(&args.version))
        .with("reuse", number(args.reuse).as_deref())
        .with("reuse-idle-ms", number(args.reuse_idle_ms).as_deref());
    let progress =
        Progress::upload(screen, &format!("pushing {release} ({})", views::bytes(length)), length)?;
    let answer =
        api.upload(Method::POST, &target, "application/wasm", progress.reading(bytes.as_slice()), length);
    drop(progress);
    let answer = answer?;
    let stored: views::Release = views::view(&answer.body);
    if stored.digest != Digest::of(&bytes).to_string() {
        return Err(api.foreign("the stored digest is not that of the file"));
    }
    if screen.json {
        return Ok(screen.document(&answer.body)?);
    }
    if answer.status == 200 {
        screen.note(&format!("{release} was there already, with the same bytes"))?;
    }
    screen.line(&described(&stored))?;
    Ok(screen.note(&format!("`rowhouse module activate {release}` moves sites to it"))?)
}

fn read_component(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(path).map_err(|source| Failure::File {
        action: "read the component",
        path: path.to_owned(),
        source,
    })?;
    let file = path.display();
    if bytes.starts_with(COMPONENT) {
        Ok(bytes)
    } else if bytes.starts_with(CORE_MODULE) {
        Err(Failure::usage_with(
            format!("{file} is a core module, not a component"),
            "build it for wasm32-wasip2, or wrap it with a component tool",
        ))
    } else {
        Err(Failure::usage(format!("{file} is not a WebAssembly component")))
    }
}

/// Lists releases.
pub(super) fn list(api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.list(&Target::new(&["releases"]), None)?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table = Table::new(&["RELEASE", "DIGEST", "#SIZE", "LANE", "#SCHEMA", "#TENANTS", "PUSHED"]);
    for release in views::items::<views::Release>(&answer) {
        let schema = release.schema_version.map(|version| version.to_string()).unwrap_or_default();
        table.row([
            release.name,
            views::short(&release.digest),
            views::bytes(release.size),
            release.lane,
            schema,
            release.tenants.to_string(),
            views::time(&release.pushed_at),
        ]);
    }
    Ok(screen.table(
        &table,
        "no releases yet: `rowhouse module push FILE --name NAME --version VERSION` stores one",
    )?)
}

/// Shows one release.
pub(super) fn show(release: &ReleaseName, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.get(&Target::new(&["releases", release.as_str()]))?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    Ok(screen.line(&described(&views::view(&answer)))?)
}

fn described(release: &views::Release) -> String {
    details(&[
        ("release", release.name.clone()),
        ("digest", release.digest.clone()),
        ("size", views::bytes(release.size)),
        ("lane", release.lane.clone()),
        ("exports", release.exports.join("\n")),
        ("imports", release.imports.join("\n")),
        ("schema", release.schema_version.map(|version| version.to_string()).unwrap_or_default()),
        ("upgrade code", if release.has_upgrade { "yes" } else { "no" }.to_owned()),
        ("instances", instances(release.reuse)),
        ("tenants", release.tenants.to_string()),
        ("ready on", release.ready_on.join(", ")),
        ("pushed", views::time(&release.pushed_at)),
    ])
}

/// Deletes a release, once its name was typed.
pub(super) fn delete(
    release: &ReleaseName,
    given: Option<&str>,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let consequence = format!("This deletes the release `{release}`.");
    confirm(screen, given, release.as_str(), &consequence)?;
    let answer = api.send(Method::DELETE, &Target::new(&["releases", release.as_str()]), None)?;
    screen.done(&answer.body, &format!("{release} is deleted"))
}

fn instances(reuse: Option<views::Reuse>) -> String {
    match reuse {
        None => "fresh for each request".to_owned(),
        Some(views::Reuse { requests, idle_ms }) => {
            format!("for {requests} requests of one site, {idle_ms} ms apart at most")
        }
    }
}
