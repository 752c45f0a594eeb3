//! Names in a guest's statement: which ones it may use, and how they are written.
//!
//! Every name is written between marks, so that none is taken for a keyword, a function or a variable.
//! Refused: names of another schema, of the host's and the engines' own tables, and characters that one
//! engine could read in another way. Invariant: a guest's name never begins with a template's hole.

use super::prefix::{HOLE, PREFIX_LEN};
use super::walk::{Checked, Walk, denied};
use super::{Naming, dialect};
use crate::{Dialect, SqlError};
use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

/// What PostgreSQL keeps of a name. A prefix and a table's name must fit.
const NAME_BYTES: usize = 63;

/// The longest name of a table, an index or a constraint.
pub(super) const TABLE_BYTES: usize = NAME_BYTES - PREFIX_LEN;

/// Tables whose names begin so belong to the host or to an engine.
const RESERVED: [&str; 5] = ["_rowhouse_", "rowhouse_", "sqlite_", "pg_", "pragma_"];

/// Columns that PostgreSQL adds to every table and that tell of the whole server.
const SYSTEM_COLUMNS: [&str; 6] = ["xmin", "xmax", "cmin", "cmax", "tableoid", "oid"];

impl Walk {
    /// A column, a window or an alias of a column.
    pub(super) fn name(&self, name: &mut Ident) -> Checked {
        self.check_name(name)?;
        if self.dialect == Dialect::Postgresql {
            let hidden = SYSTEM_COLUMNS.iter().any(|one| name.value.eq_ignore_ascii_case(one));
            if hidden || name.value.to_ascii_lowercase().starts_with("pg_") {
                return denied(format!("the system column `{}`", name.value));
            }
        }
        name.quote_style = Some(dialect::quote(self.dialect));
        Ok(())
    }

    pub(super) fn names(&self, names: &mut [Ident]) -> Checked {
        names.iter_mut().try_for_each(|name| self.name(name))
    }

    /// An alias of a table, or the same before a column. Upper and lower case don't differ, on any engine.
    pub(super) fn alias(&self, name: &mut Ident) -> Checked {
        self.check_name(name)?;
        name.value = name.value.to_ascii_lowercase();
        name.quote_style = Some(dialect::quote(self.dialect));
        Ok(())
    }

    /// A column without a qualifier where the parser expects a name of several parts.
    pub(super) fn bare_column(&self, name: &mut ObjectName) -> Checked {
        let ident = single(name)?;
        self.name(ident)
    }

    fn check_name(&self, name: &mut Ident) -> Checked {
        match name.quote_style {
            None if self.dialect == Dialect::Postgresql => name.value = name.value.to_ascii_lowercase(),
            None | Some('"' | '`' | '[') => {}
            Some(_) => return denied("a name in single quotation marks"),
        }
        let fits = |c: char| c.is_alphanumeric() || c == ' ' || c.is_ascii_punctuation();
        if name.value.is_empty()
            || name.value.len() > NAME_BYTES
            || !name.value.chars().all(fits)
            || name.value.contains(['\'', '"', '`', '\\', '[', ']'])
            || name.value.ends_with(' ')
        {
            return denied(
                "a name with characters other than letters, digits and `_`, or longer than 63 bytes",
            );
        }
        if begins(&name.value, HOLE) {
            return denied("a name that begins like the host's own");
        }
        Ok(())
    }

    /// A table's, an index's or a constraint's own name as the guest writes it, in lower case.
    pub(super) fn own_name(&self, name: &mut Ident) -> Result<String, SqlError> {
        self.check_name(name)?;
        let mut bytes = name.value.bytes();
        let starts = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
        if !starts || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return denied("a table's or index's name with characters other than letters, digits and `_`");
        }
        if name.value.len() > TABLE_BYTES {
            return denied(format!("a table's or index's name longer than {TABLE_BYTES} bytes"));
        }
        if let Some(reserved) = RESERVED.iter().find(|reserved| begins(&name.value, reserved)) {
            return denied(format!("names that begin with `{reserved}` are reserved"));
        }
        Ok(name.value.to_ascii_lowercase())
    }

    /// Gives a name of the guest's the tenant's prefix where names have one.
    pub(super) fn physical(&self, own: &str) -> Ident {
        let value = match self.naming {
            Naming::Plain => own.to_owned(),
            Naming::Prefixed => format!("{HOLE}{own}"),
        };
        self.written_as(value)
    }

    /// A name between the engine's marks.
    pub(super) fn written_as(&self, value: impl Into<String>) -> Ident {
        Ident::with_quote(dialect::quote(self.dialect), value)
    }

    /// Rewrites the name of an index or a constraint. Both are unique per schema somewhere, so both get the
    /// prefix everywhere.
    pub(super) fn part(&self, name: &mut Ident) -> Checked {
        let own = self.own_name(name)?;
        *name = self.physical(&own);
        Ok(())
    }

    /// Rewrites the name of a table or view, and gives back the guest's own.
    pub(super) fn relation(&self, name: &mut ObjectName) -> Result<String, SqlError> {
        let ident = single(name)?;
        let own = self.own_name(ident)?;
        *ident = self.physical(&own);
        Ok(own)
    }
}

/// The only part of a name; names of another schema are refused here.
pub(super) fn single(name: &mut ObjectName) -> Result<&mut Ident, SqlError> {
    match name.0.as_mut_slice() {
        [ObjectNamePart::Identifier(ident)] => Ok(ident),
        [_] => denied("a name made by a function"),
        _ => denied("a name with a schema or database before it; write the table's name alone"),
    }
}

/// Compares without regard to case.
fn begins(name: &str, prefix: &str) -> bool {
    name.as_bytes().get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}
