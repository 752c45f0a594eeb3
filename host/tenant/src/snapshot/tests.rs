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
