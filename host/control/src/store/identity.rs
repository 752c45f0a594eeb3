//! [`IdentityStore`] over the control database: sessions, and what signing in reads.
//!
//! Making and using a session does not move the generation: no other server needs to know. Ending one does.
//! What stands apart from the generation may meet a change in the reverse order of rows; then the engine
//! undoes the smaller one, which is this, and it is done again.

use super::dialect::{settled, sql};
use super::people::{token, user};
use super::{About, DatabaseError, Result, Store, parsed, timestamp};
use rowhouse_base::id::UserId;
use rowhouse_base::{Digest, Timestamp};
use rowhouse_identity::{
    IdentityStore, Later, NewSession, PasswordHash, Roles, Scope, SignInKey, StoreError, StoredSession,
    StoredToken, StoredUser, UserName,
};
use std::future::Future;
use std::time::Duration;

fn later<'a, T>(work: impl Future<Output = Result<T>> + Send + 'a) -> Later<'a, T> {
    Box::pin(async move { work.await.map_err(|error: DatabaseError| StoreError(Box::new(error))) })
}

impl Store {
    async fn stored_user(&self, name: &UserName) -> Result<Option<StoredUser>> {
        self.reachable()?;
        let row = sql(
            "SELECT id, name, email, super_user, disabled, must_change, created_at, password FROM users \
             WHERE name = $1",
        )
        .bind(name.as_str().to_owned())
        .fetch_optional(&self.pools.read)
        .await?;
        row.map(|row| {
            let password: Option<String> = row.get("password")?;
            Ok(StoredUser { user: user(&row)?, password: password.map(PasswordHash::from_stored) })
        })
        .transpose()
    }

    async fn stored_roles(&self, user: UserId, scope: Scope) -> Result<Roles> {
        let Some(tenant) = scope.tenant() else { return Ok(Roles::default()) };
        let row = sql("SELECT roles FROM memberships WHERE tenant_id = $1 AND user_id = $2")
            .bind(tenant.to_string())
            .bind(user.to_string())
            .fetch_optional(&self.pools.read)
            .await?;
        row.map_or_else(|| Ok(Roles::default()), |row| parsed(&row, "roles"))
    }

    async fn stored_session(&self, digest: Digest) -> Result<Option<StoredSession>> {
        self.reachable()?;
        let row = sql(
            "SELECT sessions.scope, sessions.idle_until, sessions.expires_at, users.id, users.name, users.email, \
             users.super_user, users.disabled, users.must_change, users.created_at, \
             COALESCE(memberships.roles, '') AS roles \
             FROM sessions JOIN users ON users.id = sessions.user_id \
             LEFT JOIN memberships ON memberships.user_id = users.id AND memberships.tenant_id = sessions.scope \
             WHERE sessions.digest = $1",
        )
        .bind(digest.to_string())
        .fetch_optional(&self.pools.read)
        .await
        // Nobody else may have noticed yet that the database is away.
        .inspect_err(|_error| self.link.look())?;
        row.map(|row| {
            Ok(StoredSession {
                scope: parsed(&row, "scope")?,
                idle_until: timestamp(&row, "idle_until")?,
                expires_at: timestamp(&row, "expires_at")?,
                user: user(&row)?,
                roles: parsed(&row, "roles")?,
            })
        })
        .transpose()
    }

    async fn keep_session(&self, session: NewSession) -> Result<()> {
        settled(|| {
            sql("INSERT INTO sessions (digest, user_id, scope, created_at, idle_until, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(session.digest.to_string())
            .bind(session.user.to_string())
            .bind(session.scope.to_string())
            .bind(session.created_at.0)
            .bind(session.idle_until.0)
            .bind(session.expires_at.0)
            .execute(&self.pools.write)
        })
        .await?;
        Ok(())
    }

    /// Drops sessions that are over.
    pub(crate) async fn drop_old_sessions(&self, now: Timestamp) -> Result<u64> {
        let gone = settled(|| {
            sql("DELETE FROM sessions WHERE idle_until <= $1").bind(now.0).execute(&self.pools.write)
        });
        Ok(gone.await?)
    }
}

impl IdentityStore for Store {
    fn user_by_name<'a>(&'a self, name: &'a UserName) -> Later<'a, Option<StoredUser>> {
        later(self.stored_user(name))
    }

