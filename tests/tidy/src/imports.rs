//! Which crate of the host may depend on which, and which libraries only some may name.
//!
//! The table below is the picture in ARCHITECTURE.md. What a crate could import it will import one
//! day, so the manifests are held to it and not only the sources. A dependency for tests alone is free.

use std::fs;
use std::io;
use std::path::Path;

use crate::Fault;

/// A crate of the host, and the crates of the house that it may depend on.
const MAY: &[(&str, &[&str])] = &[
    ("rowhouse-base", &[]),
    ("rowhouse-bindings", &[]),
    ("rowhouse-redis", &["rowhouse-base"]),
    ("rowhouse-announce", &["rowhouse-base", "rowhouse-redis"]),
    ("rowhouse-tenant", &["rowhouse-base"]),
    ("rowhouse-cache", &["rowhouse-base", "rowhouse-redis", "rowhouse-tenant"]),
    ("rowhouse-identity", &["rowhouse-base", "rowhouse-tenant"]),
    ("rowhouse-data", &["rowhouse-base", "rowhouse-tenant"]),
    ("rowhouse-guest", &["rowhouse-base", "rowhouse-bindings", "rowhouse-data", "rowhouse-tenant"]),
    (
        "rowhouse-control",
        &["rowhouse-base", "rowhouse-data", "rowhouse-guest", "rowhouse-identity", "rowhouse-tenant"],
    ),
    (
        "rowhouse-front",
        &[
            "rowhouse-base",
            "rowhouse-cache",
            "rowhouse-data",
            "rowhouse-guest",
            "rowhouse-identity",
            "rowhouse-tenant",
        ],
    ),
    // A client of the API. Of the tenant crate it has the words alone: names, states, releases.
    ("rowhouse-cli", &["rowhouse-base", "rowhouse-tenant"]),
    // The composition root: all.
    (
        "rowhouse",
        &[
            "rowhouse-announce",
            "rowhouse-base",
            "rowhouse-cache",
            "rowhouse-cli",
            "rowhouse-control",
            "rowhouse-data",
            "rowhouse-front",
            "rowhouse-guest",
            "rowhouse-identity",
            "rowhouse-redis",
            "rowhouse-tenant",
        ],
    ),
    // What guests are made of knows nothing of the host.
    ("rowhouse-sdk", &["rowhouse-sdk-macros"]),
    ("rowhouse-sdk-macros", &[]),
    ("rowhouse-site", &["rowhouse-sdk"]),
];

/// Libraries that only these crates may depend on.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("anyhow", &["rowhouse", "rowhouse-cli"]),
    ("cap-std", &["rowhouse-data", "rowhouse-guest"]),
    ("hyper-rustls", &["rowhouse-data"]),
    ("object_store", &["rowhouse-data"]),
    ("redis", &["rowhouse-announce", "rowhouse-cache", "rowhouse-redis"]),
    ("rusqlite", &["rowhouse-data", "rowhouse-sdk"]),
    ("sqlparser", &["rowhouse-data"]),
    ("sqlx", &["rowhouse-control", "rowhouse-data"]),
    ("wasmtime", &["rowhouse-bindings", "rowhouse-guest"]),
    ("wasmtime-wasi", &["rowhouse-bindings", "rowhouse-guest"]),
    ("wasmtime-wasi-http", &["rowhouse-bindings", "rowhouse-guest"]),
];

/// The folders whose crates the table is about.
const FOLDERS: [&str; 3] = ["host", "plugins", "sdk"];

/// A manifest as far as the rules need it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Manifest {
    name: String,
    /// Dependencies of the product, not those for tests, each with its line.
    dependencies: Vec<(String, usize)>,
}

