//! What more is refused where tenants share a file: every name that is not the tenant's own.
//!
//! It only takes away from what the allow-list gives. It holds even where the guard's rewriting is wrong or
//! missing, save for what the engine doesn't ask about (the new name in `ALTER TABLE … RENAME TO`, the
//! target of a foreign key, the text of a view), which is looked up in the schema before a migration
//! commits.

use super::starts_with;
use crate::guard::Prefix;
use rusqlite::hooks::{AuthAction, AuthContext};

/// Table-valued functions, which the engine names like tables.
const FUNCTIONS: [&str; 2] = ["json_each", "json_tree"];

/// What the engine itself reads and writes when a schema changes. The statements of a migration that
/// change rows are compiled as a guest's, to whom the allow-list gives none of these.
const SCHEMA: [&str; 6] = [
    "sqlite_master",
    "sqlite_temp_master",
    "sqlite_sequence",
    "sqlite_stat1",
    "sqlite_stat4",
    "pragma_quick_check",
];

/// True where an action stays within the tenant's own tables. `creates` says that the statement makes a
/// table: then it may not fill it from a query, which could read the schema as the engine does.
pub(super) fn is_within(prefix: &Prefix, context: &AuthContext<'_>, creates: bool) -> bool {
    let own = |name: &str| starts_with(name, prefix.as_str());
    // The view, or the name of WITH, through which something is reached.
    if context.accessor.is_some_and(|name| !own(name)) {
        return false;
    }
    match context.action {
        AuthAction::Select => !creates,
        AuthAction::Recursive | AuthAction::Function { .. } | AuthAction::Pragma { .. } => true,
        AuthAction::Read { table_name, .. } => {
            own(table_name) || FUNCTIONS.contains(&table_name) || SCHEMA.contains(&table_name)
        }
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name } => own(table_name) || SCHEMA.contains(&table_name),
        AuthAction::CreateTable { table_name } => own(table_name) || table_name == "sqlite_sequence",
        AuthAction::DropTable { table_name } | AuthAction::AlterTable { table_name, .. } => own(table_name),
        AuthAction::CreateIndex { index_name, table_name }
        | AuthAction::DropIndex { index_name, table_name } => {
            let made = index_name.strip_prefix("sqlite_autoindex_").unwrap_or(index_name);
            own(table_name) && own(made)
        }
        AuthAction::CreateView { view_name } | AuthAction::DropView { view_name } => own(view_name),
        AuthAction::Reindex { index_name } => own(index_name),
        // Triggers and virtual tables among them: the guard knows neither.
        _ => false,
    }
}
