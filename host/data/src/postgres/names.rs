//! What a tenant's database, roles and ledger are called on the server.
//!
//! Every name is made from the tenant's id and from nothing a person chose: a neighbour who lists the
//! server's databases learns no name of a site. They hold lower-case letters, digits and `_` only, so none
//! needs quoting. Invariant: a name leads back to the one id it was made from.

use crate::Isolation;
use crate::guard::Prefix;
use rowhouse_base::Digest;
use rowhouse_base::id::TenantId;

/// The schema of tenants' tables in either isolation. Only the host may create in it, and owners.
pub(super) const SCHEMA: &str = "rowhouse";

/// The name of the ledger, behind the tenant's prefix where there is one.
const LEDGER: &str = "rowhouse_migrations";

/// The name of the table of counts, likewise.
const VERSIONS: &str = "rowhouse_versions";

/// How databases made ahead begin. No tenant's name reads so.
pub(super) const SPARE: &str = "rh_spare_";

/// How names are made on one server.
#[derive(Clone, Debug)]
pub(super) struct Names {
    isolation: Isolation,
    /// What roles begin with. Where tenants share a database it tells which one: roles belong to the
    /// whole server, and a tenant may be moved from one database of it to another.
    scope: String,
    /// The database that the host's own connections use.
    pub(super) main: String,
}

/// The names of one tenant.
#[derive(Clone, Debug)]
pub(super) struct TenantNames {
    /// The role of guests' statements.
    pub(super) guest: String,
    /// The role that owns the tables.
    pub(super) owner: String,
    /// Where the tables are.
    pub(super) database: String,
    /// The table of applied migrations.
    pub(super) ledger: String,
    /// The table of counts of what was changed.
    versions: String,
    /// Before each of the tenant's tables, where tenants share a database.
    pub(super) prefix: Option<Prefix>,
    /// What its roles are members of there.
    pub(super) groups: Option<Groups>,
}

/// Roles that nobody logs in as: their members may enter the shared database and use its schema.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    pub(super) guests: String,
    /// These may create tables too.
    pub(super) owners: String,
}

impl Names {
    pub(super) fn new(isolation: Isolation, main: String) -> Self {
        let scope = match isolation {
            Isolation::Database => "rh_".to_owned(),
            Isolation::Prefix => format!("rh{}_", Digest::of(main.as_bytes()).short()),
        };
        Self { isolation, scope, main }
    }

    /// True where tenants share a database.
    pub(super) fn shared(&self) -> bool {
        self.isolation == Isolation::Prefix
    }

    /// The groups of tenants' roles, where tenants share a database.
    pub(super) fn groups(&self) -> Option<Groups> {
        let named = |group| format!("{}{group}", self.scope);
        self.shared().then(|| Groups { guests: named("guests"), owners: named("owners") })
    }

    pub(super) fn of(&self, id: TenantId) -> TenantNames {
        let prefix = Prefix::of(id);
        let opaque = prefix.as_str().trim_start_matches('t').trim_end_matches('_');
        let guest = format!("{}{opaque}", self.scope);
        let owner = format!("{guest}_o");
        if self.shared() {
            let (database, ledger) = (self.main.clone(), format!("{prefix}{LEDGER}"));
            let versions = format!("{prefix}{VERSIONS}");
            let groups = self.groups();
            TenantNames { guest, owner, database, ledger, versions, prefix: Some(prefix), groups }
        } else {
            let (ledger, versions) = (format!("_{LEDGER}"), format!("_{VERSIONS}"));
            let database = guest.clone();
            TenantNames { database, guest, owner, ledger, versions, prefix: None, groups: None }
        }
    }

    /// The tenant that a database or a role belongs to; none where it is no tenant's.
    pub(super) fn tenant(&self, name: &str) -> Option<TenantId> {
        let opaque = name.strip_prefix(&self.scope)?;
        let opaque = opaque.strip_suffix("_o").unwrap_or(opaque);
        Prefix::tenant(&format!("t{opaque}_")).filter(|_id| opaque.len() == 26)
    }
}

impl TenantNames {
    /// The ledger with its schema.
    pub(super) fn ledger(&self) -> String {
        format!("{SCHEMA}.{}", self.ledger)
    }

    /// The table of counts with its schema.
    pub(super) fn versions(&self) -> String {
        format!("{SCHEMA}.{}", self.versions)
    }

    /// A table's name as the guest knows it.
    pub(super) fn own<'a>(&self, physical: &'a str) -> &'a str {
        let stripped = self.prefix.as_ref().and_then(|prefix| physical.strip_prefix(prefix.as_str()));
        stripped.unwrap_or(physical)
    }

    /// A table's name on the server.
    pub(super) fn physical(&self, own: &str) -> String {
        self.prefix.as_ref().map_or_else(|| own.to_owned(), |prefix| format!("{prefix}{own}"))
    }
}

/// A name between the engine's marks.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_tenant_and_server() {
        let databases = Names::new(Isolation::Database, "postgres".into());
        let shared = Names::new(Isolation::Prefix, "sites".into());
        let elsewhere = Names::new(Isolation::Prefix, "others".into());
        for _ in 0..100 {
            let id = TenantId::new();
            for names in [&databases, &shared, &elsewhere] {
                let own = names.of(id);
                assert!(own.owner.len() < 63);
                for name in [&own.guest, &own.owner] {
                    let found: Vec<_> =
                        [&databases, &shared, &elsewhere].iter().filter_map(|one| one.tenant(name)).collect();
                    assert_eq!(found, [id], "{name}");
                }
            }
        }
        for name in ["postgres", "rh_", "rh_o", "rh_spare_00000000000000000000000000", "rh_migrations", SPARE]
        {
            assert_eq!(databases.tenant(name), None, "{name}");
        }
    }

    #[test]
    fn tables_have_two_names() {
        let own = Names::new(Isolation::Prefix, "sites".into()).of(TenantId::new());
        assert_eq!(own.own(&own.physical("page")), "page");
        assert_eq!(own.own("page"), "page");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
