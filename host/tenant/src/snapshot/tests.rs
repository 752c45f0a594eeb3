//! Resolution order, and that a change leaves no trace of what it replaced.

use super::*;
use crate::TenantState;
use proptest::prelude::*;
use rowhouse_base::{DataServerName, Limits};

fn base() -> BaseAddress {
    BaseAddress {
        domain: Hostname::parse("rows.example").unwrap(),
        aliases: vec![Hostname::parse("127.0.0.1").unwrap()],
    }
}

fn tenant(id: TenantId, name: &str, addresses: &[&str], state: TenantState) -> Arc<Tenant> {
    Arc::new(Tenant {
        id,
        name: TenantName::parse(name).unwrap(),
        title: name.to_owned(),
        state,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        url_prefix: true,
        settings: Default::default(),
        outbound: vec![],
        locale: "en".into(),
        time_zone: "UTC".into(),
        release: None,
        data_server: DataServerName::local(),
        revision: 1,
        limits: Arc::new(Limits::default()),
    })
}

fn found(snapshot: &Snapshot, host: &str, path: &str) -> String {
    match snapshot.resolve(&Hostname::parse(host).unwrap(), path) {
        Resolution::Host(tenant) => format!("host {}", tenant.name),
        Resolution::Prefix(tenant) => format!("prefix {}", tenant.name),
        Resolution::Console => "console".into(),
        Resolution::UnknownHost => "unknown".into(),
    }
}

#[test]
fn resolves_in_the_documented_order() {
    let active = TenantState::Active;
    let snapshot = Snapshot::empty(base()).with_changes(
        1,
        [
            tenant(TenantId::new(), "alpha", &["alpha.example", "beta.rows.example"], active),
            tenant(TenantId::new(), "beta", &["*.rows.example", "*.alpha.example"], active),
            tenant(TenantId::new(), "gone", &["gone.example"], TenantState::Trashed),
        ],
        [],
    );
    for (host, path, expected) in [
        ("alpha.example", "/beta/", "host alpha"),
        // An exact host wins over NAME.base-domain, which wins over a wildcard.
        ("beta.rows.example", "/", "host alpha"),
        ("alpha.rows.example", "/", "host alpha"),
        ("other.rows.example", "/", "host beta"),
        ("x.alpha.example", "/", "host beta"),
        ("x.y.alpha.example", "/", "unknown"),
        ("rows.example", "/alpha/x", "prefix alpha"),
        ("127.0.0.1", "/ALPHA", "prefix alpha"),
        ("rows.example", "/alphabet", "console"),
        ("rows.example", "/", "console"),
        ("rows.example", "/gone/", "console"),
        ("gone.example", "/", "unknown"),
        ("strange.example", "/alpha/", "unknown"),
    ] {
        assert_eq!(found(&snapshot, host, path), expected, "{host}{path}");
    }
}

#[test]
fn on_a_server_of_a_single_site_the_base_host_is_that_site_but_for_the_console() {
    let (home, state) = (TenantId::new(), TenantState::Active);
    let many = Snapshot::empty(base()).with_changes(
        1,
        [
            tenant(home, "home", &["club.example", "rows.example"], state),
            tenant(TenantId::new(), "other", &["other.example", "*.other.example"], state),
        ],
        [],
    );
    let single = many.leading_to(TenantName::parse("home").unwrap());
    for (host, path, expected) in [
        ("rows.example", "/", "host home"),
        ("127.0.0.1", "/news?page=2", "host home"),
        // No url-prefixes: these are pages that the site may have.
        ("rows.example", "/home/", "host home"),
        ("rows.example", "/other/x", "host home"),
        ("rows.example", "/-/sign-in", "host home"),
        ("rows.example", "/-/readyz", "host home"),
        ("rows.example", "/-/consoles", "host home"),
        ("rows.example", "/x/-/console", "host home"),
        ("rows.example", "/-/console", "console"),
        ("rows.example", "/-/console/sign-in", "console"),
        ("rows.example", "/-/api/v1/status", "console"),
        ("rows.example", "/-/metrics", "console"),
        // Its own hosts lead to the site, and nothing else there.
        ("home.rows.example", "/-/console", "host home"),
        ("club.example", "/-/api/v1/status", "host home"),
        ("other.rows.example", "/", "host other"),
        ("x.other.example", "/", "host other"),
        ("strange.example", "/", "unknown"),
        ("strange.rows.example", "/", "unknown"),
    ] {
        assert_eq!(found(&single, host, path), expected, "{host}{path}");
    }
    assert_eq!(single.single().map(|tenant| tenant.id), Some(home));
    // Nothing of it is in the tenants: the same without it is a server of many.
    assert_eq!(found(&many, "127.0.0.1", "/home/"), "prefix home");
    assert_eq!(found(&many, "127.0.0.1", "/"), "console");
    assert_eq!(found(&many, "rows.example", "/-/console"), "host home", "an address of its own");
}

