//! How a file looks: its length, its name, its opening words, its functions, and what is never in it.

use std::path::Path;

use proc_macro2::TokenStream;

use crate::Fault;
use crate::source::Source;
use crate::tokens::{attributes_and_macros, functions};

/// Most lines of a file. What is longer holds two things.
const FILE_LINES: usize = 600;

/// Most lines of a function: one screen.
const FUNCTION_LINES: usize = 70;

/// Names that say nothing, and the file that hides its name.
const NAMES: [&str; 8] = ["util", "utils", "helpers", "helper", "common", "misc", "manager", "mod"];

/// What is never written: each hides that something isn't done.
const NEVER: [(&str, &str); 3] = [
    ("#[ignore]", "a test that doesn't run proves nothing: make it run or take it out"),
    ("todo!", "finish it or leave it out"),
    ("unimplemented!", "finish it or return an error"),
];

/// The rules that need the text alone.
pub(crate) fn check(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES {
        let text = format!("{lines} lines; {FILE_LINES} are the most: split it by what it does");
        faults.push(Fault::new(&source.path, 0, text));
    }
    if !source.text.starts_with("//!") {
        let text = "opens without `//!`: say what it is, what it refuses, who calls it";
        faults.push(Fault::new(&source.path, 1, text));
    }
    let path = Path::new(&source.path);
    let parts = path.with_extension("");
    for part in parts.components().map(|part| part.as_os_str().to_string_lossy()) {
        if NAMES.contains(&part.as_ref()) {
            faults.push(Fault::new(&source.path, 0, format!("`{part}` is no name: say what is in it")));
        }
    }
    faults
}

/// The rules that need tokens.
pub(crate) fn check_tokens(source: &Source, tokens: &TokenStream) -> Vec<Fault> {
    let mut faults = Vec::new();
    for function in functions(tokens) {
        let lines = function.last - function.first + 1;
        if lines > FUNCTION_LINES {
            let text = format!("`{}` has {lines} lines; {FUNCTION_LINES} are the most", function.name);
            faults.push(Fault::new(&source.path, function.first, text));
        }
    }
    for (word, line) in attributes_and_macros(tokens) {
        if let Some((name, reason)) = NEVER.iter().find(|(name, _)| *name == word) {
            faults.push(Fault::new(&source.path, line, format!("`{name}`: {reason}")));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        let source = Source::new(path, text);
        let tokens = source.tokens().unwrap_or_default();
        let mut faults = check(&source);
        faults.extend(check_tokens(&source, &tokens));
        faults.into_iter().map(|fault| fault.text).collect()
    }

    #[test]
    fn a_good_file_has_no_fault() {
        assert!(faults("host/base/src/id.rs", "//! Ids.\nfn f() {}\n").is_empty());
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        assert_eq!(faults("host/base/src/id.rs", "fn f() {}\n").len(), 1);
    }

    #[test]
    fn length_is_bounded_at_the_line() {
        let fits = format!("//! X.\n{}", "\n".repeat(FILE_LINES - 1));
        assert!(faults("host/base/src/id.rs", &fits).is_empty());
        assert_eq!(faults("host/base/src/id.rs", &format!("{fits}\n")).len(), 1);
    }

    #[test]
    fn functions_are_bounded_at_the_line() {
        let fits = format!("//! X.\nfn f() {{{}}}\n", "\n".repeat(FUNCTION_LINES - 1));
        assert!(faults("host/base/src/id.rs", &fits).is_empty());
        let longer = format!("//! X.\nfn f() {{{}}}\n", "\n".repeat(FUNCTION_LINES));
        assert_eq!(faults("host/base/src/id.rs", &longer).len(), 1);
    }

    #[test]
    fn names_that_say_nothing_are_faults() {
        for path in ["host/base/src/util.rs", "host/base/src/mod.rs", "host/common/src/id.rs"] {
            assert_eq!(faults(path, "//! X.\n").len(), 1, "{path}");
        }
    }

    #[test]
    fn unfinished_work_is_a_fault() {
        let text = "//! X.\n#[test]\n#[ignore]\nfn f() { todo!(); unimplemented!(\"x\") }\n";
        assert_eq!(faults("host/base/src/id.rs", text).len(), 3);
    }
}
