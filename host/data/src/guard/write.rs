//! INSERT, UPDATE and DELETE.
//!
//! Refused: several tables at once, forms that only one engine has beyond the lists, OR ROLLBACK. Where
//! names are prefixed and the engine forgets a table's alias, the qualifiers of its columns are rewritten:
//! MariaDB in a DELETE and after ON DUPLICATE KEY UPDATE, SQLite and MariaDB in RETURNING.

use super::Naming;
use super::walk::{Checked, Qualifier, Walk, absent, denied};
use crate::{Dialect, SqlError};
use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, DoUpdate, Expr, FromTable, Insert, OnConflict,
    OnConflictAction, OnInsert, OrderByExpr, SelectItem, SqliteOnConflict, TableAliasWithoutColumns,
    TableFactor, TableObject, Update, UpdateTableFromKind,
};

impl Walk {
    pub(super) fn insert(&mut self, insert: &mut Insert) -> Checked {
        let Insert {
            insert_token: _,
            optimizer_hints,
            or,
            ignore,
            into: _,
            table,
            table_alias,
            columns,
            overwrite,
            source,
            assignments,
            partitioned,
            after_columns,
            has_table_keyword,
            on,
            returning,
            output,
            replace_into,
            priority,
            insert_alias,
            settings,
            format_clause,
            multi_table_insert_type,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause,
        } = insert;
        absent(!optimizer_hints.is_empty() || priority.is_some(), "a hint or a priority of INSERT")?;
        absent(*overwrite || *has_table_keyword || output.is_some(), "this form of INSERT")?;
        absent(partitioned.is_some() || !after_columns.is_empty(), "INSERT into a partition")?;
        absent(settings.is_some() || format_clause.is_some(), "a clause of another engine")?;
        let several = multi_table_insert_type.is_some() || multi_table_else_clause.is_some();
        let clauses = !multi_table_into_clauses.is_empty() || !multi_table_when_clauses.is_empty();
        absent(several || clauses, "INSERT into several tables")?;
        absent(insert_alias.is_some(), "an alias of the new row; use `VALUES(column)`")?;
        absent(*ignore && self.dialect != Dialect::Mysql, "INSERT IGNORE; use ON CONFLICT DO NOTHING")?;
        absent(*replace_into && self.dialect == Dialect::Postgresql, "REPLACE; use ON CONFLICT")?;
        self.check_or(or.as_ref())?;
        let TableObject::TableName(name) = table else { return denied("INSERT into anything but a table") };
        let own = self.relation(name)?;
        columns.iter_mut().try_for_each(|column| self.bare_column(column))?;
        source.iter_mut().try_for_each(|source| self.query(source))?;
        self.assignments(assignments)?;
        self.insert_alias(table_alias, &own)?;
        on.iter_mut().try_for_each(|on| self.on_insert(on, &own))?;
        self.returning(returning.as_mut())?;
        self.note_written(own);
        Ok(())
    }

    /// A transaction ends by the host's word alone.
    fn check_or(&self, or: Option<&SqliteOnConflict>) -> Checked {
        match or {
            None => Ok(()),
            Some(SqliteOnConflict::Rollback) => denied("OR ROLLBACK; use OR ABORT"),
            Some(_) => absent(self.dialect != Dialect::Sqlite, "OR after INSERT or UPDATE"),
        }
    }

    fn insert_alias(&self, alias: &mut Option<TableAliasWithoutColumns>, own: &str) -> Checked {
        if let Some(alias) = alias {
            absent(self.dialect == Dialect::Mysql, "an alias of the table in INSERT")?;
            return self.alias(&mut alias.alias);
        }
        if self.naming == Naming::Prefixed && self.dialect != Dialect::Mysql {
            *alias = Some(TableAliasWithoutColumns { explicit: true, alias: self.written_as(own) });
        }
        Ok(())
    }

    fn on_insert(&mut self, on: &mut OnInsert, own: &str) -> Checked {
        match on {
            OnInsert::DuplicateKeyUpdate(assignments) if self.dialect == Dialect::Mysql => {
                self.qualified(Qualifier::Physical(own.to_owned()), |walk| walk.assignments(assignments))
            }
            OnInsert::OnConflict(OnConflict { conflict_target, action })
                if self.dialect != Dialect::Mysql =>
            {
                match conflict_target {
                    None => {}
                    Some(ConflictTarget::Columns(columns)) => self.names(columns)?,
                    Some(ConflictTarget::OnConstraint(name)) => self.part(super::name::single(name)?)?,
                }
                match action {
                    OnConflictAction::DoNothing => Ok(()),
                    OnConflictAction::DoUpdate(DoUpdate { assignments, selection }) => {
                        self.assignments(assignments)?;
                        selection.iter_mut().try_for_each(|expr| self.expr(expr))
                    }
                }
            }
            OnInsert::DuplicateKeyUpdate(_) => denied("ON DUPLICATE KEY UPDATE; use ON CONFLICT"),
            _ => denied("ON CONFLICT; use ON DUPLICATE KEY UPDATE"),
        }
    }

