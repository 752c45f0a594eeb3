//! Signing in, scopes and revocation, over a store in memory that counts how often it is asked.

use super::*;
use crate::{ApiToken, Later, PasswordHash, Role, Roles, SignInKey, StoredSession, StoredToken, User};
use parking_lot::Mutex;
use rowhouse_base::id::{TenantId, TokenId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Default)]
struct Memory {
    users: Mutex<HashMap<UserId, StoredUser>>,
    roles: Mutex<HashMap<(UserId, TenantId), Roles>>,
    sessions: Mutex<HashMap<Digest, NewSession>>,
    tokens: Mutex<HashMap<Digest, ApiToken>>,
    failures: Mutex<HashMap<String, u32>>,
    session_reads: AtomicUsize,
}

fn ready<'a, T: Send + 'a>(value: T) -> Later<'a, T> {
    Box::pin(async move { Ok(value) })
}

impl IdentityStore for Memory {
    fn user_by_name<'a>(&'a self, name: &'a UserName) -> Later<'a, Option<StoredUser>> {
        ready(self.users.lock().values().find(|stored| stored.user.name == *name).cloned())
    }

    fn roles(&self, user: UserId, scope: Scope) -> Later<'_, Roles> {
        let roles = scope.tenant().and_then(|tenant| self.roles.lock().get(&(user, tenant)).cloned());
        ready(roles.unwrap_or_default())
    }

    fn add_session(&self, session: NewSession) -> Later<'_, ()> {
        self.sessions.lock().insert(session.digest, session);
        ready(())
    }

    fn session(&self, digest: Digest) -> Later<'_, Option<StoredSession>> {
        self.session_reads.fetch_add(1, Ordering::Relaxed);
        let Some(session) = self.sessions.lock().get(&digest).cloned() else { return ready(None) };
        let user = self.users.lock().get(&session.user).cloned();
        let tenant = session.scope.tenant();
        let roles = tenant.and_then(|tenant| self.roles.lock().get(&(session.user, tenant)).cloned());
        ready(user.map(|stored| StoredSession {
            scope: session.scope,
            idle_until: session.idle_until,
            expires_at: session.expires_at,
            user: stored.user,
            roles: roles.unwrap_or_default(),
        }))
    }

    fn touch_session(&self, digest: Digest, idle_until: Timestamp) -> Later<'_, ()> {
        if let Some(session) = self.sessions.lock().get_mut(&digest) {
            session.idle_until = idle_until;
        }
        ready(())
    }

    fn remove_session(&self, digest: Digest) -> Later<'_, ()> {
        self.sessions.lock().remove(&digest);
        ready(())
    }

    fn remove_sessions_of(&self, user: UserId, keep: Option<Digest>) -> Later<'_, ()> {
        self.sessions.lock().retain(|digest, session| session.user != user || Some(*digest) == keep);
        ready(())
    }

    fn set_password(&self, user: UserId, hash: PasswordHash, keep: Option<Digest>) -> Later<'_, ()> {
        let mut users = self.users.lock();
        let stored = users.get_mut(&user).unwrap();
        stored.password = Some(hash);
        stored.user.must_change_password = false;
        self.sessions.lock().retain(|digest, session| session.user != user || Some(*digest) == keep);
        ready(())
    }

    fn replace_hash(&self, user: UserId, old: PasswordHash, new: PasswordHash) -> Later<'_, ()> {
        let mut users = self.users.lock();
        let stored = users.get_mut(&user).unwrap();
        if stored.password.as_ref() == Some(&old) {
            stored.password = Some(new);
        }
        ready(())
    }

    fn is_reachable(&self) -> Later<'_, ()> {
        ready(())
    }

    fn count_sign_in(&self, keys: Vec<SignInKey>, window: Duration) -> Later<'_, Option<Duration>> {
        let mut failures = self.failures.lock();
        if keys.iter().any(|key| failures.get(&key.name).is_some_and(|count| *count >= key.limit)) {
            return ready(Some(window));
        }
        for key in keys {
            *failures.entry(key.name).or_default() += 1;
        }
        ready(None)
    }

    fn excuse_sign_in(&self, forget: String, lessen: Option<String>) -> Later<'_, ()> {
        let mut failures = self.failures.lock();
        failures.remove(&forget);
        if let Some(name) = lessen {
            let count = failures.entry(name).or_default();
            *count = count.saturating_sub(1);
        }
        ready(())
    }

    fn token(&self, digest: Digest) -> Later<'_, Option<StoredToken>> {
        ready(self.tokens.lock().get(&digest).cloned().map(|token| StoredToken { token }))
    }
}

const CHEAP: HashCost = HashCost { memory_kib: 64, passes: 1, lanes: 1 };
const PASSWORD: &str = "correct horse";

