//! The store on each engine: opening it, the order of changes, what can't be kept, and connections that end.

use crate::ports::Migration;
use crate::store::{ReleaseRow, Store, TenantRow};
use crate::stub::House;
use crate::tests::{Engine, TestDatabase, on_each_engine};
use crate::{ControlUrl, DatabaseError};
use futures_util::future::join_all;
use rowhouse_base::id::{TenantId, UserId};
use rowhouse_base::{Digest, TenantName, Timestamp};
use rowhouse_identity::{IdentityStore as _, NewSession, PasswordHash, Scope, User, UserName};
use rowhouse_tenant::TenantState;
use std::collections::BTreeSet;

/// As many connections as the default, so that changes wait for one another as they do in service.
const CONNECTIONS: u32 = 8;

async fn open(database: &TestDatabase) -> Store {
    Store::open(&database.url(), CONNECTIONS, crate::stub::alone()).await.unwrap()
}

fn tenant(name: &str) -> TenantRow {
    TenantRow {
        id: TenantId::new(),
        name: TenantName::parse(name).unwrap(),
        title: name.to_owned(),
        state: TenantState::Active,
        addresses: vec![],
        url_prefix: true,
        settings: [].into(),
        outbound: vec![],
        locale: "en".into(),
        time_zone: "UTC".into(),
        release: None,
        previous_release: None,
        schema_version: 0,
        fingerprint: None,
        created_at: Timestamp::now(),
        trash_until: None,
        data_server: rowhouse_base::DataServerName::local(),
        operation: None,
        revision: 0,
    }
}

fn user(name: &str) -> User {
    User {
        id: UserId::new(),
        name: UserName::parse(name).unwrap(),
        email: None,
        super_user: false,
        disabled: false,
        must_change_password: false,
        created_at: Timestamp::now(),
    }
}

fn password() -> PasswordHash {
    PasswordHash::from_stored("no hash".to_owned())
}

async fn add(store: &Store, mut row: TenantRow) -> u64 {
    let mut change = store.change().await.unwrap();
    change.add_tenant(&mut row).await.unwrap();
    change.commit().await.unwrap();
    row.revision
}

async fn servers_that_start_at_once_make_one_database() {
    let database = TestDatabase::new().await;
    let opened = join_all((0..3).map(|_| open(&database))).await;
    for (number, store) in opened.iter().enumerate() {
        assert_eq!(add(store, tenant(&format!("club-{number}"))).await, number as u64 + 1);
    }
    assert_eq!(open(&database).await.news(0).await.unwrap().changed.len(), opened.len());
}

/// Each change adds one tenant, so whoever reads generation g must find g tenants, of the revisions 1 to g.
async fn a_generation_brings_everything_before_it_and_nothing_after() {
    const EACH: u64 = 15;
    let database = TestDatabase::new().await;
    let (one, two) = (open(&database).await, open(&database).await);
    let writers = [(&one, "a"), (&one, "b"), (&two, "c"), (&two, "d")];
    let all = EACH * writers.len() as u64;
    let write = join_all(writers.map(|(store, name)| async move {
        let mut revisions = Vec::new();
        for number in 0..EACH {
            revisions.push(add(store, tenant(&format!("{name}-{number}"))).await);
        }
        assert!(revisions.is_sorted(), "one after the other");
        revisions
    }));
    let read = join_all([&one, &two].map(|store| async move {
        let mut seen = BTreeSet::new();
        let mut applied = 0;
        while applied < all {
            let news = store.news(applied).await.unwrap();
            assert!(news.generation >= applied, "time goes on");
            assert!(news.changed.iter().all(|row| row.revision > applied), "only what is new");
            seen.extend(news.changed.iter().map(|row| row.revision));
            applied = news.generation;
            assert!(seen.iter().copied().eq(1..=applied), "{applied}: {seen:?}");
            tokio::task::yield_now().await;
        }
    }));
    let (written, _) = tokio::join!(write, read);
    let mut revisions = written.concat();
    revisions.sort_unstable();
    assert!(revisions.into_iter().eq(1..=all), "none is lost and none given twice");
}

