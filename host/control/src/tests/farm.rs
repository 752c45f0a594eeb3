//! Two or three servers on one control database: what one changes the others have, whatever is lost on the way.

use crate::stub::{House, config, open_with};
use crate::tests::{Engine, TestDatabase, on, on_each_engine};
use crate::types::{CreateTenant, PatchTenant, StartRun};
use crate::{Control, ControlConfig, ControlError, ControlUrl, ShippedModule, SingleWish};
use rowhouse_base::Hostname;
use rowhouse_base::announce::{Announce, Sent};
use rowhouse_base::id::{ServerId, TenantId};
use rowhouse_base::secret::Secret;
use rowhouse_identity::{Scope, SignInError};
use rowhouse_tenant::Resolution;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Far more than anything here takes; a machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it is so.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn serves(control: &Control, name: &str) -> bool {
    control.directory.snapshot().by_name(name).is_some()
}

/// Hands hints to other servers at once, unless they are lost.
#[derive(Default)]
struct Wire {
    others: parking_lot::Mutex<Vec<Weak<Control>>>,
    lost: std::sync::atomic::AtomicBool,
    told: AtomicU64,
}

impl Announce for Wire {
    fn data_moved(&self, _tenant: TenantId) -> Sent<'_> {
        Box::pin(std::future::ready(()))
    }

    fn generation(&self, generation: u64) {
        self.told.fetch_max(generation, Ordering::SeqCst);
        if !self.lost.load(Ordering::SeqCst) {
            for other in self.others.lock().iter().filter_map(Weak::upgrade) {
                other.hint(generation);
            }
        }
    }

    fn is_hearing(&self) -> bool {
        true
    }

    fn is_alone(&self) -> bool {
        false
    }
}

/// Another server on the house's database, with this wire and this interval.
async fn joined(house: &House, wire: &Arc<Wire>, interval: Duration, name: &str) -> Arc<Control> {
    let saved = tempfile::tempdir().unwrap();
    let configured = ControlConfig {
        announce: Arc::clone(wire) as _,
        sync_interval: interval,
        server_name: name.to_owned(),
        ..config(house.url(), saved.path(), ServerId::new())
    };
    let control = open_with(configured, &house.rooms).await.unwrap();
    control.recover().await.unwrap();
    wire.others.lock().push(Arc::downgrade(&control));
    control
}

fn named(name: &str) -> CreateTenant {
    CreateTenant { name: name.into(), ..Default::default() }
}

/// A day is longer than any test: what comes sooner came by a hint.
const NEVER: Duration = Duration::from_secs(24 * 3600);

async fn servers_that_change_at_once_lose_nothing() {
    let house = House::new().await;
    house.push("1.0.0", "module 1").await;
    let (one, two, three) = (&house.control, &house.another().await, &house.another().await);
    let make = |control: &Arc<Control>, prefix: &str| {
        let (control, operator, prefix) = (Arc::clone(control), house.operator.clone(), prefix.to_owned());
        async move {
            for number in 0..6 {
                let name = format!("{prefix}-{number}");
                control.create_tenant(&operator, named(&name)).await.unwrap();
                let patch = PatchTenant { title: Some(format!("Title {name}")), ..Default::default() };
                control.patch_tenant(&operator, &name, patch).await.unwrap();
            }
        }
    };
    tokio::join!(make(one, "a"), make(two, "b"), make(three, "c"));
    for control in [one, two, three] {
        control.sync().await.unwrap();
        let snapshot = control.directory.snapshot();
        assert_eq!(snapshot.len(), 18);
        for tenant in snapshot.tenants() {
            assert_eq!(tenant.title, format!("Title {}", tenant.name));
        }
        assert_eq!(snapshot.generation(), one.store.generation().await.unwrap());
    }
}

