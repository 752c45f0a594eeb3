//! What stands after FROM: tables, joins, subqueries, and functions that stand for tables.
//!
//! Refused: hints, samples, partitions, other versions of a table, and every function off the list. Where
//! names are prefixed, a table without an alias keeps its own name as alias. Called by queries and writes.

use super::walk::{Checked, Qualifier, Walk, absent, denied};
use super::{Naming, functions};
use crate::SqlError;
use sqlparser::ast::{Join, JoinConstraint, JoinOperator, TableAlias, TableFactor, TableWithJoins};

impl Walk {
    pub(super) fn table_with_joins(&mut self, tables: &mut TableWithJoins) -> Checked {
        self.table(&mut tables.relation)?;
        for Join { relation, global, join_operator } in &mut tables.joins {
            absent(*global, "a GLOBAL join")?;
            self.table(relation)?;
            self.join(join_operator)?;
        }
        Ok(())
    }

    fn join(&mut self, join: &mut JoinOperator) -> Checked {
        match join {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint) => match constraint {
                JoinConstraint::On(expr) => self.expr(expr),
                JoinConstraint::Using(names) => names.iter_mut().try_for_each(|name| self.bare_column(name)),
                JoinConstraint::Natural | JoinConstraint::None => Ok(()),
            },
            _ => denied("this kind of join"),
        }
    }

    fn table(&mut self, table: &mut TableFactor) -> Checked {
        self.deeper(|walk| match table {
            TableFactor::Table { args: None, .. } => {
                let own = walk.plain_table(table)?;
                walk.note_read(own);
                Ok(())
            }
            TableFactor::Table { args: Some(_), .. }
            | TableFactor::Function { .. }
            | TableFactor::UNNEST { .. } => walk.table_function(table),
            TableFactor::Derived { lateral: _, subquery, alias, sample } => {
                absent(sample.is_some(), "TABLESAMPLE")?;
                walk.query(subquery)?;
                walk.table_alias(alias.as_mut())
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                absent(alias.is_some(), "an alias of a join in parentheses")?;
                walk.table_with_joins(table_with_joins)
            }
            _ => denied("this form of a table after FROM"),
        })
    }

    /// Checks and rewrites a table by name, and gives back the guest's name for it.
    pub(super) fn plain_table(&mut self, table: &mut TableFactor) -> Result<String, SqlError> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } = table
        else {
            return denied("this form of a table");
        };
        let hints = !with_hints.is_empty() || !index_hints.is_empty();
        let parts = version.is_some() || !partitions.is_empty() || json_path.is_some() || sample.is_some();
        absent(hints || parts || *with_ordinality, "an option of a table")?;
        let own = self.relation(name)?;
        self.table_alias(alias.as_mut())?;
        if alias.is_none() && self.naming == Naming::Prefixed {
            *alias = Some(TableAlias {
                explicit: true,
                name: self.written_as(own.as_str()),
                columns: vec![],
                at: None,
            });
        }
        Ok(own)
    }

    fn table_function(&mut self, table: &mut TableFactor) -> Checked {
        match table {
            TableFactor::Table {
                name,
                alias,
                args: Some(call),
                with_hints,
                version: None,
                with_ordinality: _,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } => {
                let hints = !with_hints.is_empty() || !index_hints.is_empty() || !partitions.is_empty();
                absent(hints || call.settings.is_some(), "an option of a table")?;
                functions::check_table_function(self.dialect, name)?;
                call.args.iter_mut().try_for_each(|argument| self.argument(argument))?;
                self.table_alias(alias.as_mut())
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality: _, alias } => {
                functions::check_table_function(self.dialect, name)?;
                args.iter_mut().try_for_each(|argument| self.argument(argument))?;
                self.table_alias(alias.as_mut())
            }
            TableFactor::UNNEST {
                alias, array_exprs, with_offset: false, with_offset_alias: None, ..
            } => {
                self.exprs(array_exprs)?;
                self.table_alias(alias.as_mut())
            }
            _ => denied("this form of a table"),
        }
    }

    pub(super) fn table_alias(&mut self, alias: Option<&mut TableAlias>) -> Checked {
        let Some(alias) = alias else { return Ok(()) };
        self.alias(&mut alias.name)?;
        self.columns_of_alias(alias)
    }

    pub(super) fn columns_of_alias(&mut self, alias: &mut TableAlias) -> Checked {
        absent(alias.at.is_some(), "AT after an alias")?;
        alias.columns.iter_mut().try_for_each(|column| {
            absent(column.data_type.is_some(), "an alias with types")?;
            self.name(&mut column.name)
        })
    }

    /// True where a table after FROM has the name of the one that is written.
    pub(super) fn is_shadowed(&self, from: &[TableWithJoins]) -> bool {
        let Qualifier::Physical(own) = &self.qualifier else { return self.qualifier == Qualifier::Strip };
        let names = |table: &TableFactor| match table {
            TableFactor::Table { alias: Some(alias), .. }
            | TableFactor::Derived { alias: Some(alias), .. } => alias.name.value.eq_ignore_ascii_case(own),
            TableFactor::Table { name, .. } => {
                name.to_string().trim_matches(['`', '"']).eq_ignore_ascii_case(own)
            }
            // A join in parentheses may hold any name.
            TableFactor::NestedJoin { .. } => true,
            _ => false,
        };
        from.iter()
            .any(|table| names(&table.relation) || table.joins.iter().any(|join| names(&join.relation)))
    }
}
