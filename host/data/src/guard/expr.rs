//! Expressions: columns, literals, operators, casts, subqueries, and calls of functions.
//!
//! Refused: variables, names of three parts, literals that an engine could read in another way, operators
//! and casts off the lists. Called by every other part of the walk.

use super::walk::{Checked, Qualifier, Walk, absent, denied};
use super::{functions, tokens, types};
use crate::Dialect;
use sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DateTimeField, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident,
    Interval, ObjectName, Subscript, TypedString, UnaryOperator, Value, ValueWithSpan, WindowFrameBound,
    WindowSpec, WindowType,
};

impl Walk {
    pub(super) fn exprs(&mut self, exprs: &mut [Expr]) -> Checked {
        exprs.iter_mut().try_for_each(|expr| self.expr(expr))
    }

    /// A chain of operators, which leans to the left, counts as one step down.
    pub(super) fn expr(&mut self, expr: &mut Expr) -> Checked {
        self.deeper(|walk| {
            let mut expr = expr;
            loop {
                match expr {
                    Expr::BinaryOp { left, op, right } => {
                        walk.operator(op)?;
                        walk.expr(right)?;
                        expr = left;
                    }
                    Expr::IsNull(inner)
                    | Expr::IsNotNull(inner)
                    | Expr::IsTrue(inner)
                    | Expr::IsNotTrue(inner)
                    | Expr::IsFalse(inner)
                    | Expr::IsNotFalse(inner)
                    | Expr::IsUnknown(inner)
                    | Expr::IsNotUnknown(inner)
                    | Expr::Nested(inner) => expr = inner,
                    other => return walk.operand(other),
                }
            }
        })
    }

