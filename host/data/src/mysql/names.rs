//! What belongs to a tenant on the server, by name. Every name is made from the tenant's id.
//!
//! Databases and users: `rh_` and the id as 26 characters of base 32; where tenants share a database the
//! users begin with `rp_`, so that a tenant that moves between two ways of isolation on one server has users
//! of its own in each. The user for migrations has `_m` behind: 31 characters, of which MySQL allows 32.
//!
//! Invariant: no name made here needs an escape within quotes, the shared database's own excepted.

use crate::guard::Prefix;
use rowhouse_base::id::TenantId;

/// The host's table in each tenant's database, by the name that guests may not use.
pub(super) const LEDGER: &str = "_rowhouse_migrations";

/// The host's table of counts, likewise.
pub(super) const VERSIONS: &str = "_rowhouse_versions";

/// Names that begin so belong to the host.
const RESERVED: &str = "_rowhouse_";

/// Digits of base 32 in an id.
const DIGITS: usize = 26;

const OWN: &str = "rh_";
const SHARED: &str = "rp_";

/// Where tenants' tables are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Each tenant has a database.
    Own,
    /// All tenants have this one.
    Shared(String),
}

/// One tenant's names.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The database that holds the tenant's tables.
    pub(super) database: String,
    /// The user that guests' statements run as.
    pub(super) guest: String,
    /// The user that migrations run as.
    pub(super) migrator: String,
    /// Before every table's name where tenants share a database.
    pub(super) prefix: Option<Prefix>,
}

impl Names {
    pub(super) fn of(place: &Place, id: TenantId) -> Self {
        let prefix = Prefix::of(id);
        let digits = prefix.as_str().get(1..=DIGITS).unwrap_or_default();
        match place {
            Place::Own => {
                let name = format!("{OWN}{digits}");
                Self { database: name.clone(), migrator: format!("{name}_m"), guest: name, prefix: None }
            }
            Place::Shared(database) => {
                let name = format!("{SHARED}{digits}");
                Self {
                    database: database.clone(),
                    migrator: format!("{name}_m"),
                    guest: name,
                    prefix: Some(prefix),
                }
            }
        }
    }

    /// The tenant whose own database this is.
    pub(super) fn tenant_of_database(database: &str) -> Option<TenantId> {
        let digits = database.strip_prefix(OWN)?;
        (digits.len() == DIGITS).then(|| Prefix::tenant(&format!("t{digits}_"))).flatten()
    }

    /// The table's name on the server.
    pub(super) fn physical(&self, own: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{}{own}", prefix.as_str()),
            None => own.to_owned(),
        }
    }

    /// The guest's name of a table on the server; none for the host's own and for other tenants'.
    pub(super) fn own<'a>(&self, physical: &'a str) -> Option<&'a str> {
        let own = match &self.prefix {
            Some(prefix) => physical.strip_prefix(prefix.as_str())?,
            None => physical,
        };
        (!own.starts_with(RESERVED)).then_some(own)
    }

    /// `database`.`table`, quoted.
    pub(super) fn qualified(&self, physical: &str) -> String {
        format!("{}.{}", quoted(&self.database), quoted(physical))
    }

    /// What a message of the server says to the guest: its own names, and nothing of where they are.
    pub(super) fn scrub(&self, message: &str) -> String {
        // The server quotes in either way, as the session's mode has it.
        let mut text = message
            .replace(&format!("{}.", quoted(&self.database)), "")
            .replace(&format!("\"{}\".", self.database), "")
            .replace(&format!("'{}.", self.database), "'")
            .replace(&format!("{}.", self.database), "");
        if let Some(prefix) = &self.prefix {
            text = text.replace(prefix.as_str(), "");
        }
        for user in [&self.migrator, &self.guest] {
            text = text.replace(user.as_str(), "…");
        }
        text
    }
}

/// A name between backticks.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A database's name where GRANT takes a pattern: `_` and `%` stand for themselves alone.
pub(super) fn quoted_pattern(name: &str) -> String {
    quoted(&name.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_read_back() {
        let id = TenantId::new();
        let own = Names::of(&Place::Own, id);
        assert_eq!(own.database, own.guest);
        assert_eq!((own.guest.len(), own.migrator.len()), (29, 31));
        assert_eq!(Names::tenant_of_database(&own.database), Some(id));
        for foreign in ["", "rh_", "mysql", "rp_00000000000000000000000000", &own.migrator] {
            assert_eq!(Names::tenant_of_database(foreign), None, "{foreign}");
        }
        let shared = Names::of(&Place::Shared("club".into()), id);
        assert_eq!(shared.database, "club");
        assert_ne!(shared.guest, own.guest);
        assert_eq!(shared.own(&shared.physical("article")), Some("article"));
        assert_eq!(shared.own(&shared.physical(LEDGER)), None);
        let neighbour = Names::of(&Place::Shared("club".into()), TenantId::new());
        assert_eq!(shared.own(&neighbour.physical("article")), None);
    }

    #[test]
    fn messages_name_what_the_guest_named() {
        let id = TenantId::new();
        for place in [Place::Own, Place::Shared("club".into())] {
            let names = Names::of(&place, id);
            let table = names.physical("article");
            let message = format!(
                "a foreign key constraint fails ({}, \"{}\".\"{table}_x\"), user '{}'@'%', '{}.{table}'",
                names.qualified(&table),
                names.database,
                names.guest,
                names.database,
            );
            assert_eq!(
                names.scrub(&message),
                "a foreign key constraint fails (`article`, \"article_x\"), user '…'@'%', 'article'"
            );
        }
    }

    #[test]
    fn patterns_match_one_name() {
        assert_eq!(quoted_pattern("rh_a%`"), "`rh\\_a\\%```");
    }
}