#[test]
fn a_single_site_that_is_gone_leaves_the_console_and_comes_back_with_its_name() {
    let (old, new) = (TenantId::new(), TenantId::new());
    let named = Snapshot::empty(base()).leading_to(TenantName::parse("home").unwrap());
    assert_eq!(found(&named, "rows.example", "/"), "console");
    let first = named.with_changes(1, [tenant(old, "home", &[], TenantState::Suspended)], []);
    assert_eq!(found(&first, "rows.example", "/"), "host home");
    let second = first.with_changes(2, [tenant(old, "home", &[], TenantState::Trashed)], []);
    assert_eq!(found(&second, "rows.example", "/"), "console");
    assert!(second.single().is_none());
    let third = second.with_changes(3, [tenant(new, "home", &[], TenantState::Active)], [old]);
    assert_eq!(third.single().map(|tenant| tenant.id), Some(new));
    // A reload of everything is of the same server.
    let again = third.emptied();
    assert!(again.is_empty() && again.generation() == 0 && *again.base() == base());
    let again = again.with_changes(3, [tenant(new, "home", &[], TenantState::Active)], []);
    assert_eq!(found(&again, "rows.example", "/"), "host home");
}

#[test]
fn a_freed_name_leads_to_its_new_holder_only() {
    let (old, new) = (TenantId::new(), TenantId::new());
    let first = Snapshot::empty(base()).with_changes(
        1,
        [tenant(old, "club", &["c.example"], TenantState::Active)],
        [],
    );
    let second = first.with_changes(
        2,
        [
            tenant(new, "club", &[], TenantState::Active),
            tenant(old, "club", &["c.example"], TenantState::Deleting),
        ],
        [],
    );
    assert_eq!(second.by_name("club").map(|t| t.id), Some(new));
    assert_eq!(found(&second, "c.example", "/"), "unknown");
    let third = second.with_changes(3, [], [old]);
    assert_eq!(third.by_name("club").map(|t| t.id), Some(new));
    assert!(third.by_id(old).is_none());
}

proptest! {
    /// Whatever the order of changes, a snapshot built step by step resolves like one built at once.
    #[test]
    fn increments_equal_the_whole(steps in prop::collection::vec((0usize..4, 0usize..4, any::<bool>()), 1..40)) {
        let ids: Vec<TenantId> = (0..4).map(|_| TenantId::new()).collect();
        let names = ["alpha", "beta", "gamma", "delta"];
        let mut last: std::collections::HashMap<TenantId, Arc<Tenant>> = Default::default();
        let mut grown = Snapshot::empty(base());
        for (generation, (who, called, active)) in steps.into_iter().enumerate() {
            let taken = last.values().any(|t| t.id != ids[who] && t.name.as_str() == names[called] && t.state.has_address());
            if taken {
                continue;
            }
            let state = if active { TenantState::Active } else { TenantState::Trashed };
            let next = tenant(ids[who], names[called], &[], state);
            last.insert(ids[who], Arc::clone(&next));
            grown = grown.with_changes(generation as u64 + 1, [next], []);
        }
        let whole = Snapshot::empty(base()).with_changes(1, last.values().cloned(), []);
        for name in names {
            prop_assert_eq!(grown.by_name(name).map(|t| t.id), whole.by_name(name).map(|t| t.id));
        }
        prop_assert_eq!(grown.len(), whole.len());
    }
}
