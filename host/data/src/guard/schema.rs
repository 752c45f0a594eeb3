//! What a migration may do to the shape of a tenant's own tables.
//!
//! Refused: every option off the lists (storage, partitions, inheritance, `DATA DIRECTORY`), tables made
//! from queries or from other tables, materialized and temporary things, triggers, functions, types. Each
//! node is compared with a plain one of its kind, so that an option nobody thought of is refused as well.

use super::walk::{Checked, Walk, absent, denied};
use super::{name, types};
use crate::Dialect;
use sqlparser::ast::helpers::stmt_create_table::CreateTableBuilder;
use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, ColumnOption, CommentDef, CreateIndex,
    CreateTable, CreateTableOptions, CreateView, DataType, Expr, IndexType, MySQLColumnPosition, ObjectType,
    RenameTableNameKind, SqlOption, Statement, Value,
};

impl Walk {
    pub(super) fn schema(&mut self, statement: &mut Statement) -> Checked {
        self.writes = true;
        match statement {
            Statement::CreateTable(table) => self.create_table(table),
            Statement::CreateIndex(index) => self.create_index(index),
            Statement::CreateView(view) => self.create_view(view),
            Statement::AlterTable(alter) => self.alter_table(alter),
            Statement::Drop { .. } => self.drop(statement),
            _ => denied(
                "a migration may read and write rows, and create, alter and drop tables, indexes and views",
            ),
        }
    }

    fn create_table(&mut self, table: &mut CreateTable) -> Checked {
        absent(table.query.is_some(), "CREATE TABLE AS; create it and use INSERT … SELECT")?;
        absent(table.columns.is_empty(), "a table without columns")?;
        let own = self.relation(&mut table.name)?;
        table.columns.iter_mut().try_for_each(|column| self.column_def(column))?;
        table.constraints.iter_mut().try_for_each(|constraint| self.constraint(constraint))?;
        self.table_options(&table.table_options)?;
        let sqlite = self.dialect == Dialect::Sqlite;
        absent(!sqlite && (table.without_rowid || table.strict), "WITHOUT ROWID or STRICT")?;
        let plain = CreateTableBuilder::new(table.name.clone())
            .if_not_exists(table.if_not_exists)
            .columns(table.columns.clone())
            .constraints(table.constraints.clone())
            .table_options(table.table_options.clone())
            .without_rowid(table.without_rowid)
            .strict(table.strict)
            .hive_formats(table.hive_formats.clone().filter(|formats| *formats == Default::default()))
            .build();
        absent(plain != *table, "an option of CREATE TABLE")?;
        self.note_written(own);
        Ok(())
    }

    fn table_options(&self, options: &CreateTableOptions) -> Checked {
        let known = match (options, self.dialect) {
            (CreateTableOptions::None, _) => true,
            (CreateTableOptions::With(options), Dialect::Postgresql) => options.iter().all(is_fillfactor),
            (CreateTableOptions::Plain(options), Dialect::Mysql) => options.iter().all(is_mysql_option),
            _ => false,
        };
        absent(!known, "an option of CREATE TABLE")
    }