    pub(super) fn update(&mut self, update: &mut Update) -> Checked {
        let Update {
            update_token: _,
            optimizer_hints,
            table,
            assignments,
            from,
            selection,
            returning,
            output,
            or,
            order_by,
            limit,
        } = update;
        absent(!optimizer_hints.is_empty() || output.is_some(), "a hint or OUTPUT")?;
        self.check_or(or.as_ref())?;
        absent(!table.joins.is_empty(), "UPDATE of several tables; use a subquery")?;
        let own = self.plain_table(&mut table.relation)?;
        match from {
            None => {}
            Some(UpdateTableFromKind::AfterSet(tables)) if self.dialect != Dialect::Mysql => {
                tables.iter_mut().try_for_each(|table| self.table_with_joins(table))?;
            }
            Some(_) => return denied("UPDATE … FROM; use a subquery"),
        }
        self.assignments(assignments)?;
        selection.iter_mut().try_for_each(|expr| self.expr(expr))?;
        self.bounded(order_by, limit.as_mut())?;
        self.returning(returning.as_mut())?;
        self.note_written(own);
        Ok(())
    }

    pub(super) fn delete(&mut self, delete: &mut Delete) -> Checked {
        let Delete {
            delete_token: _,
            optimizer_hints,
            tables,
            from,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
        } = delete;
        absent(!optimizer_hints.is_empty() || output.is_some(), "a hint or OUTPUT")?;
        let FromTable::WithFromKeyword(from) = from else { return denied("DELETE without FROM") };
        let [table] = from.as_mut_slice() else {
            return denied("DELETE from several tables; use a subquery");
        };
        absent(!tables.is_empty() || !table.joins.is_empty(), "DELETE from several tables; use a subquery")?;
        absent(using.is_some() && self.dialect != Dialect::Postgresql, "DELETE … USING; use a subquery")?;
        let (own, qualifier) = self.delete_target(&mut table.relation)?;
        using.iter_mut().flatten().try_for_each(|table| self.table_with_joins(table))?;
        self.qualified(qualifier, |walk| {
            selection.iter_mut().try_for_each(|expr| walk.expr(expr))?;
            walk.bounded(order_by, limit.as_mut())
        })?;
        self.returning(returning.as_mut())?;
        self.note_written(own);
        Ok(())
    }

    /// MariaDB takes no alias here before 11.6, so its columns get the physical name.
    fn delete_target(&mut self, table: &mut TableFactor) -> Result<(String, Qualifier), SqlError> {
        if self.dialect != Dialect::Mysql {
            return Ok((self.plain_table(table)?, Qualifier::Keep));
        }
        if let TableFactor::Table { alias: Some(_), .. } = table {
            return denied("an alias of the table in DELETE; use the table's name");
        }
        let own = self.plain_table(table)?;
        if let TableFactor::Table { alias, .. } = table {
            *alias = None;
        }
        Ok((own.clone(), Qualifier::Physical(own)))
    }

    /// ORDER BY and LIMIT of UPDATE and DELETE.
    fn bounded(&mut self, order_by: &mut [OrderByExpr], limit: Option<&mut Expr>) -> Checked {
        let there = !order_by.is_empty() || limit.is_some();
        absent(there && self.dialect != Dialect::Mysql, "ORDER BY or LIMIT of UPDATE and DELETE")?;
        self.order_terms(order_by)?;
        limit.map_or(Ok(()), |limit| self.expr(limit))
    }

    fn returning(&mut self, items: Option<&mut Vec<SelectItem>>) -> Checked {
        let Some(items) = items else { return Ok(()) };
        let how = match self.dialect {
            Dialect::Postgresql => Qualifier::Keep,
            Dialect::Sqlite | Dialect::Mysql => Qualifier::Strip,
        };
        self.qualified(how, |walk| walk.projection(items))
    }

    fn assignments(&mut self, assignments: &mut [Assignment]) -> Checked {
        assignments.iter_mut().try_for_each(|Assignment { target, value }| {
            match target {
                AssignmentTarget::ColumnName(column) => self.bare_column(column)?,
                AssignmentTarget::Tuple(columns) => {
                    columns.iter_mut().try_for_each(|column| self.bare_column(column))?;
                }
            }
            self.value_of_row(value)
        })
    }
}
