//! What a statement may do, as an allow-list that the engine asks while it compiles the statement.
//!
//! Everything not named here is refused: other databases than `main`, pragmas, ATTACH, transaction
//! control, temporary objects, every function off the lists and the host's own tables. Compiling also
//! tells what the statement is like ([`Probe`]), because the engine's word is better than a guess from
//! its text.
//!
//! Invariant: a statement compiled as [`Stance::Host`] never enters the connection's statement cache,
//! since cached statements are not judged again.

mod prefixed;

use crate::guard::Prefix;
use crate::subjects;
use parking_lot::Mutex;
use rowhouse_base::Subject;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

/// Names that begin so belong to the host.
pub(super) const RESERVED: &str = "_rowhouse_";

/// For whom the connection compiles statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stance {
    /// Statements of a guest: reads and writes of its own tables.
    Guest = 0,
    /// Statements of a migration: the same, and the shape of its own tables.
    Migration = 1,
    /// The host's own statements: anything.
    Host = 2,
}

/// What the engine told while it compiled a statement.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Where tenants share the file: what names of this tenant's tables begin with.
    prefix: Option<Prefix>,
    stance: AtomicU8,
    asked: AtomicBool,
    denied: AtomicBool,
    heavy: AtomicBool,
    counts: AtomicBool,
    inserts: AtomicBool,
    updates: AtomicBool,
    creates: AtomicBool,
    touched: Mutex<Touched>,
}

/// Which tables a statement touches, by the guest's names.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    pub(super) reads: BTreeSet<Subject>,
    pub(super) writes: BTreeSet<Subject>,
    /// Its answer depends on what was done on the connection before.
    pub(super) unsure: bool,
}

impl Probe {
    pub(super) fn new(prefix: Option<Prefix>) -> Self {
        Self { prefix, ..Self::default() }
    }

    pub(super) fn set_stance(&self, stance: Stance) {
        self.stance.store(stance as u8, Relaxed);
    }

    /// Forgets what was told. Nothing was where nothing was asked, as for every statement that is compiled already.
    pub(super) fn clear(&self) {
        if !self.was_asked() {
            return;
        }
        let told = [&self.asked, &self.denied, &self.heavy, &self.counts, &self.inserts, &self.updates];
        told.iter().for_each(|told| told.store(false, Relaxed));
        self.creates.store(false, Relaxed);
        *self.touched.lock() = Touched::default();
    }

    /// Which tables the engine told of since the last clearing.
    pub(super) fn touched(&self) -> Touched {
        self.touched.lock().clone()
    }

    /// True where the engine compiled something since the last clearing.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Relaxed)
    }

    /// True where something was refused.
    pub(super) fn has_denied(&self) -> bool {
        self.denied.load(Relaxed)
    }

    /// True where a single instruction may take long, so that the statement has no place on an async
    /// worker.
    pub(super) fn is_heavy(&self) -> bool {
        self.heavy.load(Relaxed)
    }

    /// True where rows are counted: one instruction may then walk a whole table.
    pub(super) fn counts(&self) -> bool {
        self.counts.load(Relaxed)
    }

    /// True for an INSERT that can't turn into an UPDATE, whose row id is therefore the last one.
    pub(super) fn only_inserts(&self) -> bool {
        self.inserts.load(Relaxed) && !self.updates.load(Relaxed)
    }

    /// Judges one action and notes what it tells.
    pub(super) fn judge(&self, context: AuthContext<'_>) -> Authorization {
        self.asked.store(true, Relaxed);
        let stance = self.stance.load(Relaxed);
        if stance == Stance::Host as u8 {
            return Authorization::Allow;
        }
        self.note(&context);
        let migrating = stance == Stance::Migration as u8;
        let within = self
            .prefix
            .as_ref()
            .is_none_or(|prefix| prefixed::is_within(prefix, &context, self.creates.load(Relaxed)));
        if within && is_allowed(&context, migrating) {
            Authorization::Allow
        } else {
            self.denied.store(true, Relaxed);
            Authorization::Deny
        }
    }

    fn note(&self, context: &AuthContext<'_>) {
        self.touch(context.action);
        match context.action {
            AuthAction::Function { function_name: "count" } => self.counts.store(true, Relaxed),
            AuthAction::Function { function_name } if HEAVY.contains(&function_name) => {
                self.heavy.store(true, Relaxed);
            }
            AuthAction::CreateTable { .. } => self.creates.store(true, Relaxed),
            AuthAction::Read { table_name: "json_each" | "json_tree", .. } => self.heavy.store(true, Relaxed),
            AuthAction::Insert { .. } if context.accessor.is_none() => self.inserts.store(true, Relaxed),
            AuthAction::Update { .. } if context.accessor.is_none() => self.updates.store(true, Relaxed),
            _ => {}
        }
    }
}