async fn servers_that_start_at_once_make_one_first_user() {
    let database = TestDatabase::new().await;
    let saved = tempfile::tempdir().unwrap();
    let rooms = Arc::new(crate::stub::Rooms::default());
    let start = || async {
        let control = open_with(config(database.url(), saved.path(), ServerId::new()), &rooms).await.unwrap();
        let first = control.bootstrap(None).await.unwrap();
        control.recover().await.unwrap();
        (control, first)
    };
    // A file belongs to one server at a time: there they start one after the other.
    let started = if Engine::current() == Engine::Sqlite {
        [start().await, start().await, start().await]
    } else {
        let (one, two, three) = tokio::join!(start(), start(), start());
        [one, two, three]
    };
    let seen = started.iter().filter(|(_, first)| first.admin.is_some()).count();
    assert_eq!(seen, 1, "one password is shown once");
    for (control, first) in &started {
        if let Some(token) = &first.operator_token {
            assert!(control.identity().operator_by_token(token).await.unwrap().is_some());
        }
    }
}

async fn a_hint_is_enough_and_a_lost_one_is_made_good_by_the_timer() {
    let house = House::new().await;
    let (wire, mute) = (Arc::new(Wire::default()), Arc::new(Wire::default()));
    let teller = joined(&house, &wire, NEVER, "teller").await;
    let hearer = joined(&house, &wire, NEVER, "hearer").await;
    let looker = joined(&house, &mute, Duration::from_millis(50), "looker").await;
    let (_stop, ended) = watch::channel(false);
    hearer.start(ended.clone());
    teller.create_tenant(&house.operator, named("told")).await.unwrap();
    assert!(serves(&teller, "told"), "at once where it was made");
    until("a hint leads to a look", || async { serves(&hearer, "told") }).await;
    assert_eq!(wire.told.load(Ordering::SeqCst), teller.store.generation().await.unwrap());

    wire.lost.store(true, Ordering::SeqCst);
    teller.create_tenant(&house.operator, named("lost")).await.unwrap();
    looker.start(ended);
    until("the timer finds what no hint told", || async { serves(&looker, "lost") }).await;
    // The next hint brings everything since.
    wire.lost.store(false, Ordering::SeqCst);
    teller.create_tenant(&house.operator, named("next")).await.unwrap();
    until("a later hint", || async { serves(&hearer, "next") && serves(&hearer, "lost") }).await;
}

async fn another_server_finds_a_module_and_compiles_it_aside() {
    let house = House::new().await;
    let other = {
        let database = house.url();
        let saved = tempfile::tempdir().unwrap();
        // Rooms of its own: nothing is compiled there.
        let rooms = Arc::new(crate::stub::Rooms::default());
        let control = open_with(config(database, saved.path(), ServerId::new()), &rooms).await.unwrap();
        control.recover().await.unwrap();
        (control, rooms)
    };
    house.push("1.0.0", "module 1").await;
    let wanted = CreateTenant { release: Some("site@1.0.0".into()), ..named("club") };
    house.control.create_tenant(&house.operator, wanted).await.unwrap();
    let (control, rooms) = other;
    assert!(rooms.ready.lock().is_empty());
    control.sync().await.unwrap();
    let tenant = control.directory.snapshot().by_name("club").cloned().unwrap();
    let digest = tenant.release.as_ref().unwrap().digest;
    assert_eq!((rooms.called("prepare"), rooms.called(&format!("expect {digest}"))), (0, 1));
    control.reconciler.make_modules_ready().await;
    assert_eq!(rooms.called("prepare"), 1);
    assert!(rooms.ready.lock().contains(&digest), "the bytes came from the control database");
    control.sync().await.unwrap();
    // One that can't be made ready holds nobody up, and is tried again.
    rooms.fail(crate::stub::Fault::Prepare);
    house.push("2.0.0", "module 2").await;
    let wanted = CreateTenant { release: Some("site@2.0.0".into()), ..named("chess") };
    house.control.create_tenant(&house.operator, wanted).await.unwrap();
    control.sync().await.unwrap();
    assert!(serves(&control, "chess"));
    let applied = || control.directory.snapshot().generation();
    assert!(applied() < control.store.generation().await.unwrap(), "it is not in force yet");
    control.reconciler.make_modules_ready().await;
    control.sync().await.unwrap();
    assert_eq!(applied(), control.store.generation().await.unwrap());
    assert_eq!((rooms.ready.lock().len(), rooms.called("give-up")), (1, 1));
    rooms.mend();
    control.reconciler.make_modules_ready().await;
    assert_eq!(rooms.ready.lock().len(), 2);
}

