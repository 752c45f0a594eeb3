//! The walk over a statement's tree: what it remembers, and what all its parts use.
//!
//! The parts are in the files beside it, one per kind of node. Each names every field and variant it knows;
//! whatever it doesn't know is refused. The walk also rewrites, so that nothing is written that was not seen.

use super::Naming;
use crate::{Dialect, LimitKind, SqlError};
use sqlparser::ast::{Query, SetExpr, Statement};
use std::collections::BTreeSet;

/// The outcome of a look at one node.
pub(super) type Checked = Result<(), SqlError>;

/// Nodes one inside the other, chains of operators counted once.
const DEPTH: usize = 64;

/// What a statement may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stance {
    /// A guest's: reads and writes of its own tables.
    Guest,
    /// A migration's: the same, and the shape of its own tables.
    Migration,
}

/// How a column's qualifier is written where the engine doesn't know the alias of the table that is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Qualifier {
    /// As it is.
    #[default]
    Keep,
    /// The table's own name becomes the physical one.
    Physical(String),
    /// Left out, because only one table is in sight.
    Strip,
}

/// One walk over one statement.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) dialect: Dialect,
    pub(super) naming: Naming,
    pub(super) stance: Stance,
    pub(super) qualifier: Qualifier,
    /// Names that WITH gives, from the outermost query to the innermost.
    pub(super) given_names: Vec<String>,
    pub(super) read: BTreeSet<String>,
    pub(super) written: BTreeSet<String>,
    pub(super) writes: bool,
    pub(super) locks: bool,
    depth: usize,
}

impl Walk {
    pub(super) fn new(dialect: Dialect, naming: Naming, stance: Stance) -> Self {
        Self {
            dialect,
            naming,
            stance,
            qualifier: Qualifier::Keep,
            given_names: Vec::new(),
            read: BTreeSet::new(),
            written: BTreeSet::new(),
            writes: false,
            locks: false,
            depth: 0,
        }
    }

    /// Looks at one node inside another.
    pub(super) fn deeper(&mut self, look: impl FnOnce(&mut Self) -> Checked) -> Checked {
        if self.depth == DEPTH {
            return Err(SqlError::Limit(LimitKind::Complexity));
        }
        self.depth += 1;
        let checked = look(self);
        self.depth -= 1;
        checked
    }

    /// Looks at a node where columns are written otherwise, and returns to the way before.
    pub(super) fn qualified(&mut self, how: Qualifier, look: impl FnOnce(&mut Self) -> Checked) -> Checked {
        let before = std::mem::replace(&mut self.qualifier, how);
        let checked = look(self);
        self.qualifier = before;
        checked
    }

    /// Looks at a whole statement.
    pub(super) fn statement(&mut self, statement: &mut Statement) -> Checked {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => self.change(statement),
            schema if self.stance == Stance::Migration => self.schema(schema),
            Statement::CreateTable(_)
            | Statement::CreateIndex(_)
            | Statement::CreateView(_)
            | Statement::AlterTable(_)
            | Statement::Drop { .. } => denied("a change of the schema; put it into a migration"),
            Statement::StartTransaction { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. } => denied("transaction control in text; use a transaction"),
            _ => denied("only SELECT, INSERT, UPDATE and DELETE are allowed"),
        }
    }

    /// One of the statements that write rows.
    pub(super) fn change(&mut self, statement: &mut Statement) -> Checked {
        self.writes = true;
        self.deeper(|walk| match statement {
            Statement::Insert(insert) => walk.insert(insert),
            Statement::Update(update) => walk.update(update),
            Statement::Delete(delete) => walk.delete(delete),
            _ => denied("this statement"),
        })
    }

    /// Notes a table that is read, unless WITH surely gave the name.
    pub(super) fn note_read(&mut self, own: String) {
        if !self.given_names.contains(&own) {
            self.read.insert(own);
        }
    }

    pub(super) fn note_written(&mut self, own: String) {
        self.written.insert(own);
    }
}

/// Refuses.
pub(super) fn denied<T>(what: impl Into<String>) -> Result<T, SqlError> {
    Err(SqlError::Denied(what.into()))
}

/// Refuses where something is there.
pub(super) fn absent(is_there: bool, what: &str) -> Checked {
    if is_there { denied(what) } else { Ok(()) }
}

/// True where a statement answers with rows.
pub(super) fn returns_rows(statement: &Statement) -> bool {
    match statement {
        Statement::Query(query) => query_returns_rows(query),
        Statement::Insert(insert) => insert.returning.is_some(),
        Statement::Update(update) => update.returning.is_some(),
        Statement::Delete(delete) => delete.returning.is_some(),
        _ => false,
    }
}

fn query_returns_rows(query: &Query) -> bool {
    match query.body.as_ref() {
        SetExpr::Insert(statement) | SetExpr::Update(statement) | SetExpr::Delete(statement) => {
            returns_rows(statement)
        }
        SetExpr::Query(query) => query_returns_rows(query),
        _ => true,
    }
}