impl Probe {
    fn touch(&self, action: AuthAction<'_>) {
        match action {
            AuthAction::Read { table_name, .. } => {
                let subject = self.subject(table_name);
                self.touched.lock().reads.insert(subject);
            }
            AuthAction::Insert { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::Delete { table_name } => {
                let subject = self.subject(table_name);
                self.touched.lock().writes.insert(subject);
            }
            AuthAction::Function { function_name: "changes" | "total_changes" | "last_insert_rowid" } => {
                self.touched.lock().unsure = true;
            }
            _ => {}
        }
    }

    fn subject(&self, table: &str) -> Subject {
        let prefix = self.prefix.as_ref().map_or("", Prefix::as_str);
        let own = if starts_with(table, prefix) { table.get(prefix.len()..) } else { None };
        subjects::table(own.unwrap_or(table))
    }
}

fn is_allowed(context: &AuthContext<'_>, migrating: bool) -> bool {
    if context.accessor.is_some_and(|name| starts_with(name, RESERVED)) {
        return false;
    }
    let database = match context.action {
        // Here the engine tells the database elsewhere, and the column that is dropped in its place.
        AuthAction::AlterTable { database_name, .. } => Some(database_name),
        _ => context.database_name,
    };
    match database {
        None | Some("main") => {}
        // ALTER TABLE also looks through the list of temporary objects, which is always empty.
        Some("temp") => return migrating && reads_temporary_list(context.action),
        Some(_) => return false,
    }
    match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Read { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name } => {
            is_own_table(table_name) || migrating && is_schema_table(table_name)
        }
        AuthAction::Function { function_name } => is_function(function_name, migrating),
        // Full-text search asks for it; a guest learns nothing from it.
        AuthAction::Pragma { pragma_name: "data_version", pragma_value: None } => true,
        other => migrating && is_schema_change(other),
    }
}

/// A table that belongs to the tenant, or a table-valued function over JSON.
fn is_own_table(name: &str) -> bool {
    !["sqlite_", RESERVED, "pragma_"].iter().any(|prefix| starts_with(name, prefix))
        && !ENGINE_TABLES.iter().any(|table| name.eq_ignore_ascii_case(table))
}

/// Virtual tables of the engine that need no CREATE.
const ENGINE_TABLES: [&str; 8] = [
    "dbstat",
    "bytecode",
    "tables_used",
    "fts3tokenize",
    "fts5vocab",
    "fts4aux",
    "completion",
    "generate_series",
];

/// Tables that the engine itself writes when the schema changes. Writing them by hand fails all the same:
/// the connection is defensive.
fn is_schema_table(name: &str) -> bool {
    matches!(
        name,
        "sqlite_master" | "sqlite_sequence" | "sqlite_stat1" | "sqlite_stat4"
            // A new NOT NULL column is checked with it.
            | "pragma_quick_check"
    )
}

fn reads_temporary_list(action: AuthAction<'_>) -> bool {
    matches!(
        action,
        AuthAction::Read { table_name: "sqlite_temp_master", .. }
            | AuthAction::Update { table_name: "sqlite_temp_master", .. }
    )
}

