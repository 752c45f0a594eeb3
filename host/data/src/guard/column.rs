//! Columns of tables, their options, and constraints.
//!
//! Refused: what names a sequence, a collation or a type off the lists, exclusion constraints, and indexes
//! with options. Names of indexes and constraints and the targets of foreign keys get the prefix here: the
//! parser's own visitor knows none of them.

use super::types;
use super::walk::{Checked, Walk, absent, denied};
use crate::Dialect;
use sqlparser::ast::{
    CheckConstraint, ColumnDef, ColumnOption, Expr, ForeignKeyConstraint, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Ident, IndexColumn, IndexConstraint, ObjectName, ObjectNamePart,
    PrimaryKeyConstraint, SequenceOptions, TableConstraint, UniqueConstraint, Value,
};
use sqlparser::tokenizer::Token;

/// Ways for an index to compare that PostgreSQL has built in.
const OPERATOR_CLASSES: [&str; 4] =
    ["text_pattern_ops", "varchar_pattern_ops", "jsonb_ops", "jsonb_path_ops"];

impl Walk {
    pub(super) fn column_def(&mut self, column: &mut ColumnDef) -> Checked {
        let ColumnDef { name, data_type, options } = column;
        self.name(name)?;
        types::check_column(self.dialect, data_type)?;
        options.iter_mut().try_for_each(|option| {
            option.name.iter_mut().try_for_each(|name| self.part(name))?;
            self.column_option(&mut option.option)
        })
    }

    pub(super) fn column_option(&mut self, option: &mut ColumnOption) -> Checked {
        let mysql = self.dialect == Dialect::Mysql;
        match option {
            ColumnOption::Null | ColumnOption::NotNull => Ok(()),
            ColumnOption::Default(expr) => self.expr(expr),
            ColumnOption::OnUpdate(expr) if mysql => self.expr(expr),
            ColumnOption::PrimaryKey(key) => self.primary_key(key),
            ColumnOption::Unique(unique) => self.unique(unique),
            ColumnOption::ForeignKey(key) => self.foreign_key(key),
            ColumnOption::Check(check) => self.check(check),
            ColumnOption::Comment(_) if mysql => Ok(()),
            ColumnOption::CharacterSet(name) if mysql => absent(
                !name.to_string().eq_ignore_ascii_case("utf8mb4"),
                "a character set other than utf8mb4",
            ),
            ColumnOption::Collation(name) => types::check_collation(self.dialect, name),
            ColumnOption::DialectSpecific(tokens) => self.own_words(tokens),
            ColumnOption::Generated {
                generated_as: _,
                sequence_options,
                generation_expr,
                generation_expr_mode: _,
                generated_keyword: _,
            } => {
                sequence_options.iter_mut().flatten().try_for_each(|option| self.sequence_option(option))?;
                generation_expr.iter_mut().try_for_each(|expr| self.expr(expr))
            }
            _ => denied("an option of a column"),
        }
    }

    fn own_words(&self, tokens: &[Token]) -> Checked {
        let [Token::Word(word)] = tokens else { return denied("an option of a column") };
        let known = match word.value.to_ascii_uppercase().as_str() {
            "AUTOINCREMENT" | "ASC" | "DESC" => self.dialect == Dialect::Sqlite,
            "AUTO_INCREMENT" => self.dialect == Dialect::Mysql,
            _ => false,
        };
        absent(!known, "an option of a column")
    }

    fn sequence_option(&mut self, option: &mut SequenceOptions) -> Checked {
        match option {
            SequenceOptions::IncrementBy(expr, _) | SequenceOptions::StartWith(expr, _) => self.expr(expr),
            SequenceOptions::MinValue(Some(expr)) | SequenceOptions::MaxValue(Some(expr)) => self.expr(expr),
            _ => denied("an option of an identity"),
        }
    }

