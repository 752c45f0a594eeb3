//! The rules of the house that the compiler can't hold, as code.
//!
//! The rules are data: the import table in `imports`, the homes in `homes`, the top level in `layout`,
//! the sizes and names in `shape`. Sources are read as tokens, so that comments and strings never
//! count. A rule has no switch to turn it off for one place: the tables are where an exception is
//! written, with its reason. Called by `cargo xtask tidy` and by this crate's own test of the house.

mod homes;
mod imports;
mod layout;
mod shape;
mod source;
mod tokens;

use std::fmt;
use std::io;
use std::path::Path;

use source::Source;

/// One place where the house and its rules differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, relative to the repository's root.
    pub path: String,
    /// Counted from 1; 0 where the fault has no line.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

impl Fault {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

/// Checks the repository at `root`; the faults come ordered by place.
///
/// # Errors
///
/// A file or folder that can't be read.
pub fn check(root: &Path) -> io::Result<Vec<Fault>> {
    let mut faults = layout::check(root)?;
    for source in source::all(root)? {
        faults.extend(check_source(&source));
    }
    faults.extend(imports::check(root)?);
    faults.sort();
    Ok(faults)
}

fn check_source(source: &Source) -> Vec<Fault> {
    let mut faults = shape::check(source);
    match source.tokens() {
        Ok(tokens) => {
            faults.extend(shape::check_tokens(source, &tokens));
            faults.extend(homes::check(source, &tokens));
        }
        Err(error) => faults.push(Fault::new(&source.path, 0, format!("not Rust: {error}"))),
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_in_order() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.ancestors().nth(2).unwrap_or(here);
        let faults = check(root);
        let lines: Vec<String> = faults.iter().flatten().map(ToString::to_string).collect();
        assert!(faults.is_ok_and(|faults| faults.is_empty()), "{}", lines.join("\n"));
    }
}
