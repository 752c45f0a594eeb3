//! How each engine's SQL is split into tokens and parsed.
//!
//! The parser's own dialects are wrapped where the engine, as this server sets it up, reads a text in
//! another way. Invariant: no text that leaves the guard is read differently by the engine. Therefore every
//! name in it is delimited, bytes and escapes are never written as such, and [`SQL_MODE`] is fixed.

use crate::Dialect;
use sqlparser::ast::{Expr, Statement};
use sqlparser::dialect::{self, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use std::any::TypeId;

/// The `sql_mode` that every MySQL or MariaDB connection sets before it serves a guest.
///
/// `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES` make quotes and backslashes mean what they mean on the other
/// engines, `PIPES_AS_CONCAT` the same for `||`; the rest turns silent changes of values into errors. The
/// guard's texts stay safe without it: they hold no backslash in a literal and no double quotation mark
/// around a name.
pub(crate) const SQL_MODE: &str = "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ONLY_FULL_GROUP_BY,\
                                   STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                                   ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// The parser's view of an engine.
pub(super) fn of(dialect: Dialect) -> &'static dyn dialect::Dialect {
    match dialect {
        Dialect::Sqlite => &Sqlite(SQLiteDialect {}),
        Dialect::Postgresql => &PostgreSqlDialect {},
        Dialect::Mysql => &Mysql(MySqlDialect {}),
    }
}

/// The mark around a name in a text that leaves the guard.
pub(super) fn quote(dialect: Dialect) -> char {
    match dialect {
        Dialect::Sqlite | Dialect::Postgresql => '"',
        Dialect::Mysql => '`',
    }
}

/// SQLite, where the target of an INSERT may have an alias.
#[derive(Debug)]
struct Sqlite(SQLiteDialect);

impl dialect::Dialect for Sqlite {
    fn dialect(&self) -> TypeId {
        self.0.dialect()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.0.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.0.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.0.is_identifier_part(ch)
    }

    fn parse_statement(&self, parser: &mut Parser<'_>) -> Option<Result<Statement, ParserError>> {
        self.0.parse_statement(parser)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        self.0.parse_infix(parser, expr, precedence)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_in_empty_list(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn supports_asc_desc_in_column_definition(&self) -> bool {
        true
    }

    fn supports_dollar_placeholder(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_insert_table_alias(&self) -> bool {
        true
    }
}

/// MySQL and MariaDB with [`SQL_MODE`]: double quotation marks hold names, a backslash is a backslash, no
/// name begins with `@`, `$` or a digit, and a comment is a comment, never a hint.
#[derive(Debug)]
struct Mysql(MySqlDialect);

impl dialect::Dialect for Mysql {
    fn dialect(&self) -> TypeId {
        self.0.dialect()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`' || ch == '"'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch == '_' || ch.is_alphabetic()
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch == '_' || ch.is_alphanumeric()
    }

    fn ignores_wildcard_escapes(&self) -> bool {
        true
    }

    fn supports_dollar_placeholder(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        self.0.parse_infix(parser, expr, precedence)
    }

    fn require_interval_qualifier(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn supports_insert_set(&self) -> bool {
        true
    }

    fn is_table_factor_alias(&self, explicit: bool, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        self.0.is_table_factor_alias(explicit, keyword, parser)
    }

    fn requires_single_line_comment_whitespace(&self) -> bool {
        true
    }

    fn supports_match_against(&self) -> bool {
        true
    }

    fn supports_update_order_by(&self) -> bool {
        true
    }

    fn supports_data_type_signed_suffix(&self) -> bool {
        true
    }

    fn supports_cross_join_constraint(&self) -> bool {
        true
    }

    fn supports_key_column_option(&self) -> bool {
        true
    }

    fn supports_group_by_with_modifier(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        false
    }
}