/// Every dependency that the table doesn't have, and every crate that it doesn't know.
pub(crate) fn check(root: &Path) -> io::Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for folder in FOLDERS {
        if !root.join(folder).exists() {
            continue;
        }
        for entry in fs::read_dir(root.join(folder))? {
            let file = entry?.path().join("Cargo.toml");
            if file.exists() {
                let path = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
                faults.extend(check_manifest(&path, &parse(&fs::read_to_string(&file)?)));
            }
        }
    }
    Ok(faults)
}

fn check_manifest(path: &str, manifest: &Manifest) -> Vec<Fault> {
    let name = manifest.name.as_str();
    let Some((_, may)) = MAY.iter().find(|(krate, _)| *krate == name) else {
        return vec![Fault::new(
            path,
            1,
            format!("`{name}` is not in the import table (tests/tidy/src/imports.rs)"),
        )];
    };
    let mut faults = Vec::new();
    for (dependency, line) in &manifest.dependencies {
        let ours = dependency.starts_with("rowhouse");
        if ours && !may.contains(&dependency.as_str()) {
            faults.push(Fault::new(path, *line, format!("`{name}` may not import `{dependency}`")));
        }
        let home = LIBRARIES.iter().find(|(library, _)| library == dependency);
        if let Some((_, homes)) = home
            && !homes.contains(&name)
        {
            let text = format!("`{dependency}` has its home in {}", homes.join(" and "));
            faults.push(Fault::new(path, *line, text));
        }
    }
    faults
}

/// Reads the manifests of this house: a table per line, a key per line.
fn parse(text: &str) -> Manifest {
    let mut manifest = Manifest::default();
    let mut section = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = header.to_owned();
            // [dependencies.NAME]
            if let Some((table, name)) = section.rsplit_once('.')
                && is_dependencies(table)
            {
                manifest.dependencies.push((name.to_owned(), index + 1));
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let key = key.trim();
        if section == "package" && key == "name" {
            manifest.name = value.trim().trim_matches('"').to_owned();
        }
        if is_dependencies(&section)
            && let Some(name) = key.split('.').next()
        {
            manifest.dependencies.push((name.to_owned(), index + 1));
        }
    }
    manifest
}

fn is_dependencies(section: &str) -> bool {
    let table = section.rsplit('.').next().unwrap_or(section);
    table == "dependencies" || table == "build-dependencies"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        check_manifest("host/x/Cargo.toml", &parse(text)).into_iter().map(|fault| fault.text).collect()
    }

    #[test]
    fn manifests_are_read_in_every_form() {
        let text = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = { path = \"b\" }\n\
                    [dependencies.c]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nd = \"1\"\n\
                    [dev-dependencies]\ne = \"1\"\n[build-dependencies]\nf = \"1\"\n";
        let names: Vec<String> = parse(text).dependencies.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "c", "d", "f"]);
    }

    #[test]
    fn an_import_against_the_table_is_a_fault() {
        let text = |dependency: &str| {
            format!("[package]\nname = \"rowhouse-tenant\"\n[dependencies]\n{dependency}.workspace = true\n")
        };
        assert!(faults(&text("rowhouse-base")).is_empty());
        assert_eq!(faults(&text("rowhouse-data")).len(), 1);
    }

    #[test]
    fn a_library_away_from_home_is_a_fault() {
        let text = "[package]\nname = \"rowhouse-front\"\n[dependencies]\nsqlx.workspace = true\n";
        assert_eq!(faults(text), ["`sqlx` has its home in rowhouse-control and rowhouse-data"]);
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_a_fault() {
        assert_eq!(faults("[package]\nname = \"rowhouse-new\"\n").len(), 1);
    }

    #[test]
    fn the_table_has_no_circle() {
        // Each crate stands after all it may import; what guests are made of has an order of its own.
        let place = |name: &str| MAY.iter().position(|(krate, _)| *krate == name);
        for (krate, may) in MAY.iter().filter(|(krate, _)| !["rowhouse-sdk", "rowhouse-site"].contains(krate))
        {
            for dependency in *may {
                assert!(place(dependency) < place(krate), "{krate} imports {dependency}");
            }
        }
    }
}