async fn what_was_pushed_is_compiled_everywhere_before_a_tenant_is_moved_to_it() {
    let house = House::new().await;
    let rooms = Arc::new(crate::stub::Rooms::default());
    let saved = tempfile::tempdir().unwrap();
    let configured = ControlConfig {
        server_name: "slow".to_owned(),
        sync_interval: NEVER,
        ..config(house.url(), saved.path(), ServerId::new())
    };
    let slow = open_with(configured, &rooms).await.unwrap();
    slow.recover().await.unwrap();
    house.push("1.0.0", "module 1").await;
    house.create("club").await.unwrap();
    house.activate("site@1.0.0").await;
    for control in [&house.control, &slow] {
        control.sync().await.unwrap();
        control.set_serving();
        control.make_releases_ready().await.unwrap();
        control.beat().await.unwrap();
    }
    house.push("2.0.0", "module 1 upgrade").await;
    let is_ready = async || {
        let release = house.control.release(&house.operator, "site@2.0.0").await.unwrap();
        release.ready_on.contains(&"slow".to_owned())
    };
    assert!(!is_ready().await);
    let request = StartRun { release: "site@2.0.0".into(), tenants: None, default: None };
    let run = house.control.activate(&house.operator, request).await.unwrap();
    let state = async || house.control.run(&house.operator, &run.id).await.unwrap().state;
    until("the run is at work", || async { state().await == "running" }).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(house.release_of("club").as_deref(), Some("site@1.0.0"), "a server is not ready");
    slow.sync().await.unwrap();
    slow.make_releases_ready().await.unwrap();
    assert_eq!(rooms.called("prepare"), 2, "while its own tenants run the old release");
    slow.beat().await.unwrap();
    house.run_ended(&run.id).await;
    assert_eq!(house.release_of("club").as_deref(), Some("site@2.0.0"));
    assert!(is_ready().await);
}

async fn a_change_can_wait_until_every_server_has_it() {
    let house = House::new().await;
    let wire = Arc::new(Wire::default());
    let quick = joined(&house, &wire, Duration::from_millis(50), "quick").await;
    let slow = joined(&house, &Arc::new(Wire::default()), NEVER, "slow").await;
    let (_stop, ended) = watch::channel(false);
    quick.start(ended.clone());
    for control in [&quick, &slow, &house.control] {
        control.set_serving();
        control.beat().await.unwrap();
    }
    house.create("club").await.unwrap();
    house.control.beat().await.unwrap();
    slow.beat().await.unwrap();
    let applied = house.control.wait_applied(Duration::from_secs(1)).await.unwrap();
    assert!(applied.behind.contains(&"slow".to_owned()), "{applied:?}");
    slow.sync().await.unwrap();
    slow.beat().await.unwrap();
    let applied = house.control.wait_applied(PATIENCE).await.unwrap();
    assert_eq!(applied.behind, Vec::<String>::new());
    assert_eq!(applied.generation, house.control.store.generation().await.unwrap());
}

async fn a_server_is_told_to_leave_through_any_other() {
    let house = House::new().await;
    let wire = Arc::new(Wire::default());
    let target = joined(&house, &wire, NEVER, "target").await;
    let twins = [joined(&house, &wire, NEVER, "twin").await, joined(&house, &wire, NEVER, "twin").await];
    let (_stop, ended) = watch::channel(false);
    target.start(ended);
    target.set_serving();
    until("the target serves", || async {
        let servers = house.control.servers(&house.operator).await.unwrap();
        servers.items.iter().any(|server| server.name == "target" && server.state == "serving")
    })
    .await;
    let missing = house.control.drain_server(&house.operator, "nobody").await;
    assert!(matches!(missing, Err(ControlError::NotFound { .. })));
    let both = house.control.drain_server(&house.operator, "twin").await;
    assert!(matches!(both, Err(ControlError::Conflict(_))));
    // The target hears of it through the wire alone: it never looks by itself.
    twins[0].drain_server(&house.operator, "target").await.unwrap();
    tokio::time::timeout(PATIENCE, target.asked_to_leave()).await.unwrap();
    target.set_draining();
    target.leave().await;
    let left = house.control.servers(&house.operator).await.unwrap().items;
    assert!(left.iter().all(|server| server.name != "target"), "{left:?}");
    let trail = house.control.audit(&house.operator, &Default::default(), None).await.unwrap();
    assert_eq!(trail.items[0].action, "server.drain");
}