    fn create_index(&mut self, index: &mut CreateIndex) -> Checked {
        let CreateIndex {
            name,
            table_name,
            using,
            columns,
            unique: _,
            concurrently,
            r#async,
            if_not_exists: _,
            include,
            nulls_distinct: _,
            with,
            predicate,
            index_options,
            alter_options,
        } = index;
        absent(*concurrently || *r#async, "CREATE INDEX CONCURRENTLY; a migration is one transaction")?;
        let options = !with.is_empty() || !index_options.is_empty() || !alter_options.is_empty();
        absent(options, "an option of CREATE INDEX")?;
        self.index_type(using.as_ref())?;
        name.iter_mut().try_for_each(|name| self.part(name::single(name)?))?;
        let own = self.relation(table_name)?;
        self.index_columns(columns)?;
        self.names(include)?;
        predicate.iter_mut().try_for_each(|predicate| self.expr(predicate))?;
        self.note_written(own);
        Ok(())
    }

    pub(super) fn index_type(&self, using: Option<&IndexType>) -> Checked {
        let known = match using {
            None => true,
            Some(IndexType::BTree | IndexType::Hash) => self.dialect != Dialect::Sqlite,
            Some(IndexType::GIN | IndexType::GiST) => self.dialect == Dialect::Postgresql,
            Some(_) => false,
        };
        absent(!known, "this kind of an index")
    }

    fn create_view(&mut self, view: &mut CreateView) -> Checked {
        let CreateView {
            or_alter,
            or_replace: _,
            materialized,
            secure,
            name,
            name_before_not_exists,
            columns,
            query,
            options,
            cluster_by,
            comment,
            with_no_schema_binding,
            if_not_exists: _,
            temporary,
            copy_grants,
            to,
            params,
        } = view;
        absent(*materialized || *temporary, "a materialized or temporary view")?;
        let foreign =
            *or_alter || *secure || *name_before_not_exists || *with_no_schema_binding || *copy_grants;
        let more = comment.is_some() || to.is_some() || params.is_some() || !cluster_by.is_empty();
        absent(foreign || more || *options != CreateTableOptions::None, "an option of CREATE VIEW")?;
        let own = self.relation(name)?;
        columns.iter_mut().try_for_each(|column| {
            absent(column.data_type.is_some() || column.options.is_some(), "a view's column with a type")?;
            self.name(&mut column.name)
        })?;
        self.query(query)?;
        self.note_written(own);
        Ok(())
    }

    fn drop(&mut self, statement: &mut Statement) -> Checked {
        let Statement::Drop {
            object_type,
            if_exists: _,
            names,
            cascade: _,
            restrict: _,
            purge,
            temporary,
            table,
        } = statement
        else {
            return denied("this statement");
        };
        absent(*purge || *temporary, "an option of DROP")?;
        match object_type {
            ObjectType::Table | ObjectType::View => {
                absent(table.is_some(), "ON after DROP TABLE")?;
                for name in names {
                    let own = self.relation(name)?;
                    self.note_written(own);
                }
                Ok(())
            }
            ObjectType::Index => {
                names.iter_mut().try_for_each(|name| self.part(name::single(name)?))?;
                if let Some(table) = table {
                    let own = self.relation(table)?;
                    self.note_written(own);
                }
                Ok(())
            }
            _ => denied("DROP of anything but a table, a view or an index"),
        }
    }

    fn alter_table(&mut self, alter: &mut AlterTable) -> Checked {
        let AlterTable {
            name,
            if_exists: _,
            only,
            operations,
            location,
            on_cluster,
            table_type,
            end_token: _,
        } = alter;
        let foreign = *only || location.is_some() || on_cluster.is_some() || table_type.is_some();
        absent(foreign, "an option of ALTER TABLE")?;
        let own = self.relation(name)?;
        self.note_written(own);
        operations.iter_mut().try_for_each(|operation| self.alteration(operation))
    }

    fn alteration(&mut self, operation: &mut AlterTableOperation) -> Checked {
        match operation {
            AlterTableOperation::AddColumn {
                column_keyword: _,
                if_not_exists: _,
                column_def,
                column_position,
            } => {
                self.column_def(column_def)?;
                self.position(column_position.as_mut())
            }
            AlterTableOperation::DropColumn {
                has_column_keyword: _,
                column_names,
                if_exists: _,
                drop_behavior: _,
            } => self.names(column_names),
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                self.name(old_column_name)?;
                self.name(new_column_name)
            }
            AlterTableOperation::RenameTable { table_name } => {
                let (RenameTableNameKind::As(name) | RenameTableNameKind::To(name)) = table_name;
                let own = self.relation(name)?;
                self.note_written(own);
                Ok(())
            }
            AlterTableOperation::AddConstraint { constraint, not_valid: _ } => self.constraint(constraint),
            AlterTableOperation::DropConstraint { if_exists: _, name, drop_behavior: _ }
            | AlterTableOperation::DropForeignKey { name, drop_behavior: _ }
            | AlterTableOperation::DropIndex { name } => self.part(name),
            AlterTableOperation::DropPrimaryKey { drop_behavior: _ } => Ok(()),
            AlterTableOperation::RenameConstraint { old_name, new_name } => {
                self.part(old_name)?;
                self.part(new_name)
            }
            AlterTableOperation::AlterColumn { column_name, op } => {
                self.name(column_name)?;
                self.column_change(op)
            }
            AlterTableOperation::ChangeColumn { old_name, new_name, data_type, options, column_position } => {
                self.name(old_name)?;
                self.name(new_name)?;
                self.new_shape(data_type, options)?;
                self.position(column_position.as_mut())
            }
            AlterTableOperation::ModifyColumn { col_name, data_type, options, column_position } => {
                self.name(col_name)?;
                self.new_shape(data_type, options)?;
                self.position(column_position.as_mut())
            }
            _ => denied("this form of ALTER TABLE"),
        }
    }

