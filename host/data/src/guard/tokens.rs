//! The first and the last look at a text: which tokens it may have, and how deep it can become.
//!
//! Refused before anything is parsed: literals of every kind but plain text and numbers, variables, hints in
//! comments, dollar quoting, parameters other than `$1`, and texts whose tree would be too deep to walk on a
//! small stack. Invariant: what leaves the guard has no comment, no undelimited name of the guest's and no
//! backslash that MySQL could take for an escape.

use super::dialect;
use crate::{Dialect, LimitKind, SqlError};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

/// The longest text, the same for every engine.
pub(super) const TEXT_BYTES: usize = 100_000;

/// Parameters of one statement.
pub(super) const PARAMETERS: usize = 1_000;

/// Operators and keywords one inside the other. Each costs a few stack frames when the tree is compared or
/// dropped, and a guest's fibre has a stack of 1 MiB or so; a test walks the deepest tree on one.
const DEPTH: usize = 300;

/// Parentheses one inside the other. The parser tries two readings of some of them.
const NESTING: usize = 24;

/// Characters of a parser's message that a guest is shown.
const MESSAGE: usize = 300;

/// SELECTs that one UNION, INTERSECT or EXCEPT joins; the parser builds them as a chain as deep.
const SET_OPERATIONS: usize = 50;

/// Splits a guest's text and refuses what no guest needs.
pub(super) fn admit(text: &str, dialect: Dialect) -> Result<Vec<TokenWithSpan>, SqlError> {
    if text.len() > TEXT_BYTES {
        return Err(SqlError::Limit(LimitKind::Complexity));
    }
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err(SqlError::Syntax("the text has a NUL character".to_owned()));
    }
    let tokens = split(text, dialect)?;
    let mut depth = Depth::default();
    let mut after_number = false;
    for TokenWithSpan { token, .. } in &tokens {
        admit_token(token, dialect)?;
        depth.count(token)?;
        // `0b11` and `1e` are a number and an alias to the parser and something else to the engines.
        if after_number && matches!(token, Token::Word(_)) {
            return Err(SqlError::Syntax("a number and a word without a space between them".to_owned()));
        }
        after_number = matches!(token, Token::Number(..));
    }
    Ok(tokens)
}

/// Splits a text into tokens with their places.
pub(super) fn split(text: &str, dialect: Dialect) -> Result<Vec<TokenWithSpan>, SqlError> {
    Tokenizer::new(dialect::of(dialect), text)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| SqlError::Syntax(shortened(&format!("{}{}", error.message, error.location))))
}

/// A parser's message without the guest's whole text, which a token can be.
pub(super) fn shortened(message: &str) -> String {
    message.chars().take(MESSAGE).collect()
}

fn admit_token(token: &Token, dialect: Dialect) -> Result<(), SqlError> {
    match token {
        Token::Whitespace(space) => admit_space(space),
        Token::Word(_) | Token::SingleQuotedString(_) | Token::Comma | Token::LParen | Token::RParen => {
            Ok(())
        }
        Token::Period | Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq => Ok(()),
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat => Ok(()),
        Token::Ampersand | Token::Pipe | Token::Tilde | Token::ShiftLeft | Token::ShiftRight => Ok(()),
        Token::SemiColon | Token::EOF => Ok(()),
        Token::Number(digits, false) if digits.bytes().all(is_of_number) => Ok(()),
        Token::Placeholder(name) if parameter(name).is_some() => Ok(()),
        Token::Placeholder(name) => {
            Err(SqlError::Parameter(format!("parameters are written `$1`, `$2`, … and not `{name}`")))
        }
        Token::Arrow | Token::LongArrow => Ok(()),
        Token::DoubleEq if dialect == Dialect::Sqlite => Ok(()),
        Token::Spaceship | Token::Caret if dialect == Dialect::Mysql => Ok(()),
        other if dialect == Dialect::Postgresql => admit_postgresql(other),
        other => refuse(other),
    }
}

fn admit_postgresql(token: &Token) -> Result<(), SqlError> {
    match token {
        Token::DoubleColon | Token::LBracket | Token::RBracket | Token::Caret | Token::Sharp => Ok(()),
        Token::TildeAsterisk | Token::ExclamationMarkTilde | Token::ExclamationMarkTildeAsterisk => Ok(()),
        Token::HashArrow | Token::HashLongArrow | Token::HashMinus | Token::AtArrow | Token::ArrowAt => {
            Ok(())
        }
        Token::AtAt | Token::AtQuestion | Token::Question | Token::QuestionAnd | Token::QuestionPipe => {
            Ok(())
        }
        Token::Overlap | Token::Colon => Ok(()),
        other => refuse(other),
    }
}

