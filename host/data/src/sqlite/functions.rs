//! Functions that replace the engine's own, because those take time that grows with the product of two
//! lengths and can't be interrupted: `instr`, `replace`, and `trim`, `ltrim`, `rtrim` with two arguments.
//! `unhex` with two arguments is refused. All of these are linear here.
//!
//! The engine tells names but no number of arguments to the authorizer, which is why the forms with two
//! arguments are replaced and not denied.

use super::connection::MAX_VALUE;
use memchr::memmem;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, ffi};
use std::borrow::Cow;
use std::collections::HashSet;

/// Puts the replacements in.
pub(super) fn install(db: &Connection) -> Result<(), Error> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    db.create_scalar_function("instr", 2, flags, instr)?;
    db.create_scalar_function("replace", 3, flags, replace)?;
    db.create_scalar_function("trim", 2, flags, |context| trim(context, true, true))?;
    db.create_scalar_function("ltrim", 2, flags, |context| trim(context, true, false))?;
    db.create_scalar_function("rtrim", 2, flags, |context| trim(context, false, true))?;
    db.create_scalar_function("unhex", 2, flags, |_context| -> Result<Value, Error> {
        Err(Error::UserFunctionError("unhex with two arguments is not available".into()))
    })
}

/// The text of a value as the engine would write it; none for NULL.
fn text<'a>(context: &'a Context<'_>, index: usize) -> Option<Cow<'a, str>> {
    match context.get_raw(index) {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into()),
        ValueRef::Real(number) => Some(format!("{number:?}").into()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
    }
}

/// 1-based position, counted in characters, in bytes where both are blobs; 0 where there is none.
fn instr(context: &Context<'_>) -> Result<Option<i64>, Error> {
    if let (ValueRef::Blob(hay), ValueRef::Blob(needle)) = (context.get_raw(0), context.get_raw(1)) {
        let found = memmem::find(hay, needle).map_or(0, |at| at.saturating_add(1));
        return Ok(i64::try_from(found).ok());
    }
    let (Some(hay), Some(needle)) = (text(context, 0), text(context, 1)) else { return Ok(None) };
    let found = memmem::find(hay.as_bytes(), needle.as_bytes())
        .map_or(0, |at| hay.char_indices().take_while(|(index, _)| *index < at).count().saturating_add(1));
    Ok(i64::try_from(found).ok())
}

fn replace(context: &Context<'_>) -> Result<Value, Error> {
    let (Some(hay), Some(needle), Some(new)) = (text(context, 0), text(context, 1), text(context, 2)) else {
        return Ok(Value::Null);
    };
    if needle.is_empty() {
        return Ok(Value::Text(hay.into_owned()));
    }
    let finder = memmem::Finder::new(needle.as_bytes());
    let found = finder.find_iter(hay.as_bytes()).count();
    let grown = found.saturating_mul(new.len());
    let shrunk = found.saturating_mul(needle.len());
    if hay.len().saturating_add(grown).saturating_sub(shrunk) > MAX_VALUE {
        return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None));
    }
    let mut out = String::with_capacity(hay.len().saturating_add(grown).saturating_sub(shrunk));
    let mut from = 0;
    for at in finder.find_iter(hay.as_bytes()) {
        out.push_str(hay.get(from..at).unwrap_or_default());
        out.push_str(&new);
        from = at.saturating_add(needle.len());
    }
    out.push_str(hay.get(from..).unwrap_or_default());
    Ok(Value::Text(out))
}

fn trim(context: &Context<'_>, start: bool, end: bool) -> Result<Value, Error> {
    let (Some(hay), Some(set)) = (text(context, 0), text(context, 1)) else { return Ok(Value::Null) };
    let set: HashSet<char> = set.chars().collect();
    let mut left: &str = &hay;
    if start {
        left = left.trim_start_matches(|c| set.contains(&c));
    }
    if end {
        left = left.trim_end_matches(|c| set.contains(&c));
    }
    Ok(Value::Text(left.to_owned()))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use rusqlite::types::Value;

    /// Each expression gives the same with the engine's own functions and with ours.
    #[test]
    fn same_as_the_engine() {
        let (own, ours) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
        super::install(&ours).unwrap();
        for expression in [
            "instr('häuser','u')",
            "instr('abc','')",
            "instr('abc','x')",
            "instr(NULL,'x')",
            "instr(x'010203',x'03')",
            "instr(12345, 34)",
            "replace('aXbX','X','--')",
            "replace('abc','','y')",
            "replace('abc',NULL,'y')",
            "replace('aaaa','aa','b')",
            "replace(1.5,'.',',')",
            "replace('häß','ä','ae')",
            "trim('xxaxx','x')",
            "ltrim('xyaxy','yx')",
            "rtrim('xyaxy','yx')",
            "trim('ääbä','ä')",
            "trim(NULL,'x')",
            "trim('a','')",
            "trim('  a  ')",
            "unhex('4142')",
        ] {
            let ask = |db: &Connection| -> Value {
                db.query_row(&format!("SELECT {expression}"), [], |row| row.get(0)).unwrap()
            };
            assert_eq!(ask(&own), ask(&ours), "{expression}");
        }
        assert!(ours.query_row("SELECT unhex('41','x')", [], |row| row.get::<_, Value>(0)).is_err());
    }
}