fn is_schema_change(action: AuthAction<'_>) -> bool {
    let own = |name: &str| !starts_with(name, "sqlite_") && !starts_with(name, RESERVED);
    match action {
        // The engine makes it for AUTOINCREMENT; by hand it can't be made.
        AuthAction::CreateTable { table_name: "sqlite_sequence" } => true,
        AuthAction::Pragma { pragma_name: "quick_check", .. } => true,
        AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::DropVtable { table_name, .. } => own(table_name),
        AuthAction::CreateVtable { table_name, module_name } => {
            own(table_name) && module_name.eq_ignore_ascii_case("fts5")
        }
        AuthAction::CreateIndex { index_name, table_name }
        | AuthAction::DropIndex { index_name, table_name } => {
            own(table_name) && (own(index_name) || starts_with(index_name, "sqlite_autoindex_"))
        }
        AuthAction::CreateTrigger { trigger_name, table_name }
        | AuthAction::DropTrigger { trigger_name, table_name } => own(trigger_name) && own(table_name),
        AuthAction::CreateView { view_name } | AuthAction::DropView { view_name } => own(view_name),
        AuthAction::Reindex { .. } => true,
        _ => false,
    }
}

/// True for a function that guests may call, which the rules for prefixed tables share.
pub(crate) fn is_guest_function(name: &str) -> bool {
    is_function(name, false)
}

fn is_function(name: &str, migrating: bool) -> bool {
    LIGHT.contains(&name)
        || HEAVY.contains(&name)
        || migrating
            && ["sqlite_rename_", "sqlite_drop_column", "sqlite_fail"].iter().any(|own| name.starts_with(own))
}

fn starts_with(name: &str, prefix: &str) -> bool {
    name.as_bytes().get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Functions whose cost is small even for a value of a megabyte.
const LIGHT: [&str; 56] = [
    "abs",
    "avg",
    "changes",
    "coalesce",
    "count",
    "cume_dist",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "group_concat",
    "if",
    "ifnull",
    "iif",
    "julianday",
    "lag",
    "last_insert_rowid",
    "last_value",
    "lead",
    "length",
    "likelihood",
    "likely",
    "lower",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "random",
    "rank",
    "round",
    "row_number",
    "sign",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "time",
    "timediff",
    "total",
    "total_changes",
    "typeof",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
    "ceil",
    "ceiling",
    "floor",
    "mod",
    "trunc",
];

/// Functions that are allowed, but whose cost grows with their values.
///
/// Absent, because one call can take minutes or gigabytes: `json_patch`, `json_pretty`, `highlight`,
/// `snippet`; because they reach outside: `load_extension`, `fts3_tokenizer`, `sqlite_*`.
const HEAVY: [&str; 61] = [
    "->",
    "->>",
    "bm25",
    "char",
    "concat",
    "concat_ws",
    "format",
    "glob",
    "hex",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_each",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_tree",
    "json_type",
    "json_valid",
    "jsonb",
    "jsonb_array",
    "jsonb_extract",
    "jsonb_group_array",
    "jsonb_group_object",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    "like",
    "ltrim",
    "match",
    "printf",
    "quote",
    "randomblob",
    "replace",
    "rtrim",
    "soundex",
    "strftime",
    "trim",
    "unhex",
    "zeroblob",
    "sqrt",
    "pow",
    "power",
    "exp",
    "ln",
    "log",
    "log10",
    "log2",
    "pi",
    "degrees",
    "radians",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_in_any_case() {
        assert!(!is_own_table("_RowHouse_migrations"));
        assert!(!is_own_table("SQLITE_master"));
        assert!(!is_own_table("pragma_table_info"));
        assert!(is_own_table("_rowhous"));
        assert!(is_own_table("article"));
    }

    #[test]
    fn the_dangerous_functions_are_on_no_list() {
        for name in [
            "json_patch",
            "jsonb_patch",
            "json_pretty",
            "highlight",
            "snippet",
            "load_extension",
            "edit",
            "fts3_tokenizer",
            "readfile",
            "writefile",
            "sqlite_rename_table",
            "sqlite_compileoption_get",
        ] {
            assert!(!is_function(name, false), "{name}");
        }
    }
}