    fn new_shape(&mut self, data_type: &DataType, options: &mut [ColumnOption]) -> Checked {
        types::check_column(self.dialect, data_type)?;
        options.iter_mut().try_for_each(|option| self.column_option(option))
    }

    fn position(&self, position: Option<&mut MySQLColumnPosition>) -> Checked {
        match position {
            Some(MySQLColumnPosition::After(name)) => {
                // The parser writes this one name without marks, so it must be a plain word.
                self.own_name(name)?;
                name.quote_style = None;
                Ok(())
            }
            Some(MySQLColumnPosition::First) | None => Ok(()),
        }
    }

    fn column_change(&mut self, change: &mut AlterColumnOperation) -> Checked {
        match change {
            AlterColumnOperation::SetNotNull
            | AlterColumnOperation::DropNotNull
            | AlterColumnOperation::DropDefault => Ok(()),
            AlterColumnOperation::SetDefault { value } => self.expr(value),
            AlterColumnOperation::SetDataType { data_type, using, had_set: _ } => {
                types::check_column(self.dialect, data_type)?;
                using.iter_mut().try_for_each(|using| self.expr(using))
            }
            AlterColumnOperation::AddGenerated { generated_as: _, sequence_options: None } => Ok(()),
            AlterColumnOperation::AddGenerated { .. } => denied("options of an identity"),
        }
    }
}

fn is_fillfactor(option: &SqlOption) -> bool {
    let SqlOption::KeyValue { key, value: Expr::Value(value) } = option else { return false };
    key.value.eq_ignore_ascii_case("fillfactor") && matches!(value.value, Value::Number(_, false))
}

/// The engine, the character set and its collation, and a comment.
fn is_mysql_option(option: &SqlOption) -> bool {
    match option {
        SqlOption::Comment(CommentDef::WithEq(_) | CommentDef::WithoutEq(_)) => true,
        SqlOption::NamedParenthesizedList(list) => {
            let is_innodb = list.name.as_ref().is_some_and(|name| name.value.eq_ignore_ascii_case("innodb"));
            list.key.value.eq_ignore_ascii_case("engine") && is_innodb && list.values.is_empty()
        }
        SqlOption::KeyValue { key, value: Expr::Identifier(value) } => {
            let value = value.value.to_ascii_lowercase();
            match key.value.to_ascii_uppercase().as_str() {
                "ENGINE" => value == "innodb",
                "CHARSET" | "DEFAULT CHARSET" | "CHARACTER SET" | "DEFAULT CHARACTER SET" => {
                    value == "utf8mb4"
                }
                "COLLATE" | "DEFAULT COLLATE" => types::is_utf8mb4(&value) && value != "utf8mb4",
                _ => false,
            }
        }
        _ => false,
    }
}
