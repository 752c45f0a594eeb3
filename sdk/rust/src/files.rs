//! The tenant's own folder, used through `std::fs`.
//!
//! In WebAssembly it is `/files`, the only folder there is; the host keeps it inside the tenant and
//! within its quota. Natively it is a folder of the test. [`path`] refuses names that lead out of it,
//! so that a mistake is found here and not at the host's wall. Called by sites.

use std::path::{Component, Path, PathBuf};

/// The folder itself.
pub fn root() -> PathBuf {
    #[cfg(target_family = "wasm")]
    let root = PathBuf::from("/files");
    #[cfg(not(target_family = "wasm"))]
    let root = std::env::temp_dir().join(format!("rowhouse-files-{}", std::process::id()));
    root
}

/// The path of a file in the folder, or none where `name` is empty, absolute or has a `..` in it.
pub fn path(name: &str) -> Option<PathBuf> {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !name.is_empty()).then(|| root().join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_refused() {
        assert!(path("photos/boat.jpg").is_some());
        for name in ["", "/etc/passwd", "../x", "a/../../x", "."] {
            assert_eq!(path(name), None, "{name}");
        }
    }
}
