//! Archives of many sites: one file each in a folder, and back.
//!
//! One site that fails is reported and the others go on; the exit code says that some failed.

use super::archive::{Place, save, send, stem};
use super::{BackupArgs, RestoreArgs};
use crate::api::{Api, Target};
use crate::commands::for_each;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::Table;
use crate::views;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use ureq::http::Method;

/// Writes archives of sites into a folder.
pub(super) fn backup(args: &BackupArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let failed = |source| Failure::File { action: "make the folder", path: args.to.clone(), source };
    fs::create_dir_all(&args.to).map_err(failed)?;
    let names = match args.all {
        true => present(api)?.into_iter().collect(),
        false => args.names.clone(),
    };
    let place = Place::In(args.to.clone());
    let mut rows = Vec::new();
    let done = for_each(&names, screen, |name, screen| {
        let written = save(name, &place, api, screen)?;
        rows.push((name.to_owned(), written));
        Ok(())
    });
    if screen.json {
        let items: Vec<Value> = rows
            .iter()
            .map(|(name, written)| json!({ "name": name, "file": written.path, "bytes": written.bytes }))
            .collect();
        screen.document(&json!({ "items": items }))?;
    } else {
        let mut table = Table::new(&["NAME", "#SIZE", "FILE"]);
        for (name, written) in rows {
            table.row([name, views::bytes(written.bytes), written.path.display().to_string()]);
        }
        screen.table(&table, "no archive was written")?;
    }
    done
}

/// Names of all sites that have their name and content: neither half made nor in the trash.
fn present(api: &Api) -> Result<BTreeSet<String>, Failure> {
    let answer = api.list(&Target::new(&["tenants"]), None)?;
    let tenants = views::items::<views::Tenant>(&answer).into_iter();
    let here = tenants.filter(|tenant| matches!(tenant.state.as_str(), "active" | "suspended" | "moving"));
    Ok(here.map(|tenant| tenant.name).collect())
}

/// Makes each site that is not there from its newest archive.
pub(super) fn restore_all(args: &RestoreArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let newest = newest(&args.from)?;
    if newest.is_empty() {
        let hint = "archives are named NAME-YYYYMMDDTHHMMSSZ.tar.zst";
        return Err(Failure::usage_with(format!("{} holds no archive", args.from.display()), hint));
    }
    let here = present(api)?;
    let missing: Vec<String> = newest.keys().filter(|name| !here.contains(*name)).cloned().collect();
    let mut made = Vec::new();
    let done = if missing.is_empty() {
        Ok(())
    } else {
        for_each(&missing, screen, |name, screen| {
            let Some((_, path)) = newest.get(name) else { return Ok(()) };
            let target = Target::new(&["tenants", "import"])
                .with("name", Some(name))
                .with("resume", args.resume.then_some("true"));
            made.push(send(Method::POST, &target, path, api, screen)?);
            Ok(())
        })
    };
    let kept = newest.len().saturating_sub(missing.len());
    if screen.json {
        screen.document(&json!({ "items": made }))?;
    } else {
        let mut table = Table::new(&["NAME", "STATE", "SERVER", "FILE"]);
        for tenant in made.iter().map(views::view::<views::Tenant>) {
            let file = newest.get(&tenant.name).map(|(_, path)| path.display().to_string());
            table.row([tenant.name, tenant.state, tenant.data_server, file.unwrap_or_default()]);
        }
        screen.table(&table, "no site was made")?;
        if kept > 0 {
            screen.note(&format!("{kept} of the archived sites were there already and stay as they are"))?;
        }
    }
    done
}

/// The newest archive of each site in a folder. Times in their names sort as texts.
fn newest(folder: &Path) -> Result<BTreeMap<String, (String, PathBuf)>, Failure> {
    let failed = |source| Failure::File { action: "read the folder", path: folder.to_owned(), source };
    let mut newest: BTreeMap<String, (String, PathBuf)> = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let file = entry.file_name();
        let Some((name, time)) = file.to_str().and_then(stem) else { continue };
        let found = newest.entry(name.to_owned()).or_default();
        if time > found.0.as_str() {
            *found = (time.to_owned(), entry.path());
        }
    }
    Ok(newest)
}