async fn what_failed_or_was_let_go_leaves_nothing() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let mut change = store.change().await.unwrap();
    change.add_user(&user("ada"), &password()).await.unwrap();
    change.commit().await.unwrap();
    let before = store.generation().await.unwrap();

    let mut change = store.change().await.unwrap();
    change.set("colour", Some("red")).await.unwrap();
    let error = change.add_user(&user("ada"), &password()).await.unwrap_err();
    assert!(error.is_duplicate() && !error.is_transient(), "{error:?}");
    assert!(matches!(change.commit().await, Err(DatabaseError::Failed)));

    let mut change = store.change().await.unwrap();
    change.set("colour", Some("blue")).await.unwrap();
    drop(change);
    assert_eq!(store.setting("colour").await.unwrap(), None);
    assert_eq!(store.generation().await.unwrap(), before);
}

/// What others cut off or refuse: 64 KiB of text, 16 MiB in one statement, the character NUL, other alphabets.
async fn large_and_odd_values_come_back() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let mut row = tenant("club");
    row.title = "Zürich 東京 🎻".to_owned();
    row.settings = (0..20).map(|n| (format!("key-{n}"), "ä".repeat(8 << 10))).collect();
    let mut change = store.change().await.unwrap();
    change.add_tenant(&mut row).await.unwrap();
    change.audit("server", "test", &row, "before\0after").await.unwrap();
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let migration = Migration {
        version: 1,
        name: "step".into(),
        sqlite: vec!["-- 'quoted' \\ back".repeat(10_000)],
        postgresql: vec![],
        mysql: vec![],
    };
    let release = ReleaseRow {
        name: "site@1.0.0".parse().unwrap(),
        digest: Digest::of(&bytes),
        size: bytes.len() as u64,
        lane: "fast".into(),
        exports: vec![],
        imports: vec![],
        migrations: vec![migration],
        fingerprint: Digest::of(b""),
        has_upgrade: true,
        reuse: None,
        pushed_at: Timestamp::now(),
    };
    change.add_release(&release, bytes.clone()).await.unwrap();
    change.commit().await.unwrap();

    let found = store.tenant_by_id(row.id).await.unwrap().unwrap();
    assert_eq!((found.title, found.settings), (row.title, row.settings));
    assert_eq!(store.release(&release.name).await.unwrap().unwrap().migrations, release.migrations);
    assert!(store.bytes(&release.digest).await.unwrap().unwrap() == bytes);
    let trail = store.audit_page("club", "", 10).await.unwrap();
    assert!(trail[0].detail.starts_with("before") && trail[0].detail.ends_with("after"));
    assert!(store.user(&UserName::parse("nobody").unwrap()).await.unwrap().is_none());
    assert!(store.users_page("\0", "\0", 10).await.unwrap().is_empty());
}

/// Keys are compared by their bytes, whatever collation the server has.
async fn names_are_ordered_by_bytes() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let mut names = ["b", "a-b", "ab", "a0", "a-0", "ab-c", "abc"].map(|name| format!("x{name}"));
    let mut change = store.change().await.unwrap();
    for name in &names {
        change.add_user(&user(name), &password()).await.unwrap();
    }
    change.commit().await.unwrap();
    names.sort_unstable();
    let page = store.users_page("", "", 10).await.unwrap();
    assert!(page.iter().map(|user| user.name.as_str()).eq(names.iter().map(String::as_str)));
    let rest = store.users_page("", &names[2], 10).await.unwrap();
    assert_eq!(rest.len(), names.len() - 3);
    assert_eq!(store.users_page("XA-", "", 10).await.unwrap().len(), 2);
}

