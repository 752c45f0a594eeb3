//! What lies at the top level, and that released WIT folders stay as they were.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::Fault;

/// What may lie at the top level. A new entry is a decision, made here.
const TOP: [&str; 31] = [
    ".cargo",
    ".ci",
    ".config",
    ".editorconfig",
    ".git",
    ".gitattributes",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "deny.toml",
    "docs",
    "examples",
    "host",
    "plugins",
    "rowhouse-data",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "sdk",
    "target",
    "tests",
    "wit",
    ".dockerignore",
    "mutants.out",
];

/// The top level, and the frozen folders.
pub(crate) fn check(root: &Path) -> io::Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !TOP.contains(&name.as_str()) && !name.ends_with(".log") {
            faults.push(Fault::new(&name, 0, "does not belong at the top level (tests/tidy/src/layout.rs)"));
        }
    }
    let changelog = fs::read_to_string(root.join("CHANGELOG.md")).unwrap_or_default();
    for version in released(&changelog) {
        faults.extend(frozen(root, &version));
    }
    Ok(faults)
}

/// The versions that the changelog names as released: headings such as `## 0.1.0` or `## [0.1.0] - …`.
fn released(changelog: &str) -> Vec<String> {
    changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.trim_start_matches('[').trim_start_matches('v'))
        .filter_map(|heading| heading.split([' ', ']']).next())
        .filter(|word| {
            word.split('.').count() == 3 && word.split('.').all(|part| part.parse::<u32>().is_ok())
        })
        .map(str::to_owned)
        .collect()
}

/// A fault where `wit/MAJOR.MINOR` is not what the tag of that release has.
fn frozen(root: &Path, version: &str) -> Option<Fault> {
    let minor = version.rsplit_once('.').map_or(version, |(minor, _)| minor);
    let folder = format!("wit/{minor}");
    let tag = format!("v{version}");
    let git = |arguments: &[&str]| {
        Command::new("git")
            .args(arguments)
            .current_dir(root)
            .output()
            .is_ok_and(|output| output.status.success())
    };
    // A shallow clone has no tags: there is nothing to compare with.
    if !root.join(&folder).exists() || !git(&["rev-parse", "--verify", "--quiet", &tag]) {
        return None;
    }
    let same = git(&["diff", "--quiet", &tag, "--", &folder]);
    (!same).then(|| Fault::new(&folder, 0, format!("frozen since {tag}: a change goes into a new folder")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_versions_are_read_from_the_headings() {
        let text =
            "# Changelog\n## Unreleased\n## [0.2.0] - 2030-01-01\ntext\n## 0.1.0\n### 9.9.9\n## v1.0.0 x\n";
        assert_eq!(released(text), ["0.2.0", "0.1.0", "1.0.0"]);
    }

    #[test]
    fn a_stranger_at_the_top_level_is_a_fault() {
        let root = std::env::temp_dir().join(format!("rowhouse-tidy-{}", std::process::id()));
        let made = fs::create_dir_all(root.join("lib")).and_then(|()| fs::create_dir_all(root.join("host")));
        let faults = check(&root);
        let _ = fs::remove_dir_all(&root);
        assert!(made.is_ok());
        assert!(
            faults.is_ok_and(|faults| faults.len() == 1 && faults.iter().all(|fault| fault.path == "lib"))
        );
    }
}
