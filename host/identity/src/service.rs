//! [`Identity`]: signing in and out, and turning cookies and tokens into people and permits.
//!
//! Called by the front room for every request that carries a session cookie, and by the API. Refuses to
//! say why a sign-in failed.

use crate::cache::Cache;
use crate::limiter::Limiter;
use crate::{
    HashCost, Hasher, IdentityStore, NewSession, Operator, PasswordError, Scope, SessionToken, SignInLimits,
    SignedIn, StoreError, StoredUser, TokenScope, UserName, WeakPassword, check_rules, cookie,
};
use rowhouse_base::id::UserId;
use rowhouse_base::secret::Secret;
use rowhouse_base::{Chain, Digest, Timestamp};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why a sign-in failed, as far as the visitor may know.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such user, wrong password, disabled, or not allowed here: all the same to the visitor.
    #[error("name and password don't fit")]
    Denied,
    /// Too many failures. Try again after this time.
    #[error("too many failed sign-ins")]
    TooMany(Duration),
    /// Too many sign-ins at the same time. Try again in a moment.
    #[error("too many sign-ins at the same time")]
    Busy,
    /// Hashing failed.
    #[error("sign in")]
    Password(#[source] PasswordError),
    /// The store did not answer.
    #[error("sign in")]
    Store(#[from] StoreError),
}

/// Why a password could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The current password is wrong, or too many were tried; as for signing in.
    #[error("confirm the current password")]
    Current(#[source] SignInError),
    /// The new password breaks a rule.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// The new password is the old one.
    #[error("the new password is the old one")]
    Same,
    /// The store did not answer.
    #[error("keep the new password")]
    Store(#[from] StoreError),
}

impl From<PasswordError> for SignInError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            other => Self::Password(other),
        }
    }
}

/// The facade of the identity room. One per process, shared.
pub struct Identity {
    store: Arc<dyn IdentityStore>,
    hasher: Hasher,
    limiter: Limiter,
    cache: Cache,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// An identity room over this store. Takes the time of one password hash.
    ///
    /// # Errors
    /// [`PasswordError::Hash`] where the library refuses the cost.
    pub fn new(
        store: Arc<dyn IdentityStore>,
        cost: HashCost,
        limits: SignInLimits,
    ) -> Result<Self, PasswordError> {
        Ok(Self { store, hasher: Hasher::new(cost)?, limiter: Limiter::new(limits), cache: Cache::default() })
    }

    /// The hasher, for those who set passwords of others.
    #[must_use]
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Signs somebody in at this scope: at the console only Super Users, at a tenant only its members.
    /// `client` is the visitor's address where it is known.
    ///
    /// # Errors
    /// [`SignInError`]. Whether the name exists can't be told from the answer or its time.
    pub async fn sign_in(
        &self,
        scope: Scope,
        name: &str,
        password: Secret,
        client: Option<IpAddr>,
    ) -> Result<SessionToken, SignInError> {
        // What can't be a name is nobody's; it takes the same way as an unknown one.
        let parsed = UserName::parse(name).ok();
        let counted = match &parsed {
            Some(name) => name.clone(),
            None => UserName::parse("not-a-name").map_err(|_never| SignInError::Denied)?,
        };
        let stored = self.verified(parsed.as_ref(), &counted, password, client).await?;
        let allowed = match scope {
            Scope::Console => stored.user.super_user,
            Scope::Tenant(_) => !self.store.roles(stored.user.id, scope).await?.is_empty(),
        };
        if stored.user.disabled || !allowed {
            return Err(SignInError::Denied);
        }
        self.excuse(&counted, client).await;
        let secret = Secret::token();
        let now = Timestamp::now();
        self.store
            .add_session(NewSession {
                digest: secret.digest(),
                user: stored.user.id,
                scope,
                created_at: now,
                idle_until: now.after(scope.idle()),
                expires_at: now.after(scope.lifetime()),
            })
            .await?;
        Ok(SessionToken {
            secret,
            lifetime: scope.lifetime(),
            must_change_password: stored.user.must_change_password,
        })
    }

    /// The user with this name and password. The attempt counts as failed until the caller says otherwise.
    async fn verified(
        &self,
        name: Option<&UserName>,
        counted: &UserName,
        password: Secret,
        client: Option<IpAddr>,
    ) -> Result<StoredUser, SignInError> {
        self.limiter.attempt(counted, client, Instant::now()).map_err(SignInError::TooMany)?;
        let keys = self.limiter.stored_keys(counted, client);
        if let Some(wait) = self.store.count_sign_in(keys, self.limiter.window()).await? {
            // It counts there; here it would begin another window.
            self.limiter.take_back(counted, client);
            return Err(SignInError::TooMany(wait));
        }
        // Hashing a megabyte of password is work that nobody's password needs.
        let password = if password.reveal().len() > 512 { Secret::from_text("") } else { password };
        let stored = match name {
            Some(name) => self.store.user_by_name(name).await?,
            None => None,
        };
        let hash = stored.as_ref().and_then(|stored| stored.password.clone());
        let verdict = self.hasher.verify(password.clone(), hash.clone()).await?;
        let Some(stored) = stored.filter(|_| verdict.matches) else { return Err(SignInError::Denied) };
        if let Some(old) = hash.filter(|_| verdict.stale) {
            let new = self.hasher.hash(password).await?;
            self.store.replace_hash(stored.user.id, old, new).await?;
        }
        Ok(stored)
    }

