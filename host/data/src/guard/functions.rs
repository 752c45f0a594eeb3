//! Functions that guests may call, as a list per engine.
//!
//! Absent from the lists: whatever sleeps, locks, reads or writes files, settings, the catalogue or other
//! connections, runs a text as SQL, or makes large objects. A function that makes long texts out of short
//! ones is bounded here by a literal; what remains is bounded by the engine's deadline and byte limits.
//! SQLite's list is the authorizer's own, so that both isolations allow the same.

mod mysql;
mod postgresql;

use super::walk::{Checked, absent, denied};
use crate::Dialect;
use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Value};

/// Functions written without parentheses.
const BARE: [&str; 5] = ["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];

/// Functions whose result is as long as an argument says, and which argument that is.
const AMPLIFIERS: [(&str, usize); 4] = [("repeat", 1), ("lpad", 1), ("rpad", 1), ("space", 0)];

/// How long such a result may be, or how often a text is repeated.
const AMPLIFIED: u32 = 10_000;

/// Checks a call's name and form, and writes the name in lower case.
pub(super) fn check(dialect: Dialect, name: &mut ObjectName, args: &FunctionArguments) -> Checked {
    let ident = super::name::single(name)?;
    let own = lower(ident)?;
    match args {
        FunctionArguments::None => {
            absent(!BARE.contains(&own.as_str()), "a function without parentheses")?;
        }
        FunctionArguments::Subquery(_) => {
            absent(dialect != Dialect::Postgresql || own != "array", "a query as an argument")?;
            return Ok(());
        }
        FunctionArguments::List(list) => {
            let wildcard = |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
            absent(own != "count" && list.args.iter().any(wildcard), "`*` as an argument")?;
            check_amplifier(&own, &list.args)?;
        }
    }
    let known = BARE.contains(&own.as_str())
        || match dialect {
            Dialect::Sqlite => crate::sqlite::is_guest_function(&own),
            Dialect::Postgresql => postgresql::FUNCTIONS.contains(&own.as_str()),
            Dialect::Mysql => mysql::FUNCTIONS.contains(&own.as_str()),
        };
    if known { Ok(()) } else { denied(format!("the function `{own}`")) }
}

/// Checks a function that stands for a table.
pub(super) fn check_table_function(dialect: Dialect, name: &mut ObjectName) -> Checked {
    let ident = super::name::single(name)?;
    let own = lower(ident)?;
    let known = match dialect {
        Dialect::Sqlite => ["json_each", "json_tree"].contains(&own.as_str()),
        Dialect::Postgresql => postgresql::TABLE_FUNCTIONS.contains(&own.as_str()),
        Dialect::Mysql => false,
    };
    if known { Ok(()) } else { denied(format!("the function `{own}` after FROM")) }
}

/// Function names are written bare, because some of them are words of the grammar.
fn lower(ident: &mut Ident) -> Result<String, crate::SqlError> {
    if ident.quote_style.is_some() {
        return denied("a function's name in quotation marks");
    }
    ident.value = ident.value.to_ascii_lowercase();
    Ok(ident.value.clone())
}

fn check_amplifier(own: &str, args: &[FunctionArg]) -> Checked {
    let Some((_, at)) = AMPLIFIERS.iter().find(|(name, _)| *name == own) else { return Ok(()) };
    let fits = match args.get(*at) {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))) => match &value.value {
            Value::Number(digits, false) => digits.parse::<u32>().is_ok_and(|number| number <= AMPLIFIED),
            _ => false,
        },
        _ => false,
    };
    absent(!fits, &format!("`{own}` without a plain number up to {AMPLIFIED} as length"))
}