    pub(super) fn constraint(&mut self, constraint: &mut TableConstraint) -> Checked {
        match constraint {
            TableConstraint::Unique(unique) => self.unique(unique),
            TableConstraint::PrimaryKey(key) => self.primary_key(key),
            TableConstraint::ForeignKey(key) => self.foreign_key(key),
            TableConstraint::Check(check) => self.check(check),
            TableConstraint::Index(index) if self.dialect == Dialect::Mysql => {
                let IndexConstraint { display_as_key: _, name, index_type, columns, index_options } = index;
                absent(!index_options.is_empty(), "an option of an index")?;
                self.index_type(index_type.as_ref())?;
                self.parts([name])?;
                self.index_columns(columns)
            }
            TableConstraint::FulltextOrSpatial(index) if self.dialect == Dialect::Mysql && index.fulltext => {
                self.parts([&mut index.opt_index_name])?;
                self.index_columns(&mut index.columns)
            }
            _ => denied("this kind of a constraint"),
        }
    }

    fn parts<const N: usize>(&self, names: [&mut Option<Ident>; N]) -> Checked {
        names.into_iter().flatten().try_for_each(|name| self.part(name))
    }

    fn primary_key(&mut self, key: &mut PrimaryKeyConstraint) -> Checked {
        let PrimaryKeyConstraint {
            name,
            index_name,
            index_type,
            columns,
            include,
            index_options,
            characteristics: _,
        } = key;
        absent(!index_options.is_empty(), "an option of a key")?;
        self.index_type(index_type.as_ref())?;
        self.parts([name, index_name])?;
        self.names(include)?;
        self.index_columns(columns)
    }

    fn unique(&mut self, unique: &mut UniqueConstraint) -> Checked {
        let UniqueConstraint {
            name,
            index_name,
            index_type_display: _,
            index_type,
            columns,
            include,
            index_options,
            characteristics: _,
            nulls_distinct: _,
        } = unique;
        absent(!index_options.is_empty(), "an option of a key")?;
        self.index_type(index_type.as_ref())?;
        self.parts([name, index_name])?;
        self.names(include)?;
        self.index_columns(columns)
    }

    fn foreign_key(&mut self, key: &mut ForeignKeyConstraint) -> Checked {
        let ForeignKeyConstraint {
            name,
            index_name,
            columns,
            foreign_table,
            referred_columns,
            on_delete: _,
            on_update: _,
            match_kind: _,
            characteristics: _,
        } = key;
        self.parts([name, index_name])?;
        self.names(columns)?;
        let own = self.relation(foreign_table)?;
        self.note_read(own);
        self.names(referred_columns)
    }

    fn check(&mut self, check: &mut CheckConstraint) -> Checked {
        let CheckConstraint { name, expr, no_inherit, enforced } = check;
        absent(*no_inherit || enforced.is_some(), "an option of a check")?;
        self.parts([name])?;
        self.expr(expr)
    }

    pub(super) fn index_columns(&mut self, columns: &mut [IndexColumn]) -> Checked {
        columns.iter_mut().try_for_each(|IndexColumn { column, operator_class }| {
            if let Some(class) = operator_class {
                let class = class.to_string();
                let known = OPERATOR_CLASSES.contains(&class.as_str()) && self.dialect == Dialect::Postgresql;
                absent(!known, "this operator class")?;
            }
            match (&mut column.expr, self.dialect) {
                (Expr::Function(call), Dialect::Mysql) if is_prefix_of_column(call) => {
                    absent(column.with_fill.is_some(), "WITH FILL")?;
                    self.key_part(&mut call.name)
                }
                _ => self.order_terms(std::slice::from_mut(column)),
            }
        })
    }

    /// `slug(10)`: the beginning of a column, which the parser takes for a call.
    fn key_part(&self, column: &mut ObjectName) -> Checked {
        match column.0.as_mut_slice() {
            [ObjectNamePart::Identifier(column)] => self.name(column),
            _ => denied("a column with a table before it"),
        }
    }
}

fn is_prefix_of_column(call: &Function) -> bool {
    let FunctionArguments::List(list) = &call.args else { return false };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(length)))] = list.args.as_slice() else {
        return false;
    };
    let plain = call.filter.is_none() && call.over.is_none() && call.within_group.is_empty();
    plain
        && list.clauses.is_empty()
        && list.duplicate_treatment.is_none()
        && call.parameters == FunctionArguments::None
        && matches!(&length.value, Value::Number(digits, false) if digits.bytes().all(|byte| byte.is_ascii_digit()))
}
