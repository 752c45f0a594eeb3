//! A checked statement, ready for any tenant: its text with a hole for the prefix, and what is known of it.
//!
//! Made only by [`super::Guard`]. Invariant: the pieces come from the rewritten tree, never from the guest's
//! bytes, and a hole is always the beginning of a delimited name.

use super::prefix::{HOLE, Prefix};
use super::tokens;
use super::walk::Walk;
use super::{Naming, dialect};
use crate::{Dialect, LimitKind, SqlError, subjects};
use rowhouse_base::Subject;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::borrow::Cow;
use std::sync::Arc;

/// A checked statement.
#[derive(Debug)]
pub(crate) struct Template {
    /// What stands before, between and after the holes: always one more than there are holes.
    pieces: Vec<String>,
    parameters: Vec<usize>,
    given: usize,
    reads_only: bool,
    returns_rows: bool,
    tables: Vec<String>,
    subjects: Arc<[Subject]>,
    written: Vec<String>,
}

impl Template {
    /// Cuts a rewritten text at the places where the prefix goes, and numbers its parameters.
    pub(super) fn cut(rewritten: &[TokenWithSpan], walk: Walk, returns_rows: bool) -> Result<Self, SqlError> {
        let mut cut = Cut { pieces: vec![String::new()], parameters: Vec::new(), dialect: walk.dialect };
        for token in rewritten {
            tokens::admit_own(&token.token, walk.dialect)?;
            cut.push(&token.token, walk.naming)?;
        }
        let Cut { pieces, parameters, .. } = cut;
        let (parameters, given) = order(parameters, walk.dialect)?;
        let tables: Vec<String> = walk.read.union(&walk.written).cloned().collect();
        Ok(Self {
            pieces,
            parameters,
            given,
            reads_only: !walk.writes && !walk.locks,
            returns_rows,
            subjects: tables.iter().map(|table| subjects::table(table)).collect(),
            tables,
            written: walk.written.into_iter().collect(),
        })
    }

    /// A text as it is, with nothing but its parameters turned.
    #[cfg(test)]
    pub(super) fn open(text: &str, dialect: Dialect) -> Result<Self, SqlError> {
        let mut cut = Cut { pieces: vec![String::new()], parameters: Vec::new(), dialect };
        // What can't be split, as some attacks can't, has no parameters.
        match tokens::split(text, dialect) {
            Ok(split) if split.iter().any(|token| matches!(token.token, Token::Placeholder(_))) => {
                split.iter().try_for_each(|token| cut.push(&token.token, Naming::Plain))?;
            }
            _ => cut.write(text),
        }
        let (parameters, given) = order(cut.parameters, dialect)?;
        let head = text.trim_start().get(..6).unwrap_or_default().to_ascii_lowercase();
        let returns_rows =
            ["select", "values", "show", "with", "table"].iter().any(|word| head.starts_with(word));
        Ok(Self {
            pieces: cut.pieces,
            parameters,
            given,
            reads_only: false,
            returns_rows: returns_rows || text.to_ascii_lowercase().contains("returning"),
            tables: Vec::new(),
            subjects: Arc::from([]),
            written: Vec::new(),
        })
    }

    /// True for a query that neither writes nor locks rows.
    pub(crate) fn reads_only(&self) -> bool {
        self.reads_only
    }

    /// True where the engine answers with rows.
    pub(crate) fn returns_rows(&self) -> bool {
        self.returns_rows
    }

    /// The guest's names of the tables and views that are read or written, in lower case, sorted, each once.
    /// A view stands for itself, not for its tables.
    pub(crate) fn tables(&self) -> &[String] {
        &self.tables
    }

    /// The same as subjects, shared by whoever notes them.
    pub(crate) fn subjects(&self) -> &Arc<[Subject]> {
        &self.subjects
    }

    /// Those that are written. What a foreign key's action writes is not among them.
    pub(crate) fn written(&self) -> &[String] {
        &self.written
    }

    /// For each parameter of the text the index of the guest's. MySQL: one for each `?`, in their order.
    /// The others keep `$1`, `$2`, …, so theirs are 0, 1, ….
    pub(crate) fn parameters(&self) -> &[usize] {
        &self.parameters
    }

    /// How many parameters the guest must give.
    pub(crate) fn given(&self) -> usize {
        self.given
    }

    /// The text for the engine. With [`Naming::Prefixed`] it needs a prefix; without one the text names
    /// tables that exist nowhere.
    pub(crate) fn text<'a>(&'a self, prefix: Option<&Prefix>) -> Cow<'a, str> {
        match self.pieces.as_slice() {
            [whole] => Cow::Borrowed(whole),
            pieces => Cow::Owned(pieces.join(prefix.map_or(HOLE, Prefix::as_str))),
        }
    }
}

struct Cut {
    pieces: Vec<String>,
    parameters: Vec<usize>,
    dialect: Dialect,
}

impl Cut {
    fn push(&mut self, token: &Token, naming: Naming) -> Result<(), SqlError> {
        let mut hole = None;
        let text = match token {
            Token::Placeholder(name) => {
                let index = tokens::parameter(name).filter(|index| *index < tokens::PARAMETERS);
                self.parameters.push(index.ok_or(SqlError::Limit(LimitKind::Complexity))?);
                if self.dialect == Dialect::Mysql { "?".to_owned() } else { name.clone() }
            }
            Token::Word(word) if naming == Naming::Prefixed && word.quote_style.is_some() => {
                hole = word.value.strip_prefix(HOLE);
                token.to_string()
            }
            other => other.to_string(),
        };
        if let Some(rest) = hole {
            let mark = dialect::quote(self.dialect);
            self.write(&mark.to_string());
            self.pieces.push(format!("{rest}{mark}"));
        } else {
            self.write(&text);
        }
        Ok(())
    }

    fn write(&mut self, text: &str) {
        if let Some(last) = self.pieces.last_mut() {
            last.push_str(text);
        }
    }
}

/// The parameters in the engine's order, and how many there are. A number left out is an error, because no
/// engine says of which type it would be.
fn order(appeared: Vec<usize>, dialect: Dialect) -> Result<(Vec<usize>, usize), SqlError> {
    let given = appeared.iter().map(|index| index + 1).max().unwrap_or(0);
    if let Some(unused) = (0..given).find(|index| !appeared.contains(index)) {
        return Err(SqlError::Parameter(format!("`${}` is missing from the statement", unused + 1)));
    }
    let parameters = if dialect == Dialect::Mysql { appeared } else { (0..given).collect() };
    Ok((parameters, given))
}
