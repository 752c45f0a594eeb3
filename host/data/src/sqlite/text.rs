//! A look at a statement's text before the engine sees it: one statement, and does it seem to write.
//!
//! The engine's binding compiles whatever follows the first statement by calling itself, once per
//! statement; a text of ten thousand statements would exhaust the stack. So such texts end here.

use crate::SqlError;

/// Statements that one migration step may contain between semicolons, for the bodies of triggers.
const TRIGGER_STATEMENTS: usize = 64;

/// Refuses a text that holds a NUL or more than one statement.
pub(super) fn check_single(text: &str) -> Result<(), SqlError> {
    check_nul(text)?;
    let mut scanner = Scanner::new(text);
    while let Some(token) = scanner.next_token() {
        if token == Token::Semicolon {
            break;
        }
    }
    while let Some(token) = scanner.next_token() {
        if token != Token::Semicolon {
            return Err(SqlError::Denied("one statement a call".to_owned()));
        }
    }
    Ok(())
}

/// The same for a step of a migration, where the body of a trigger may hold a few statements.
pub(super) fn check_migration(text: &str) -> Result<(), SqlError> {
    check_nul(text)?;
    let mut scanner = Scanner::new(text);
    let mut found = 0;
    while let Some(token) = scanner.next_token() {
        found += usize::from(token == Token::Semicolon);
    }
    if found > TRIGGER_STATEMENTS {
        return Err(SqlError::Limit(crate::LimitKind::Complexity));
    }
    Ok(())
}

fn check_nul(text: &str) -> Result<(), SqlError> {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err(SqlError::Syntax("the text has a NUL character".to_owned()));
    }
    Ok(())
}

/// False where the text begins with SELECT, WITH or VALUES. A guess that saves a detour; the engine has
/// the last word.
pub(super) fn seems_to_write(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    match scanner.next_token() {
        Some(Token::Word(word)) => {
            !["select", "with", "values"].iter().any(|read| word.eq_ignore_ascii_case(read))
        }
        _ => false,
    }
}

/// True where the text begins with CREATE, ALTER or DROP. A text that lies about it is compiled as one that
/// changes rows, and then may do less.
pub(super) fn changes_schema(text: &str) -> bool {
    matches!(
        Scanner::new(text).next_token(),
        Some(Token::Word(word)) if ["create", "alter", "drop"].iter().any(|change| word.eq_ignore_ascii_case(change))
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Semicolon,
    Word(&'a str),
    Other,
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips to just after the next `end`, or to the end of the text.
    fn skip_past(&mut self, end: &str) {
        let rest = self.rest();
        self.at += rest.find(end).map_or(rest.len(), |found| found + end.len());
    }

    fn next_token(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            let first = rest.chars().next()?;
            let start = self.at;
            self.at += first.len_utf8();
            match first {
                c if c.is_ascii_whitespace() => {}
                '-' if rest.starts_with("--") => self.skip_past("\n"),
                '/' if rest.starts_with("/*") => {
                    self.at += 1;
                    self.skip_past("*/");
                }
                ';' => return Some(Token::Semicolon),
                '\'' | '"' | '`' => {
                    self.skip_past(first.encode_utf8(&mut [0; 4]));
                    return Some(Token::Other);
                }
                '[' => {
                    self.skip_past("]");
                    return Some(Token::Other);
                }
                c if c.is_alphanumeric() || c == '_' => {
                    let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                    self.at = start + len;
                    return rest.get(..len).map(Token::Word);
                }
                _ => return Some(Token::Other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement() {
        for text in
            ["SELECT 1", " SELECT ';' ;; -- x;y", "SELECT 1; /* a;b */ ;", "SELECT [a;b] FROM `;`", ""]
        {
            assert_eq!(check_single(text), Ok(()), "{text}");
        }
        for text in
            ["SELECT 1; SELECT 2", "SELECT 1;'x'", "a;b", "SELECT 'it''s'; x", "SELECT 1;-- c\nDROP TABLE t"]
        {
            assert!(check_single(text).is_err(), "{text}");
        }
        assert!(check_single("SELECT 1\0; DROP TABLE t").is_err());
        assert!(check_migration(&"SELECT 1;".repeat(10_000)).is_err());
    }

    #[test]
    fn guesses_by_the_first_word() {
        assert!(!seems_to_write("-- c\n select 1"));
        assert!(!seems_to_write("WITH x AS (SELECT 1) SELECT * FROM x"));
        assert!(seems_to_write("/* SELECT */ insert into t values (1)"));
    }
}