async fn a_server_started_anew_costs_a_change_and_no_more() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let mut change = store.change().await.unwrap();
    change.set("colour", Some("red")).await.unwrap();
    let ended = database.end_connections().await;
    assert_eq!(ended > 0, Engine::current() != Engine::Sqlite);
    if ended > 0 {
        let error = change.set("colour", Some("blue")).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    } else {
        drop(change);
    }
    assert_eq!(store.setting("colour").await.unwrap(), None);
    // At once, with connections that the pool does not know to be dead.
    database.end_connections().await;
    let mut change = store.change().await.unwrap();
    change.set("colour", Some("green")).await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(store.setting("colour").await.unwrap().as_deref(), Some("green"));
}

/// A commit that nobody answered is told apart from one that failed, and never repeated.
async fn a_commit_without_an_answer_is_unknown() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let mut change = store.change().await.unwrap();
    change.set("colour", Some("red")).await.unwrap();
    if database.end_connections().await > 0 {
        let error = change.commit().await.unwrap_err();
        assert!(matches!(error, DatabaseError::Unknown(_)), "{error:?}");
        assert!(!error.is_transient());
    }
    assert_eq!(store.setting("colour").await.unwrap(), None);
}

/// Signing in takes rows in the reverse order of a change that ends sessions.
async fn sign_ins_and_changes_of_one_user_do_not_fail() {
    let database = TestDatabase::new().await;
    let (one, two) = (open(&database).await, open(&database).await);
    let ada = user("ada");
    let mut change = one.change().await.unwrap();
    change.add_user(&ada, &password()).await.unwrap();
    change.commit().await.unwrap();
    let revoke = async {
        for _ in 0..20 {
            let mut change = one.change().await.unwrap();
            change.put_user(&ada).await.unwrap();
            change.remove_sessions(ada.id, None).await.unwrap();
            change.commit().await.unwrap();
        }
    };
    let enter = |store: Store| async move {
        for _ in 0..20 {
            let at = Timestamp::now();
            let digest = Digest::of(TenantId::new().to_string().as_bytes());
            let session = NewSession {
                digest,
                user: ada.id,
                scope: Scope::Console,
                created_at: at,
                idle_until: at,
                expires_at: at,
            };
            store.add_session(session).await.unwrap();
            store.touch_session(digest, at).await.unwrap();
        }
    };
    tokio::join!(revoke, enter(one.clone()), enter(two.clone()), enter(two.clone()));
    two.drop_old_sessions(Timestamp::now()).await.unwrap();
}

async fn reading_goes_on_while_changes_wait() {
    let house = House::new().await;
    let store = &house.control.store;
    let mut first = store.change().await.unwrap();
    first.set("colour", Some("red")).await.unwrap();
    let others = join_all((0..10).map(|number| async move {
        let mut change = store.change().await.unwrap();
        change.set(&format!("key-{number}"), Some("value")).await.unwrap();
        change.commit().await.unwrap();
    }));
    let read = async {
        for _ in 0..20 {
            assert_eq!(store.setting("colour").await.unwrap(), None, "not before the commit");
            tokio::task::yield_now().await;
        }
        first.commit().await.unwrap();
    };
    tokio::join!(others, read);
    assert_eq!(store.setting("colour").await.unwrap().as_deref(), Some("red"));
}

/// Something listens, and nobody answers.
#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let open = |scheme: &str| {
        let url = ControlUrl::parse(&format!("{scheme}://ada:hunter2@{address}/control")).unwrap();
        async move { Store::open(&url, CONNECTIONS, crate::stub::alone()).await.unwrap_err() }
    };
    let (one, two) = tokio::join!(open("postgres"), open("mysql"));
    for error in [one, two] {
        assert!(error.is_transient(), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}

on_each_engine!(
    servers_that_start_at_once_make_one_database,
    a_generation_brings_everything_before_it_and_nothing_after,
    what_failed_or_was_let_go_leaves_nothing,
    large_and_odd_values_come_back,
    names_are_ordered_by_bytes,
    a_server_started_anew_costs_a_change_and_no_more,
    a_commit_without_an_answer_is_unknown,
    sign_ins_and_changes_of_one_user_do_not_fail,
    reading_goes_on_while_changes_wait,
);