    /// Takes the count of an attempt back that succeeded. Where the store fails it stays, and ends with its window.
    async fn excuse(&self, name: &UserName, client: Option<IpAddr>) {
        self.limiter.succeeded(name, client);
        let mut keys = self.limiter.stored_keys(name, client).into_iter().map(|key| key.name);
        let Some(forget) = keys.next() else { return };
        if let Err(error) = self.store.excuse_sign_in(forget, keys.next()).await {
            tracing::warn!(error = %Chain(&error), "take back the count of a sign-in");
        }
    }

    /// Who is signed in at this scope, by the `Cookie` field of a request. Sessions of other scopes are nothing here.
    ///
    /// # Errors
    /// [`StoreError`] where the session is not in memory and the store does not answer.
    pub async fn session(&self, scope: Scope, cookie_header: &str) -> Result<Option<SignedIn>, StoreError> {
        for candidate in cookie::candidates(cookie_header) {
            let digest = Digest::of(candidate.as_bytes());
            let found = match self.cache.get(&digest, Instant::now()) {
                Some(signed_in) => Some(signed_in),
                None => self.load(digest).await?,
            };
            if let Some(signed_in) =
                found.filter(|found| found.scope == scope && !found.expires_at.is_past(Timestamp::now()))
            {
                return Ok(Some(signed_in));
            }
        }
        Ok(None)
    }

    async fn load(&self, digest: Digest) -> Result<Option<SignedIn>, StoreError> {
        let ticket = self.cache.ticket();
        let Some(stored) = self.store.session(digest).await? else { return Ok(None) };
        let now = Timestamp::now();
        let entitled = match stored.scope {
            Scope::Console => stored.user.super_user,
            Scope::Tenant(_) => !stored.roles.is_empty(),
        };
        if stored.user.disabled
            || !entitled
            || stored.idle_until.is_past(now)
            || stored.expires_at.is_past(now)
        {
            return Ok(None);
        }
        // Written at most every twentieth of the idle time: a write per request would be one too many.
        let idle = stored.scope.idle();
        let fresh = now.after(idle);
        if stored.idle_until.after(idle / 20) < fresh
            && let Err(error) = self.store.touch_session(digest, fresh.min(stored.expires_at)).await
        {
            tracing::warn!(error = %Chain(&error), "note that a session was used");
        }
        let signed_in = SignedIn {
            user: stored.user.id,
            name: stored.user.name,
            roles: if stored.scope == Scope::Console { Default::default() } else { stored.roles },
            must_change_password: stored.user.must_change_password,
            scope: stored.scope,
            session: digest,
            expires_at: stored.expires_at,
        };
        self.cache.put(ticket, signed_in.clone(), Instant::now());
        Ok(Some(signed_in))
    }

    /// Ends this session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sign_out(&self, signed_in: &SignedIn) -> Result<(), StoreError> {
        let done = self.store.remove_session(signed_in.session).await;
        self.cache.forget(&signed_in.session);
        done
    }

    /// Ends all sessions of a user, on every tenant and at the console.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sign_out_everywhere(&self, user: UserId) -> Result<(), StoreError> {
        let done = self.store.remove_sessions_of(user, None).await;
        self.cache.forget_user(user);
        done
    }

    /// Lets somebody who is signed in choose another password. Their other sessions end.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn change_password(
        &self,
        signed_in: &SignedIn,
        current: Secret,
        new: Secret,
        client: Option<IpAddr>,
    ) -> Result<(), ChangeError> {
        check_rules(&signed_in.name, &new)?;
        if current.matches(&new) {
            return Err(ChangeError::Same);
        }
        let name = &signed_in.name;
        let stored = self.verified(Some(name), name, current, client).await.map_err(ChangeError::Current)?;
        self.excuse(name, client).await;
        let hash = self.hasher.hash(new).await.map_err(|error| ChangeError::Current(error.into()))?;
        let done = self.store.set_password(stored.user.id, hash, Some(signed_in.session)).await;
        self.cache.forget_user(stored.user.id);
        Ok(done?)
    }

    /// Says at once whether people can be looked up, as far as is known.
    ///
    /// # Errors
    /// [`StoreError`] where the store is known not to answer.
    pub async fn is_reachable(&self) -> Result<(), StoreError> {
        self.store.is_reachable().await
    }

    /// The permit of an API token, if it counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn operator_by_token(&self, token: &Secret) -> Result<Option<Operator>, StoreError> {
        let Some(stored) = self.store.token(token.digest()).await? else { return Ok(None) };
        let token = stored.token;
        if token.expires_at.is_some_and(|at| at.is_past(Timestamp::now())) {
            return Ok(None);
        }
        let writes = token.scopes.contains(&TokenScope::Write);
        let reads = writes || token.scopes.contains(&TokenScope::Read);
        Ok(reads.then(|| Operator::made(format!("token {}", token.name), writes)))
    }

    /// Forgets what is known of this user's sessions. Called after a local change of the user.
    pub fn forget_user(&self, user: UserId) {
        self.cache.forget_user(user);
    }

    /// Forgets all sessions in memory. Called when users or memberships changed on another server.
    pub fn forget_all(&self) {
        self.cache.forget_all();
    }
}

#[cfg(test)]
mod tests;
