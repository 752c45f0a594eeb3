//! What identity needs kept. The control plane implements it over the control database.

use crate::{ApiToken, PasswordHash, Roles, Scope, User, UserName};
use rowhouse_base::id::UserId;
use rowhouse_base::{Digest, Timestamp};
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A boxed future, so that the store can be a trait object.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The store did not answer. What it says is for logs, never for visitors.
#[derive(Debug, thiserror::Error)]
#[error("reach the identity store")]
pub struct StoreError(#[source] pub Box<dyn Error + Send + Sync>);

/// A user with what signing in needs.
#[derive(Clone, Debug)]
pub struct StoredUser {
    /// The user.
    pub user: User,
    /// The hash; none where no password was ever set.
    pub password: Option<PasswordHash>,
}

/// A session to keep.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Digest of the token.
    pub digest: Digest,
    /// Whose it is.
    pub user: UserId,
    /// Where it counts.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends if it is not used.
    pub idle_until: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}

/// A session as it was found, with its user as of now.
#[derive(Clone, Debug)]
pub struct StoredSession {
    /// Where it counts.
    pub scope: Scope,
    /// When it ends if it is not used.
    pub idle_until: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// Its user.
    pub user: User,
    /// The user's roles on the session's tenant as of now; empty at the console.
    pub roles: Roles,
}

/// What failed sign-ins are counted under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInKey {
    /// A user's name or a client's address, as `name:ada` or `address:192.0.2.1`; at most 96 bytes.
    pub name: String,
    /// How many failures are taken within a window.
    pub limit: u32,
}

/// A token as it was found.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The token.
    pub token: ApiToken,
}

/// Reads and writes what identity needs. Methods answer with what is committed; a write that returned is durable.
pub trait IdentityStore: Send + Sync {
    /// The user of this name.
    fn user_by_name<'a>(&'a self, name: &'a UserName) -> Later<'a, Option<StoredUser>>;

    /// The user's roles on the scope's tenant; empty at the console and for those who are no members.
    fn roles(&self, user: UserId, scope: Scope) -> Later<'_, Roles>;

    /// Keeps a session.
    fn add_session(&self, session: NewSession) -> Later<'_, ()>;

    /// The session with this digest, its user and roles.
    fn session(&self, digest: Digest) -> Later<'_, Option<StoredSession>>;

    /// Notes that a session was used.
    fn touch_session(&self, digest: Digest, idle_until: Timestamp) -> Later<'_, ()>;

    /// Ends one session. Nothing happens where there is none.
    fn remove_session(&self, digest: Digest) -> Later<'_, ()>;

    /// Ends all sessions of a user but the one to keep, if any.
    fn remove_sessions_of(&self, user: UserId, keep: Option<Digest>) -> Later<'_, ()>;

    /// Replaces a password that its user chose, clears "must be changed", and ends all sessions but the one to
    /// keep, in one transaction.
    fn set_password(&self, user: UserId, hash: PasswordHash, keep: Option<Digest>) -> Later<'_, ()>;

    /// Replaces the hash of an unchanged password by one of another cost, unless the password changed meanwhile.
    fn replace_hash(&self, user: UserId, old: PasswordHash, new: PasswordHash) -> Later<'_, ()>;

    /// An error at once where the store is known not to answer. Asks nothing.
    fn is_reachable(&self) -> Later<'_, ()>;

    /// Counts a failed sign-in under each of these, for all servers together. Gives how long to wait where one is at
    /// its limit; then nothing is counted. The window begins with the first failure.
    fn count_sign_in(&self, keys: Vec<SignInKey>, window: Duration) -> Later<'_, Option<Duration>>;

    /// Takes a counted sign-in back that succeeded: the first key is forgotten, the second has one failure less.
    fn excuse_sign_in(&self, forget: String, lessen: Option<String>) -> Later<'_, ()>;

    /// The API token with this digest.
    fn token(&self, digest: Digest) -> Later<'_, Option<StoredToken>>;
}
