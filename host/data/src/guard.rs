//! The SQL guard: which statements of a guest reach an engine, and in which words.
//!
//! A text is split, parsed, walked node by node and written anew; only the new text is executed. Refused is
//! whatever is not on a list: statements, clauses, functions, types, operators, names of other schemas, and
//! texts that are too long or too deep. Where tenants share a database, the walk gives each relation the
//! tenant's prefix. The engine's own rights stay the last guard; this one keeps the rest from it.
//!
//! Invariants: default deny; what is written reads back as the very tree that was checked, or is refused;
//! a text is judged once per engine and isolation, not per tenant. Called by the engines for every statement.

mod cache;
mod column;
mod dialect;
mod expr;
mod functions;
mod name;
mod prefix;
mod query;
mod schema;
mod table;
mod template;
mod tokens;
mod types;
mod walk;
mod write;

pub(crate) use dialect::SQL_MODE;
pub(crate) use prefix::Prefix;
pub(crate) use template::Template;

use crate::{Dialect, Isolation, LimitKind, SqlError};
use cache::Cache;
use sqlparser::ast::{ObjectNamePart, Statement, visit_relations};
use sqlparser::parser::{Parser, ParserError, ParserOptions};
use sqlparser::tokenizer::TokenWithSpan;
use std::ops::ControlFlow;
use std::sync::Arc;
use walk::{Stance, Walk};

/// How the tables of a tenant are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As the guest names them: the tenant has a database of its own.
    Plain,
    /// With the tenant's prefix: tenants share a database.
    Prefixed,
}

impl From<Isolation> for Naming {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::Database => Self::Plain,
            Isolation::Prefix => Self::Prefixed,
        }
    }
}

/// The guard of one engine and isolation.
#[derive(Debug)]
pub(crate) struct Guard {
    dialect: Dialect,
    naming: Naming,
    cache: Cache,
    #[cfg(test)]
    open: bool,
}

impl Guard {
    pub(crate) fn new(dialect: Dialect, naming: Naming) -> Self {
        Self {
            dialect,
            naming,
            cache: Cache::new(),
            #[cfg(test)]
            open: false,
        }
    }

    /// A guard that only turns parameters and fills nothing, so that an engine's own rights are tested alone.
    /// The text reaches the engine as the test wrote it.
    #[cfg(test)]
    pub(crate) fn open_for_tests(dialect: Dialect, naming: Naming) -> Self {
        Self { open: true, ..Self::new(dialect, naming) }
    }

    /// Judges a guest's statement: SELECT, INSERT, UPDATE or DELETE.
    pub(crate) fn statement(&self, text: &str) -> Result<Arc<Template>, SqlError> {
        if let Some(known) = self.cache.get(text) {
            return Ok(known);
        }
        let template = Arc::new(self.judge(text, Stance::Guest)?);
        self.cache.put(text, &template);
        Ok(template)
    }

    /// Judges a statement of a migration: the above, and changes of the tenant's own schema. Not kept,
    /// because a migration runs once per tenant and its texts would push out the others.
    pub(crate) fn migration(&self, text: &str) -> Result<Arc<Template>, SqlError> {
        let template = self.judge(text, Stance::Migration)?;
        if template.given() > 0 {
            return Err(SqlError::Parameter("a statement of a migration has no parameters".to_owned()));
        }
        Ok(Arc::new(template))
    }

    fn judge(&self, text: &str, stance: Stance) -> Result<Template, SqlError> {
        #[cfg(test)]
        if self.open {
            return Template::open(text, self.dialect);
        }
        let admitted = tokens::admit(text, self.dialect)?;
        let mut statement = self.parse(admitted)?;
        let mut walk = Walk::new(self.dialect, self.naming, stance);
        walk.statement(&mut statement)?;
        self.check_relations(&statement)?;
        let rewritten = tokens::split(&statement.to_string(), self.dialect)?;
        if self.parse(rewritten.clone())? != statement {
            return Err(SqlError::Denied(
                "it can't be written without ambiguity; use a simpler form".to_owned(),
            ));
        }
        Template::cut(&rewritten, walk, walk::returns_rows(&statement))
    }

    /// A second look at the names of tables, by the parser's own walk: each is written by the guard. Only the
    /// functions that stand for tables have no marks around their names.
    fn check_relations(&self, statement: &Statement) -> Result<(), SqlError> {
        let checked = visit_relations(statement, |name| match name.0.as_slice() {
            [ObjectNamePart::Identifier(part)]
                if part.quote_style.is_none()
                    || self.naming == Naming::Plain
                    || part.value.starts_with(prefix::HOLE) =>
            {
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        });
        match checked {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => {
                Err(SqlError::Denied("a table in a place that is not known".to_owned()))
            }
        }
    }

    fn parse(&self, tokens: Vec<TokenWithSpan>) -> Result<Statement, SqlError> {
        let options = ParserOptions::new().with_trailing_commas(false).with_unescape(false);
        let mut parser =
            Parser::new(dialect::of(self.dialect)).with_options(options).with_tokens_with_locations(tokens);
        let mut statements = parser.parse_statements().map_err(|error| match error {
            ParserError::RecursionLimitExceeded => SqlError::Limit(LimitKind::Complexity),
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                SqlError::Syntax(tokens::shortened(&message))
            }
        })?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => Ok(statement),
            (None, _) => Err(SqlError::Syntax("the text has no statement".to_owned())),
            (Some(_), false) => Err(SqlError::Denied("one statement a call".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