async fn house() -> (Arc<Memory>, Identity) {
    let store = Arc::new(Memory::default());
    let identity = Identity::new(Arc::clone(&store) as _, CHEAP, SignInLimits::default()).unwrap();
    (store, identity)
}

async fn add(store: &Memory, identity: &Identity, name: &str, super_user: bool) -> UserId {
    let user = User {
        id: UserId::new(),
        name: UserName::parse(name).unwrap(),
        email: None,
        super_user,
        disabled: false,
        must_change_password: false,
        created_at: Timestamp::now(),
    };
    let password = Some(identity.hasher().hash(Secret::from_text(PASSWORD)).await.unwrap());
    let id = user.id;
    store.users.lock().insert(id, StoredUser { user, password });
    id
}

async fn enter(identity: &Identity, scope: Scope, name: &str) -> Result<String, SignInError> {
    let token = identity.sign_in(scope, name, Secret::from_text(PASSWORD), None).await?;
    Ok(format!("other=1; {}={}", cookie::NAME, token.secret.reveal()))
}

#[tokio::test]
async fn a_session_counts_in_one_place_only() {
    let (store, identity) = house().await;
    let ada = add(&store, &identity, "ada", true).await;
    let (a, b) = (TenantId::new(), TenantId::new());
    for tenant in [a, b] {
        store.roles.lock().insert((ada, tenant), Roles::from_iter([Role::Owner]));
    }
    let at_a = enter(&identity, Scope::Tenant(a), "Ada").await.unwrap();
    let found = identity.session(Scope::Tenant(a), &at_a).await.unwrap().unwrap();
    assert!(found.roles.has(Role::Owner) && found.operator().is_none());
    assert!(identity.session(Scope::Tenant(b), &at_a).await.unwrap().is_none());
    assert!(identity.session(Scope::Console, &at_a).await.unwrap().is_none());
    let at_console = enter(&identity, Scope::Console, "ada").await.unwrap();
    assert!(identity.session(Scope::Tenant(a), &at_console).await.unwrap().is_none());
    // Both cookies at once, as a browser sends them below a url-prefix: each scope finds its own.
    let both = format!("{at_console}; {at_a}");
    assert!(identity.session(Scope::Tenant(a), &both).await.unwrap().is_some());
    let operator = identity.session(Scope::Console, &both).await.unwrap().unwrap().operator().unwrap();
    assert_eq!(operator.writer(), Ok("user ada"));
}

#[tokio::test]
async fn who_may_enter_where() {
    let (store, identity) = house().await;
    let member = add(&store, &identity, "member", false).await;
    add(&store, &identity, "boss", true).await;
    let tenant = TenantId::new();
    store.roles.lock().insert((member, tenant), Roles::from_iter([Role::Editor]));
    for (name, scope, enters) in [
        ("member", Scope::Tenant(tenant), true),
        ("member", Scope::Tenant(TenantId::new()), false),
        ("member", Scope::Console, false),
        ("boss", Scope::Console, true),
        ("boss", Scope::Tenant(tenant), false),
        ("nobody", Scope::Console, false),
        ("not a name", Scope::Console, false),
    ] {
        let answer = enter(&identity, scope, name).await;
        assert_eq!(answer.is_ok(), enters, "{name} {scope}");
        assert!(enters || matches!(answer, Err(SignInError::Denied)), "{name} {scope}");
    }
}

#[tokio::test]
async fn guesses_run_out() {
    let (store, identity) = house().await;
    add(&store, &identity, "ada", true).await;
    for _ in 0..20 {
        let guess = identity.sign_in(Scope::Console, "ada", Secret::from_text("wrong horse"), None).await;
        assert!(matches!(guess, Err(SignInError::Denied)));
    }
    assert!(matches!(enter(&identity, Scope::Console, "ada").await, Err(SignInError::TooMany(_))));
}

#[tokio::test]
async fn revocation_is_at_once_here_and_memory_saves_reads() {
    let (store, identity) = house().await;
    let ada = add(&store, &identity, "ada", true).await;
    let cookie = enter(&identity, Scope::Console, "ada").await.unwrap();
    for _ in 0..10 {
        identity.session(Scope::Console, &cookie).await.unwrap().unwrap();
    }
    assert_eq!(store.session_reads.load(Ordering::Relaxed), 1);
    identity.sign_out_everywhere(ada).await.unwrap();
    assert!(identity.session(Scope::Console, &cookie).await.unwrap().is_none());
    let again = enter(&identity, Scope::Console, "ada").await.unwrap();
    let signed_in = identity.session(Scope::Console, &again).await.unwrap().unwrap();
    identity.sign_out(&signed_in).await.unwrap();
    assert!(identity.session(Scope::Console, &again).await.unwrap().is_none());
}

