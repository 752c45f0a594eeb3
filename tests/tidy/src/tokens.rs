//! Reads token streams: paths that are named, items that are tests, bodies of functions.
//!
//! It knows as much of the grammar as the rules need and no more. `use a::{b, c::d}` names `a::b` and
//! `a::c::d`, so that a rule sees a path however it was written.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// A path such as `std::fs::read`, with the line it begins on. A single name is a path too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedPath {
    pub(crate) parts: Vec<String>,
    pub(crate) line: usize,
}

impl NamedPath {
    /// Whether `pattern`, such as `Instant::now`, is a run of parts of this path.
    pub(crate) fn contains(&self, pattern: &[&str]) -> bool {
        self.parts.windows(pattern.len()).any(|window| window.iter().zip(pattern).all(|(a, b)| a == b))
    }
}

/// Every token of the stream outside items marked `#[cfg(test)]`.
pub(crate) fn without_tests(stream: &TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    let mut tokens = stream.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is_punct(&token, '#')
            && let Some(TokenTree::Group(group)) = tokens.peek()
            && is_cfg_test(group)
        {
            // The item ends with its first braces or, without any, with a semicolon.
            let ends = |token: &TokenTree| match token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                other => is_punct(other, ';'),
            };
            for token in tokens.by_ref() {
                if ends(&token) {
                    break;
                }
            }
            continue;
        }
        kept.push(match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_tests(&group.stream()));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            other => other,
        });
    }
    kept.into_iter().collect()
}

/// Every path in the stream, those inside groups included.
pub(crate) fn paths(stream: &TokenStream) -> Vec<NamedPath> {
    let mut found = Vec::new();
    collect_paths(stream, &[], &mut found);
    found
}

fn collect_paths(stream: &TokenStream, prefix: &[String], found: &mut Vec<NamedPath>) {
    let tokens: Vec<TokenTree> = stream.clone().into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                let mut parts = prefix.to_vec();
                parts.push(name(ident));
                at += 1;
                while is_colons(&tokens, at) {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(next)) => {
                            parts.push(name(next));
                            at += 3;
                        }
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            collect_paths(&group.stream(), &parts, found);
                            at += 3;
                            break;
                        }
                        _ => break,
                    }
                }
                found.push(NamedPath { parts, line });
            }
            TokenTree::Group(group) => {
                collect_paths(&group.stream(), &[], found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// A function with a body: its name, and the lines of its `fn` and of its closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// Every function with a body, those inside other items and functions included.
pub(crate) fn functions(stream: &TokenStream) -> Vec<Function> {
    let mut found = Vec::new();
    let mut begun: Option<(String, usize)> = None;
    let mut after_fn = None;
    for token in stream.clone() {
        match &token {
            TokenTree::Ident(ident) if ident == "fn" => after_fn = Some(ident.span().start().line),
            TokenTree::Ident(ident) => {
                // `fn(u8)` as a type has no name and begins nothing.
                if let Some(line) = after_fn.take() {
                    begun = Some((name(ident), line));
                }
            }
            TokenTree::Group(group) => {
                after_fn = None;
                if group.delimiter() == Delimiter::Brace
                    && let Some((name, first)) = begun.take()
                {
                    found.push(Function { name, first, last: group.span_close().end().line });
                }
                found.extend(functions(&group.stream()));
            }
            other => {
                after_fn = None;
                if is_punct(other, ';') {
                    begun = None;
                }
            }
        }
    }
    found
}

/// The first word of every attribute, and every macro that is called, each with its line.
pub(crate) fn attributes_and_macros(stream: &TokenStream) -> Vec<(String, usize)> {
    let tokens: Vec<TokenTree> = stream.clone().into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 1)) {
            (TokenTree::Ident(ident), Some(next)) if is_punct(next, '!') => {
                found.push((format!("{ident}!"), ident.span().start().line));
            }
            (TokenTree::Group(group), _) => {
                let after_hash = at > 0 && tokens.get(at - 1).is_some_and(|token| is_punct(token, '#'));
                if after_hash
                    && group.delimiter() == Delimiter::Bracket
                    && let Some(TokenTree::Ident(ident)) = group.stream().into_iter().next()
                {
                    found.push((format!("#[{ident}]"), ident.span().start().line));
                }
                found.extend(attributes_and_macros(&group.stream()));
            }
            _ => {}
        }
    }
    found
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    [at, at + 1].iter().all(|at| tokens.get(*at).is_some_and(|token| is_punct(token, ':')))
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_cfg_test(group: &Group) -> bool {
    let text: String = group.stream().to_string().split_whitespace().collect();
    group.delimiter() == Delimiter::Bracket && text == "cfg(test)"
}

fn name(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    fn stream(text: &str) -> TokenStream {
        TokenStream::from_str(text).unwrap_or_default()
    }

    fn names(text: &str) -> Vec<String> {
        paths(&stream(text)).into_iter().map(|path| path.parts.join("::")).collect()
    }

    #[test]
    fn nested_uses_are_whole_paths() {
        let found = names("use std::{env, io::{self, Read}};");
        for wanted in ["std::env", "std::io::self", "std::io::Read"] {
            assert!(found.iter().any(|name| name == wanted), "{wanted} in {found:?}");
        }
    }

    #[test]
    fn comments_and_strings_name_nothing() {
        let found = names("/// std::env::var\nfn f() { let x = \"std::fs::read\"; } // tokio::spawn");
        assert!(!found.iter().any(|name| name.contains("::")), "{found:?}");
    }

    #[test]
    fn tests_are_left_out_and_what_follows_is_not() {
        let text = "#[cfg(test)] #[expect(x, reason = \"y\")] mod tests { use std::fs; } fn after() {}";
        let kept = without_tests(&stream(text)).to_string();
        assert!(!kept.contains("fs") && kept.contains("after"), "{kept}");
        let kept = without_tests(&stream("#[cfg(test)] mod tests; fn after() {}")).to_string();
        assert!(!kept.contains("tests") && kept.contains("after"), "{kept}");
    }

    #[test]
    fn functions_have_their_lines() {
        let text = "impl A {\n fn one<F: Fn(u8)>(f: F) -> [u8; 3]\n where F: X {\n }\n}\ntrait T { fn two(); }\n\
                    type F = fn(u8) -> u8;\nstruct S { a: u8 }";
        let expected = Function { name: "one".to_owned(), first: 2, last: 4 };
        assert_eq!(functions(&stream(text)), [expected]);
    }

    #[test]
    fn attributes_and_macros_are_found_inside_items() {
        let found = attributes_and_macros(&stream("mod m { #[ignore = \"x\"] fn f() { todo!() } }"));
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["#[ignore]", "todo!"]);
    }
}