    fn roles(&self, user: UserId, scope: Scope) -> Later<'_, Roles> {
        later(self.stored_roles(user, scope))
    }

    fn add_session(&self, session: NewSession) -> Later<'_, ()> {
        later(self.keep_session(session))
    }

    fn session(&self, digest: Digest) -> Later<'_, Option<StoredSession>> {
        later(self.stored_session(digest))
    }

    fn touch_session(&self, digest: Digest, idle_until: Timestamp) -> Later<'_, ()> {
        later(async move {
            settled(|| {
                sql("UPDATE sessions SET idle_until = $1 WHERE digest = $2")
                    .bind(idle_until.0)
                    .bind(digest.to_string())
                    .execute(&self.pools.write)
            })
            .await?;
            Ok(())
        })
    }

    fn remove_session(&self, digest: Digest) -> Later<'_, ()> {
        later(async move {
            let mut change = self.change().await?;
            sql("DELETE FROM sessions WHERE digest = $1")
                .bind(digest.to_string())
                .execute(&mut change.tx)
                .await?;
            change.people_changed().await?;
            change.commit().await
        })
    }

    fn remove_sessions_of(&self, user: UserId, keep: Option<Digest>) -> Later<'_, ()> {
        later(async move {
            let mut change = self.change().await?;
            change.remove_sessions(user, keep).await?;
            change.commit().await
        })
    }

    fn set_password(&self, user: UserId, hash: PasswordHash, keep: Option<Digest>) -> Later<'_, ()> {
        later(async move {
            let row = sql("SELECT name FROM users WHERE id = $1")
                .bind(user.to_string())
                .fetch_optional(&self.pools.read)
                .await?;
            let name: Option<String> = row.map(|row| row.get("name")).transpose()?;
            // The trail names people as its other rows do.
            let name = name.unwrap_or_else(|| user.to_string());
            let mut change = self.change().await?;
            change.put_password(user, &hash, false).await?;
            change.remove_sessions(user, keep).await?;
            let (actor, about) = (format!("user {name}"), About::User(&name, user));
            change.audit(&actor, "user.change-password", about, "").await?;
            change.commit().await
        })
    }

    fn replace_hash(&self, user: UserId, old: PasswordHash, new: PasswordHash) -> Later<'_, ()> {
        later(async move {
            settled(|| {
                sql("UPDATE users SET password = $1 WHERE id = $2 AND password = $3")
                    .bind(new.as_str().to_owned())
                    .bind(user.to_string())
                    .bind(old.as_str().to_owned())
                    .execute(&self.pools.write)
            })
            .await?;
            Ok(())
        })
    }

    fn is_reachable(&self) -> Later<'_, ()> {
        later(std::future::ready(self.reachable()))
    }

    fn count_sign_in(&self, keys: Vec<SignInKey>, window: Duration) -> Later<'_, Option<Duration>> {
        later(self.count_attempt(keys, window))
    }

    fn excuse_sign_in(&self, forget: String, lessen: Option<String>) -> Later<'_, ()> {
        later(self.excuse(forget, lessen))
    }

    fn token(&self, digest: Digest) -> Later<'_, Option<StoredToken>> {
        later(async move {
            self.reachable()?;
            let row = sql("SELECT id, name, scopes, created_at, expires_at FROM tokens WHERE digest = $1")
                .bind(digest.to_string())
                .fetch_optional(&self.pools.read)
                .await
                .inspect_err(|_error| self.link.look())?;
            row.map(|row| Ok(StoredToken { token: token(&row)? })).transpose()
        })
    }
}