#[tokio::test]
async fn a_disabled_user_and_an_old_session_are_nothing() {
    let (store, identity) = house().await;
    let ada = add(&store, &identity, "ada", true).await;
    let cookie = enter(&identity, Scope::Console, "ada").await.unwrap();
    store.users.lock().get_mut(&ada).unwrap().user.disabled = true;
    assert!(identity.session(Scope::Console, &cookie).await.unwrap().is_none());
    store.users.lock().get_mut(&ada).unwrap().user.disabled = false;
    assert!(identity.session(Scope::Console, &cookie).await.unwrap().is_some());
    identity.forget_all();
    store.sessions.lock().values_mut().for_each(|session| session.idle_until = Timestamp(1));
    assert!(identity.session(Scope::Console, &cookie).await.unwrap().is_none());
}

#[tokio::test]
async fn a_one_time_password_opens_nothing_but_its_own_change() {
    let (store, identity) = house().await;
    let ada = add(&store, &identity, "ada", true).await;
    store.users.lock().get_mut(&ada).unwrap().user.must_change_password = true;
    let cookie = enter(&identity, Scope::Console, "ada").await.unwrap();
    let other = enter(&identity, Scope::Console, "ada").await.unwrap();
    let signed_in = identity.session(Scope::Console, &cookie).await.unwrap().unwrap();
    assert!(signed_in.must_change_password && signed_in.operator().is_none());
    let change = async |current: &str, new: &str| {
        identity.change_password(&signed_in, Secret::from_text(current), Secret::from_text(new), None).await
    };
    assert!(matches!(change("wrong horse", "battery staple").await, Err(ChangeError::Current(_))));
    assert!(matches!(change(PASSWORD, PASSWORD).await, Err(ChangeError::Same)));
    assert!(matches!(change(PASSWORD, "short").await, Err(ChangeError::Weak(_))));
    change(PASSWORD, "battery staple").await.unwrap();
    let signed_in = identity.session(Scope::Console, &cookie).await.unwrap().unwrap();
    assert!(signed_in.operator().is_some());
    assert!(identity.session(Scope::Console, &other).await.unwrap().is_none(), "other sessions end");
}

#[tokio::test]
async fn a_hash_of_another_cost_is_replaced() {
    let (store, identity) = house().await;
    let ada = add(&store, &identity, "ada", true).await;
    let dearer =
        Identity::new(Arc::clone(&store) as _, HashCost { passes: 2, ..CHEAP }, SignInLimits::default())
            .unwrap();
    enter(&dearer, Scope::Console, "ada").await.unwrap();
    let hash = store.users.lock().get(&ada).unwrap().password.clone().unwrap();
    assert!(hash.as_str().contains("t=2"), "{}", hash.as_str());
    enter(&dearer, Scope::Console, "ada").await.unwrap();
}

#[tokio::test]
async fn tokens_allow_what_they_say_until_they_expire() {
    let (store, identity) = house().await;
    let give = |scopes: &[TokenScope], expires_at| {
        let secret = ApiToken::new_secret();
        let token = ApiToken {
            id: TokenId::new(),
            name: "ci".into(),
            scopes: scopes.to_vec(),
            created_at: Timestamp::now(),
            expires_at,
        };
        store.tokens.lock().insert(secret.digest(), token);
        secret
    };
    let read = give(&[TokenScope::Read], None);
    let write = give(&[TokenScope::Write], Some(Timestamp::now().after(Duration::from_secs(60))));
    let old = give(&[TokenScope::Write], Some(Timestamp::now()));
    assert!(identity.operator_by_token(&read).await.unwrap().unwrap().writer().is_err());
    assert!(identity.operator_by_token(&write).await.unwrap().unwrap().writer().is_ok());
    assert!(identity.operator_by_token(&old).await.unwrap().is_none());
    assert!(identity.operator_by_token(&Secret::from_text("rh_x")).await.unwrap().is_none());
}

#[tokio::test]
async fn failed_sign_ins_count_for_all_servers_together() {
    let store = Arc::new(Memory::default());
    let limits = SignInLimits { per_name: 3, ..SignInLimits::default() };
    let server = || Identity::new(Arc::clone(&store) as _, CHEAP, limits).unwrap();
    let (one, other) = (server(), server());
    add(&store, &one, "ada", true).await;
    let wrong = async |identity: &Identity| {
        identity.sign_in(Scope::Console, "ada", Secret::from_text("wrong"), None).await.unwrap_err()
    };
    for server in [&one, &other, &one] {
        assert!(matches!(wrong(server).await, SignInError::Denied));
    }
    // Neither of them has counted three by itself.
    assert!(matches!(wrong(&other).await, SignInError::TooMany(_)));
    let right = enter(&other, Scope::Console, "ada").await;
    assert!(matches!(right, Err(SignInError::TooMany(_))), "the right password is not tried either");
    store.failures.lock().clear();
    enter(&other, Scope::Console, "ada").await.unwrap();
    assert!(store.failures.lock().is_empty(), "a success is not a failure");
}