async fn a_server_that_fell_silent_is_forgotten_and_comes_back() {
    let house = House::new().await;
    let other = house.another().await;
    assert_eq!(house.control.servers(&house.operator).await.unwrap().items.len(), 2);
    assert_eq!(house.control.store.forget_servers(PATIENCE).await.unwrap(), 0);
    house.control.store.forget_servers(Duration::ZERO).await.unwrap();
    assert!(house.control.servers(&house.operator).await.unwrap().items.is_empty());
    other.beat().await.unwrap();
    let known = house.control.servers(&house.operator).await.unwrap().items;
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].id, other.config().server.to_string());
    assert_eq!((known[0].state.as_str(), known[0].is_this), ("starting", false));
    // A second process of the same server takes the place of the first.
    let again =
        open_with(config(house.url(), std::path::Path::new("."), other.config().server), &house.rooms);
    again.await.unwrap().recover().await.unwrap();
    assert_eq!(house.control.servers(&house.operator).await.unwrap().items.len(), 1);
}

async fn sign_ins_are_counted_once_for_the_farm() {
    let house = House::new().await;
    let user = crate::types::CreateUser {
        name: "boss".into(),
        super_user: Some(true),
        password: Some("correct horse".into()),
        ..Default::default()
    };
    house.control.create_user(&house.operator, user).await.unwrap();
    let other = house.another().await;
    let client = Some("192.0.2.7".parse().unwrap());
    let try_at = async |control: &Control, password: &str| {
        control.identity().sign_in(Scope::Console, "boss", Secret::from_text(password), client).await
    };
    // A success leaves nothing behind, on any server.
    for control in [&house.control, &other] {
        try_at(control, "wrong horse").await.unwrap_err();
        try_at(control, "correct horse").await.unwrap();
    }
    let most = house.control.config().sign_in_limits.per_name;
    for turn in 0..most {
        let control = if turn % 2 == 0 { &house.control } else { &other };
        assert!(matches!(try_at(control, "wrong horse").await, Err(SignInError::Denied)), "{turn}");
    }
    for control in [&house.control, &other] {
        assert!(matches!(try_at(control, "correct horse").await, Err(SignInError::TooMany(_))));
    }
    // Attempts at the same time are all counted.
    let third = house.another().await;
    let elsewhere = Some("192.0.2.8".parse().unwrap());
    let attempt = |control: &Arc<Control>| {
        let control = Arc::clone(control);
        async move {
            let identity = control.identity();
            identity.sign_in(Scope::Console, "nobody", Secret::from_text("x"), elsewhere).await
        }
    };
    let tries = (0..most).map(|turn| attempt([&house.control, &other, &third][turn as usize % 3]));
    for answer in futures_util::future::join_all(tries).await {
        assert!(matches!(answer, Err(SignInError::Denied | SignInError::Busy)), "{answer:?}");
    }
    assert!(matches!(attempt(&third).await, Err(SignInError::TooMany(_))));
    house.control.store.drop_old_sign_ins().await.unwrap();
    assert!(matches!(attempt(&other).await, Err(SignInError::TooMany(_))), "its window has not ended");
}