    fn operand(&mut self, expr: &mut Expr) -> Checked {
        match expr {
            Expr::Identifier(name) => self.name(name),
            Expr::CompoundIdentifier(parts) => {
                if let Some(bare) = self.column(parts)? {
                    *expr = Expr::Identifier(bare);
                }
                Ok(())
            }
            Expr::Value(value) => {
                if let Some(hex) = self.literal(value)? {
                    *expr = hex;
                }
                Ok(())
            }
            Expr::Function(call) => self.call(call),
            Expr::Subquery(query) | Expr::Exists { subquery: query, negated: _ } => self.query(query),
            Expr::InSubquery { expr, subquery, negated: _ } => {
                self.expr(expr)?;
                self.query(subquery)
            }
            Expr::InList { expr, list, negated: _ } => {
                self.expr(expr)?;
                self.exprs(list)
            }
            Expr::Tuple(list) => self.exprs(list),
            Expr::Between { expr, negated: _, low, high } => self.each([expr, low, high]),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.each([left, right])
            }
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                operand.iter_mut().chain(else_result).try_for_each(|expr| self.expr(expr))?;
                conditions.iter_mut().try_for_each(|CaseWhen { condition, result }| {
                    self.expr(condition)?;
                    self.expr(result)
                })
            }
            pattern @ (Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::SimilarTo { .. }
            | Expr::RLike { .. }) => self.pattern(pattern),
            Expr::Cast { .. } | Expr::Convert { .. } | Expr::TypedString(_) => self.cast(expr),
            Expr::Collate { expr, collation } => {
                types::check_collation(self.dialect, collation)?;
                self.expr(expr)
            }
            other if self.dialect == Dialect::Sqlite => self.spelled(other),
            other => self.engine_specific(other),
        }
    }

    /// What SQLite has not.
    fn engine_specific(&mut self, expr: &mut Expr) -> Checked {
        match expr {
            Expr::Interval(interval) => self.interval(interval),
            Expr::AtTimeZone { timestamp, time_zone } => self.each([timestamp, time_zone]),
            Expr::AnyOp { left, compare_op, right, is_some: _ } | Expr::AllOp { left, compare_op, right } => {
                self.operator(compare_op)?;
                self.each([left, right])
            }
            Expr::MatchAgainst { columns, match_value, opt_search_modifier: _ } => {
                columns.iter_mut().try_for_each(|column| self.bare_column(column))?;
                absent(self.literal(match_value)?.is_some(), "a backslash here; pass the text as a parameter")
            }
            Expr::Array(Array { elem, named: true }) if self.dialect == Dialect::Postgresql => {
                self.exprs(elem)
            }
            Expr::CompoundFieldAccess { root, access_chain } if self.dialect == Dialect::Postgresql => {
                self.expr(root)?;
                access_chain.iter_mut().try_for_each(|access| self.access(access))
            }
            Expr::GroupingSets(sets) | Expr::Rollup(sets) if self.dialect == Dialect::Postgresql => {
                sets.iter_mut().try_for_each(|set| self.exprs(set))
            }
            other => self.spelled(other),
        }
    }

    /// Functions whose arguments have words between them.
    fn spelled(&mut self, expr: &mut Expr) -> Checked {
        match expr {
            Expr::Extract { field, syntax: _, expr } => {
                check_field(field)?;
                self.expr(expr)
            }
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                let plain = *field == CeilFloorKind::DateTimeField(DateTimeField::NoDateTime);
                absent(!plain, "this form of CEIL or FLOOR")?;
                self.expr(expr)
            }
            Expr::Position { expr, r#in } => self.each([expr, r#in]),
            Expr::Substring { expr, substring_from, substring_for, special: _, shorthand: _ } => {
                self.expr(expr)?;
                substring_from.iter_mut().chain(substring_for).try_for_each(|expr| self.expr(expr))
            }
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => {
                self.expr(expr)?;
                trim_what.iter_mut().try_for_each(|expr| self.expr(expr))?;
                trim_characters.iter_mut().try_for_each(|exprs| self.exprs(exprs))
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.each([expr, overlay_what, overlay_from])?;
                overlay_for.iter_mut().try_for_each(|expr| self.expr(expr))
            }
            _ => denied("one of its expressions"),
        }
    }

    fn each<const N: usize>(&mut self, exprs: [&mut Box<Expr>; N]) -> Checked {
        exprs.into_iter().try_for_each(|expr| self.expr(expr))
    }

    /// A column with its table's name before it. Gives back the column where the qualifier has to go.
    fn column(&mut self, parts: &mut [Ident]) -> Result<Option<Ident>, crate::SqlError> {
        let [table, column] = parts else {
            return denied("a column with a schema before it; write `table.column`");
        };
        self.alias(table)?;
        self.name(column)?;
        match &self.qualifier {
            Qualifier::Strip => return Ok(Some(column.clone())),
            Qualifier::Physical(own) if *own == table.value => *table = self.physical(own),
            _ => {}
        }
        Ok(None)
    }

    /// A literal. MySQL gets a text with backslashes as bytes, which mean the same under every `sql_mode`.
    fn literal(&mut self, value: &ValueWithSpan) -> Result<Option<Expr>, crate::SqlError> {
        match &value.value {
            Value::Number(_, false) | Value::Boolean(_) | Value::Null => Ok(None),
            // The parser makes one of `:name` as well.
            Value::Placeholder(name) if tokens::parameter(name).is_some() => Ok(None),
            Value::SingleQuotedString(text) if self.dialect == Dialect::Mysql && text.contains('\\') => {
                use std::fmt::Write as _;
                let mut hex = String::with_capacity(text.len() * 2);
                for byte in text.replace("''", "'").bytes() {
                    // Writing into a text can't fail.
                    write!(hex, "{byte:02X}").unwrap_or_default();
                }
                let bytes = Expr::Value(Value::HexStringLiteral(hex).with_empty_span());
                Ok(Some(Expr::Prefixed { prefix: Ident::new("_utf8mb4"), value: Box::new(bytes) }))
            }
            Value::SingleQuotedString(_) => Ok(None),
            _ => denied("this kind of a literal; pass it as a parameter"),
        }
    }

    fn unary(&mut self, op: UnaryOperator, expr: &mut Expr) -> Checked {
        match op {
            UnaryOperator::Not => {}
            // Two signs in a row would begin a comment, or another operator.
            UnaryOperator::Minus | UnaryOperator::Plus | UnaryOperator::BitwiseNot => {
                absent(
                    matches!(expr, Expr::UnaryOp { .. }),
                    "two signs in a row; put parentheses between them",
                )?;
            }
            _ => return denied("one of its operators"),
        }
        self.expr(expr)
    }

    fn pattern(&mut self, expr: &mut Expr) -> Checked {
        match expr {
            Expr::Like { negated: _, any: false, expr, pattern, escape_char } => {
                self.each([expr, pattern])?;
                escape_char.iter_mut().try_for_each(|escape| self.expr(escape))
            }
            Expr::ILike { negated: _, any: false, expr, pattern, escape_char }
            | Expr::SimilarTo { negated: _, expr, pattern, escape_char }
                if self.dialect == Dialect::Postgresql =>
            {
                self.each([expr, pattern])?;
                escape_char.iter_mut().try_for_each(|escape| self.expr(escape))
            }
            Expr::RLike { negated: _, expr, pattern, regexp: _ } if self.dialect == Dialect::Mysql => {
                self.each([expr, pattern])
            }
            _ => denied("this kind of a pattern"),
        }
    }

    fn cast(&mut self, expr: &mut Expr) -> Checked {
        match expr {
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, format: None } => {
                types::check_cast(self.dialect, data_type)?;
                self.expr(expr)
            }
            Expr::Convert {
                is_try: false,
                expr,
                data_type,
                charset: None,
                target_before_value: false,
                styles,
            } => {
                absent(!styles.is_empty() || self.dialect != Dialect::Mysql, "this form of CONVERT")?;
                data_type.iter().try_for_each(|data_type| types::check_cast(self.dialect, data_type))?;
                self.expr(expr)
            }
            Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false }) => {
                types::check_cast(self.dialect, data_type)?;
                absent(self.literal(value)?.is_some(), "a backslash here; pass the value as a parameter")
            }
            _ => denied("this form of a cast"),
        }
    }

    fn interval(&mut self, interval: &mut Interval) -> Checked {
        let Interval {
            value,
            leading_field,
            leading_precision: _,
            last_field,
            fractional_seconds_precision: _,
        } = interval;
        leading_field.iter().chain(last_field.iter()).try_for_each(check_field)?;
        self.expr(value)
    }

    fn access(&mut self, access: &mut AccessExpr) -> Checked {
        match access {
            AccessExpr::Subscript(Subscript::Index { index }) => self.expr(index),
            AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: None }) => {
                lower_bound.iter_mut().chain(upper_bound).try_for_each(|bound| self.expr(bound))
            }
            _ => denied("a field of a row"),
        }
    }

    fn call(&mut self, call: &mut Function) -> Checked {
        let Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            null_treatment: _,
            over,
        } = call;
        absent(*uses_odbc_syntax || *parameters != FunctionArguments::None, "this form of a call")?;
        functions::check(self.dialect, name, args)?;
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.query(query)?,
            FunctionArguments::List(FunctionArgumentList { duplicate_treatment: _, args, clauses }) => {
                // The first argument of TIMESTAMPADD is a word of the grammar, not a column.
                let unit =
                    args.first().is_some_and(|first| self.dialect == Dialect::Mysql && is_unit(name, first));
                args.iter_mut().skip(usize::from(unit)).try_for_each(|argument| self.argument(argument))?;
                clauses.iter_mut().try_for_each(|clause| self.clause(clause))?;
            }
        }
        self.order_terms(within_group)?;
        filter.iter_mut().try_for_each(|filter| self.expr(filter))?;
        match over {
            None => Ok(()),
            Some(WindowType::NamedWindow(name)) => self.name(name),
            Some(WindowType::WindowSpec(spec)) => self.window(spec),
        }
    }

    pub(super) fn argument(&mut self, argument: &mut FunctionArg) -> Checked {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => self.expr(expr),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Ok(()),
            _ => denied("a named argument"),
        }
    }

    fn clause(&mut self, clause: &mut FunctionArgumentClause) -> Checked {
        match clause {
            FunctionArgumentClause::OrderBy(terms) => self.order_terms(terms),
            FunctionArgumentClause::Separator(text) => {
                absent(self.literal(text)?.is_some(), "a backslash in SEPARATOR")
            }
            _ => denied("this clause within a call"),
        }
    }

    pub(super) fn window(&mut self, spec: &mut WindowSpec) -> Checked {
        let WindowSpec { window_name, partition_by, order_by, window_frame } = spec;
        window_name.iter_mut().try_for_each(|name| self.name(name))?;
        self.exprs(partition_by)?;
        self.order_terms(order_by)?;
        let Some(frame) = window_frame else { return Ok(()) };
        [Some(&mut frame.start_bound), frame.end_bound.as_mut()].into_iter().flatten().try_for_each(|bound| {
            match bound {
                WindowFrameBound::CurrentRow => Ok(()),
                WindowFrameBound::Preceding(rows) | WindowFrameBound::Following(rows) => {
                    rows.iter_mut().try_for_each(|rows| self.expr(rows))
                }
            }
        })
    }

    /// A value that may be the word DEFAULT, which is no name.
    pub(super) fn value_of_row(&mut self, value: &mut Expr) -> Checked {
        match value {
            Expr::Identifier(Ident { value, quote_style: None, .. })
                if value.eq_ignore_ascii_case("default") =>
            {
                Ok(())
            }
            other => self.expr(other),
        }
    }

    fn operator(&self, op: &BinaryOperator) -> Checked {
        use BinaryOperator as Op;
        let known = match op {
            Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo | Op::StringConcat => true,
            Op::Gt | Op::Lt | Op::GtEq | Op::LtEq | Op::Eq | Op::NotEq | Op::And | Op::Or => true,
            Op::BitwiseOr | Op::BitwiseAnd | Op::Arrow | Op::LongArrow => true,
            Op::PGBitwiseShiftLeft | Op::PGBitwiseShiftRight => true,
            Op::Glob => self.dialect == Dialect::Sqlite,
            Op::Spaceship | Op::Xor | Op::BitwiseXor | Op::MyIntegerDivide => self.dialect == Dialect::Mysql,
            Op::PGBitwiseXor | Op::PGExp | Op::PGOverlap | Op::Overlaps => {
                self.dialect == Dialect::Postgresql
            }
            Op::PGRegexMatch | Op::PGRegexIMatch | Op::PGRegexNotMatch | Op::PGRegexNotIMatch => {
                self.dialect == Dialect::Postgresql
            }
            Op::HashArrow | Op::HashLongArrow | Op::HashMinus | Op::AtAt | Op::AtArrow | Op::ArrowAt => {
                self.dialect == Dialect::Postgresql
            }
            Op::AtQuestion | Op::Question | Op::QuestionAnd | Op::QuestionPipe => {
                self.dialect == Dialect::Postgresql
            }
            _ => false,
        };
        absent(!known, "one of its operators")
    }
}

/// Units of time that TIMESTAMPADD and TIMESTAMPDIFF take.
const UNITS: [&str; 9] =
    ["MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"];

fn is_unit(function: &ObjectName, argument: &FunctionArg) -> bool {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(unit))) = argument else { return false };
    let takes_unit = ["timestampadd", "timestampdiff"].contains(&function.to_string().as_str());
    let known = UNITS.iter().any(|one| one.eq_ignore_ascii_case(&unit.value));
    takes_unit && known && unit.quote_style.is_none()
}

fn check_field(field: &DateTimeField) -> Checked {
    let foreign = matches!(field, DateTimeField::Custom(_) | DateTimeField::Week(Some(_)));
    absent(foreign, "this part of a date")
}
