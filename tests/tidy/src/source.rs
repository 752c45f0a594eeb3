//! The Rust files of the house.

use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr as _;

use proc_macro2::{LexError, TokenStream};

/// The folders that hold Rust files of ours.
const FOLDERS: [&str; 5] = ["examples", "host", "plugins", "sdk", "tests"];

/// One Rust file.
pub(crate) struct Source {
    /// Relative to the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn tokens(&self) -> Result<TokenStream, LexError> {
        TokenStream::from_str(&self.text)
    }

    /// Whether the file is there for tests only, and may do what the product may not.
    pub(crate) fn is_test(&self) -> bool {
        let parts = ["tests", "tests.rs", "benches"];
        self.path.split('/').any(|part| parts.contains(&part))
            // A crate's own examples are programs for its developers; the top level's are set-ups.
            || self.path.split('/').skip(1).any(|part| part == "examples")
    }
}

/// All Rust files, ordered by path.
pub(crate) fn all(root: &Path) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in FOLDERS {
        collect(root, &root.join(folder), &mut sources)?;
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            // Built by cargo or npm where someone ran them inside the folder.
            if !["target", "node_modules"].iter().any(|name| path.ends_with(name)) {
                collect(root, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            sources.push(Source { path: name, text: fs::read_to_string(&path)? });
        }
    }
    Ok(())
}