async fn a_starting_server_leaves_the_work_of_a_living_one_alone() {
    let house = House::new().await;
    house.control.beat().await.unwrap();
    house.rooms.hang_at("provision", 0);
    house.rooms.cut(house.create("club")).await;
    house.rooms.mend();
    let half = house.control.store.tenants_in(rowhouse_tenant::TenantState::Provisioning).await.unwrap();
    assert_eq!(half.len(), 1);
    // The first server lives: another one that starts does not finish what it has under way.
    let other = house.another().await;
    assert!(!serves(&other, "club"));
    // It is gone: the next one does.
    house.control.store.leave_server(house.control.config().server).await.unwrap();
    let third = house.another().await;
    assert!(serves(&third, "club"));
}

async fn an_unknown_host_is_looked_for_once() {
    let house = House::new().await;
    let other = house.another().await;
    house.create("club").await.unwrap();
    let shared = house.url().is_shared();
    let looks = (0..300).map(|_| other.look_again());
    futures_util::future::join_all(looks).await;
    // A file has one server, which knows of all its changes.
    assert_eq!(serves(&other, "club"), shared);
}

on_each_engine!(
    servers_that_change_at_once_lose_nothing,
    servers_that_start_at_once_make_one_first_user,
    a_hint_is_enough_and_a_lost_one_is_made_good_by_the_timer,
    another_server_finds_a_module_and_compiles_it_aside,
    what_was_pushed_is_compiled_everywhere_before_a_tenant_is_moved_to_it,
    a_change_can_wait_until_every_server_has_it,
    a_server_is_told_to_leave_through_any_other,
    a_server_that_fell_silent_is_forgotten_and_comes_back,
    sign_ins_are_counted_once_for_the_farm,
    a_starting_server_leaves_the_work_of_a_living_one_alone,
    an_unknown_host_is_looked_for_once,
);

/// A way to a database server that can be closed and opened.
struct Way {
    url: ControlUrl,
    open: watch::Sender<bool>,
}

impl Way {
    /// To the server of this engine, for the database of this name.
    async fn to(database: &TestDatabase) -> Self {
        let (text, name) = match database {
            TestDatabase::File(_) => unreachable!("a file has no way to it"),
            TestDatabase::Postgres(server, name) | TestDatabase::MySql(server, name) => (server, name),
        };
        let (scheme, rest) = text.split_once("://").unwrap();
        let authority = rest.split('/').next().unwrap();
        let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let place = place.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, opened) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let Ok((mut inside, _)) = listener.accept().await else { return };
                let (mut opened, place) = (opened.clone(), place.clone());
                tokio::spawn(async move {
                    if !*opened.borrow() {
                        return;
                    }
                    let Ok(mut outside) = TcpStream::connect(place).await else { return };
                    tokio::select! {
                        _closed = opened.wait_for(|open| !open) => {}
                        _ended = copy_bidirectional(&mut inside, &mut outside) => {}
                    }
                });
            }
        });
        let url = format!("{scheme}://{user}@127.0.0.1:{port}/{name}");
        Self { url: ControlUrl::parse(&url).unwrap(), open }
    }
}