fn admit_space(space: &Whitespace) -> Result<(), SqlError> {
    match space {
        Whitespace::MultiLineComment(text)
            if ["!", "+", "M!", "m!"].iter().any(|one| text.starts_with(one)) =>
        {
            Err(SqlError::Denied("a comment that the engine would execute".to_owned()))
        }
        _ => Ok(()),
    }
}

fn refuse(token: &Token) -> Result<(), SqlError> {
    let what = match token {
        Token::Question => "`?`; parameters are written `$1`, `$2`, …",
        Token::AtSign | Token::AtAt => "a variable",
        Token::HexStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::DoubleQuotedByteStringLiteral(_) => "a literal of bytes or bits; pass it as a parameter",
        Token::DollarQuotedString(_) => "dollar quoting; write the text in single quotation marks",
        Token::DoubleQuotedString(_) => "text in double quotation marks; use single ones",
        Token::Number(..) => "this form of a number",
        Token::LBracket | Token::RBracket | Token::LBrace | Token::RBrace => "a bracket",
        Token::NationalStringLiteral(_) | Token::EscapedStringLiteral(_) | Token::UnicodeStringLiteral(_) => {
            "a text literal with a letter before it; pass it as a parameter"
        }
        _ => "one of its characters or operators",
    };
    Err(SqlError::Denied(what.to_owned()))
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
}

/// `$3` is the third parameter, index 2.
pub(super) fn parameter(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('$')?;
    if digits.starts_with('0') || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<usize>().ok()?.checked_sub(1)
}

/// An upper bound of the depth of a text's tree, found without building it.
///
/// Within one pair of parentheses a comma ends a chain, and what a pair holds counts for the chain around it.
#[derive(Debug, Default)]
struct Depth {
    outer: Vec<Level>,
    here: Level,
    set_operations: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    chain: usize,
    deepest: usize,
}

impl Depth {
    fn count(&mut self, token: &Token) -> Result<(), SqlError> {
        match token {
            Token::LParen | Token::LBracket => {
                self.outer.push(std::mem::take(&mut self.here));
                self.here.chain = 1;
            }
            Token::RParen | Token::RBracket => {
                let inner = self.here.deepest.max(self.here.chain);
                self.here = self.outer.pop().unwrap_or_default();
                self.here.chain += inner;
            }
            Token::Comma => {
                self.here.deepest = self.here.deepest.max(self.here.chain);
                self.here.chain = 0;
            }
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::NoKeyword | Keyword::NULL | Keyword::TRUE | Keyword::FALSE | Keyword::DEFAULT => {}
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS => {
                    self.set_operations += 1
                }
                _ => self.here.chain += 1,
            },
            Token::Word(_) | Token::Whitespace(_) | Token::Number(..) | Token::SingleQuotedString(_) => {}
            Token::Placeholder(_) | Token::Period | Token::SemiColon | Token::EOF => {}
            _ => self.here.chain += 1,
        }
        let deep =
            self.here.chain > DEPTH || self.outer.len() > NESTING || self.set_operations > SET_OPERATIONS;
        if deep { Err(SqlError::Limit(LimitKind::Complexity)) } else { Ok(()) }
    }
}

/// Looks at a text that is about to leave the guard, and refuses what should not be there.
pub(super) fn admit_own(token: &Token, dialect: Dialect) -> Result<(), SqlError> {
    let fine = match token {
        Token::Whitespace(space) => matches!(space, Whitespace::Space),
        Token::SingleQuotedString(text) => dialect != Dialect::Mysql || !text.contains('\\'),
        Token::HexStringLiteral(_) => dialect == Dialect::Mysql,
        Token::Word(word) => word.quote_style.is_none_or(|mark| mark == dialect::quote(dialect)),
        Token::SemiColon => false,
        other => admit_token(other, dialect).is_ok(),
    };
    if fine {
        Ok(())
    } else {
        Err(SqlError::Denied("one of its literals; pass it as a parameter".to_owned()))
    }
}