async fn a_server_starts_from_its_last_snapshot_and_catches_up() {
    let database = TestDatabase::new().await;
    let way = Way::to(&database).await;
    let saved = tempfile::tempdir().unwrap();
    let rooms = Arc::new(crate::stub::Rooms::default());
    let server = ServerId::new();
    let configured = || ControlConfig {
        kept_snapshot: Some(saved.path().join("kept.snapshot")),
        sync_interval: Duration::from_millis(50),
        ..config(way.url.clone(), saved.path(), server)
    };
    // Nothing was kept: it can't start.
    way.open.send_replace(false);
    open_with(configured(), &rooms).await.unwrap_err();
    way.open.send_replace(true);
    let control = open_with(configured(), &rooms).await.unwrap();
    let first = control.bootstrap(None).await.unwrap();
    control.recover().await.unwrap();
    let token = first.operator_token.unwrap();
    let operator = control.identity().operator_by_token(&token).await.unwrap().unwrap();
    let (stop, ended) = watch::channel(false);
    control.start(ended);
    control.create_tenant(&operator, named("club")).await.unwrap();
    stop.send_replace(true);
    let file = saved.path().join("kept.snapshot");
    until("the snapshot is on disk", || async {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"club\""))
    })
    .await;
    assert!(!std::fs::read_to_string(&file).unwrap().contains(token.reveal()));

    way.open.send_replace(false);
    let control = open_with(configured(), &rooms).await.unwrap();
    control.bootstrap(None).await.unwrap();
    control.recover().await.unwrap();
    assert!(serves(&control, "club"), "sites are served");
    let refused = control.create_tenant(&operator, named("other")).await.unwrap_err();
    let problem = crate::api::Problem::from(refused);
    assert_eq!(problem.status, 503, "{problem:?}");
    let cookie = format!("rowhouse_session={}", Secret::token().reveal());
    control.identity().session(Scope::Console, &cookie).await.unwrap_err();
    control.identity().is_reachable().await.unwrap_err();
    let (_stop, ended) = watch::channel(false);
    control.start(ended);

    // Another server goes on meanwhile.
    let elsewhere = config(database.url(), saved.path(), ServerId::new());
    let other = open_with(elsewhere, &rooms).await.unwrap();
    other.recover().await.unwrap();
    other.create_tenant(&operator, named("later")).await.unwrap();
    assert!(!serves(&control, "later"));
    way.open.send_replace(true);
    until("it catches up", || async { serves(&control, "later") }).await;
    control.create_tenant(&operator, named("other")).await.unwrap();
    until("the start is finished", || async {
        let servers = other.servers(&operator).await.unwrap().items;
        servers.iter().any(|known| known.id == server.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_server_starts_from_its_last_snapshot_and_catches_up_on_postgresql() {
    on(Engine::Postgres, a_server_starts_from_its_last_snapshot_and_catches_up()).await;
}

#[tokio::test]
async fn a_server_starts_from_its_last_snapshot_and_catches_up_on_mysql() {
    on(Engine::MySql, a_server_starts_from_its_last_snapshot_and_catches_up()).await;
}

async fn a_single_site_is_served_from_the_last_snapshot() {
    let database = TestDatabase::new().await;
    let way = Way::to(&database).await;
    let (saved, rooms) = (tempfile::tempdir().unwrap(), Arc::new(crate::stub::Rooms::default()));
    let (server, file) = (ServerId::new(), saved.path().join("kept.snapshot"));
    let open = async || {
        let configured = ControlConfig {
            kept_snapshot: Some(file.clone()),
            sync_interval: Duration::from_millis(50),
            ..config(way.url.clone(), saved.path(), server)
        };
        let control = open_with(configured, &rooms).await.unwrap();
        let release = "site@0.1.0".parse().unwrap();
        let shipped = ShippedModule { release, bytes: "module 1".to_owned().into_bytes().into() };
        let first = control.bootstrap(Some(&shipped)).await.unwrap();
        control.recover().await.unwrap();
        (control, first)
    };
    let (control, first) = open().await;
    assert!(control.single_site(&SingleWish::default()).await.unwrap().made);
    let operator = control.identity().operator_by_token(&first.operator_token.unwrap()).await;
    let (stop, ended) = watch::channel(false);
    control.start(ended);
    control.create_tenant(&operator.unwrap().unwrap(), named("other")).await.unwrap();
    stop.send_replace(true);
    until("the snapshot is on disk", || async {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"other\""))
    })
    .await;

    way.open.send_replace(false);
    let (control, _nothing) = open().await;
    let site = control.single_site(&SingleWish::default()).await.unwrap();
    assert_eq!((site.name.as_str(), site.made), ("main", false));
    let host = Hostname::parse("localhost").unwrap();
    let found = control.directory.with(|all| all.resolve(&host, "/"));
    assert!(matches!(&found, Resolution::Host(tenant) if tenant.name.as_str() == "main"), "{found:?}");
}

#[tokio::test]
async fn a_single_site_is_served_from_the_last_snapshot_on_postgresql() {
    on(Engine::Postgres, a_single_site_is_served_from_the_last_snapshot()).await;
}

#[tokio::test]
async fn a_single_site_is_served_from_the_last_snapshot_on_mysql() {
    on(Engine::MySql, a_single_site_is_served_from_the_last_snapshot()).await;
}
