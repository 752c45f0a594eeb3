//! Users, memberships and API tokens, as operators manage them.

use super::dialect::{Row, sql};
use super::{Change, Result, Store, flag, generation, like, parsed, timestamp, value};
use rowhouse_base::id::{TenantId, TokenId, UserId};
use rowhouse_base::{Digest, TenantName, Timestamp};
use rowhouse_identity::{ApiToken, PasswordHash, Roles, TokenScope, User, UserName};

macro_rules! columns {
    () => {
        "users.id, users.name, users.email, users.super_user, users.disabled, users.must_change, users.created_at"
    };
}

pub(super) fn user(row: &Row) -> Result<User> {
    Ok(User {
        id: parsed(row, "id")?,
        name: parsed(row, "name")?,
        email: row.get("email")?,
        super_user: flag(row, "super_user")?,
        disabled: flag(row, "disabled")?,
        must_change_password: flag(row, "must_change")?,
        created_at: timestamp(row, "created_at")?,
    })
}

pub(super) fn token(row: &Row) -> Result<ApiToken> {
    let scopes: String = row.get("scopes")?;
    Ok(ApiToken {
        id: parsed(row, "id")?,
        name: row.get("name")?,
        scopes: scopes
            .split(',')
            .map(|scope| scope.parse::<TokenScope>().map_err(|error| value("scopes", error)))
            .collect::<Result<_>>()?,
        created_at: timestamp(row, "created_at")?,
        expires_at: row.get::<Option<i64>>("expires_at")?.map(Timestamp),
    })
}

impl Store {
    /// Users in the order of their names, after one, with a text in name or email.
    pub(crate) async fn users_page(&self, search: &str, after: &str, limit: u32) -> Result<Vec<User>> {
        let pattern = like(search);
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM users WHERE name > $1 AND (name LIKE $2 ESCAPE '!' OR LOWER(email) LIKE $3 ESCAPE '!') \
             ORDER BY name LIMIT $4"
        ))
        .bind(after.to_owned())
        .bind(pattern.clone())
        .bind(pattern)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter().map(user).collect()
    }

    pub(crate) async fn user(&self, name: &UserName) -> Result<Option<User>> {
        let row = sql(concat!("SELECT ", columns!(), " FROM users WHERE name = $1"))
            .bind(name.as_str().to_owned())
            .fetch_optional(&self.pools.read)
            .await?;
        row.as_ref().map(user).transpose()
    }

    /// True where somebody can enter the console.
    pub(crate) async fn has_super_user(&self) -> Result<bool> {
        let row = sql("SELECT COUNT(*) AS n FROM users WHERE super_user = 1 AND disabled = 0")
            .fetch_one(&self.pools.read)
            .await?;
        Ok(generation(&row, "n")? > 0)
    }

    /// A tenant's members in the order of their names.
    pub(crate) async fn members(&self, tenant: TenantId) -> Result<Vec<(User, Roles)>> {
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            ", memberships.roles FROM memberships JOIN users ON users.id = memberships.user_id \
             WHERE memberships.tenant_id = $1 ORDER BY users.name"
        ))
        .bind(tenant.to_string())
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter().map(|row| Ok((user(row)?, parsed(row, "roles")?))).collect()
    }

    /// A user's tenants that hold their names, in the order of these.
    pub(crate) async fn memberships(
        &self,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<(TenantName, String, Roles)>> {
        let rows = sql("SELECT tenants.name, tenants.title, memberships.roles FROM memberships \
             JOIN tenants ON tenants.id = memberships.tenant_id \
             WHERE memberships.user_id = $1 AND tenants.live_name IS NOT NULL ORDER BY tenants.name LIMIT $2")
        .bind(user.to_string())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter().map(|row| Ok((parsed(row, "name")?, row.get("title")?, parsed(row, "roles")?))).collect()
    }

    /// All API tokens, oldest first.
    pub(crate) async fn tokens(&self) -> Result<Vec<ApiToken>> {
        let rows = sql("SELECT id, name, scopes, created_at, expires_at FROM tokens ORDER BY id")
            .fetch_all(&self.pools.read)
            .await?;
        rows.iter().map(token).collect()
    }
}

impl Change {
    /// Marks that users or memberships changed, so that other servers drop what they remember.
    pub(crate) async fn people_changed(&mut self) -> Result<()> {
        sql("UPDATE membership_changes SET gen = $1 WHERE id = 1")
            .bind(self.generation)
            .execute(&mut self.tx)
            .await?;
        Ok(())
    }

    /// The user as this change sees it.
    pub(crate) async fn user(&mut self, name: &UserName) -> Result<Option<User>> {
        let row = sql(concat!("SELECT ", columns!(), " FROM users WHERE name = $1"))
            .bind(name.as_str().to_owned())
            .fetch_optional(&mut self.tx)
            .await?;
        row.as_ref().map(user).transpose()
    }

    /// Adds a user. A name that is taken is a duplicate.
    pub(crate) async fn add_user(&mut self, user: &User, password: &PasswordHash) -> Result<()> {
        sql("INSERT INTO users (id, name, must_change, super_user, disabled, created_at, gen) \
             VALUES ($1, $2, 0, 0, 0, $3, 0)")
        .bind(user.id.to_string())
        .bind(user.name.as_str().to_owned())
        .bind(user.created_at.0)
        .execute(&mut self.tx)
        .await?;
        self.put_user(user).await?;
        self.put_password(user.id, password, user.must_change_password).await
    }

    /// Writes what of a user may change, but not the password.
    pub(crate) async fn put_user(&mut self, user: &User) -> Result<()> {
        sql("UPDATE users SET email = $1, super_user = $2, disabled = $3, gen = $4 WHERE id = $5")
            .bind(user.email.clone())
            .bind(i64::from(user.super_user))
            .bind(i64::from(user.disabled))
            .bind(self.generation)
            .bind(user.id.to_string())
            .execute(&mut self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn put_password(
        &mut self,
        user: UserId,
        hash: &PasswordHash,
        must_change: bool,
    ) -> Result<()> {
        sql("UPDATE users SET password = $1, must_change = $2, gen = $3 WHERE id = $4")
            .bind(hash.as_str().to_owned())
            .bind(i64::from(must_change))
            .bind(self.generation)
            .bind(user.to_string())
            .execute(&mut self.tx)
            .await?;
        Ok(())
    }

    /// Ends all sessions of a user but one. Gives how many.
    pub(crate) async fn remove_sessions(&mut self, user: UserId, keep: Option<Digest>) -> Result<u64> {
        let done = sql("DELETE FROM sessions WHERE user_id = $1 AND digest <> $2")
            .bind(user.to_string())
            .bind(keep.map(|digest| digest.to_string()).unwrap_or_default())
            .execute(&mut self.tx)
            .await?;
        self.people_changed().await?;
        Ok(done)
    }

    pub(crate) async fn remove_user(&mut self, user: UserId) -> Result<()> {
        self.remove_sessions(user, None).await?;
        sql("DELETE FROM memberships WHERE user_id = $1")
            .bind(user.to_string())
            .execute(&mut self.tx)
            .await?;
        sql("DELETE FROM users WHERE id = $1").bind(user.to_string()).execute(&mut self.tx).await?;
        Ok(())
    }

    /// How many Super Users can sign in.
    pub(crate) async fn super_users(&mut self) -> Result<u64> {
        let row = sql("SELECT COUNT(*) AS n FROM users WHERE super_user = 1 AND disabled = 0")
            .fetch_one(&mut self.tx)
            .await?;
        generation(&row, "n")
    }

    /// Sets a user's roles on a tenant; with none the membership ends. Gives whether there was one.
    pub(crate) async fn put_member(&mut self, tenant: TenantId, user: UserId, roles: &Roles) -> Result<bool> {
        let before = sql("DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2")
            .bind(tenant.to_string())
            .bind(user.to_string())
            .execute(&mut self.tx)
            .await?;
        if !roles.is_empty() {
            sql("INSERT INTO memberships (tenant_id, user_id, roles, gen) VALUES ($1, $2, $3, $4)")
                .bind(tenant.to_string())
                .bind(user.to_string())
                .bind(roles.to_string())
                .bind(self.generation)
                .execute(&mut self.tx)
                .await?;
        }
        self.people_changed().await?;
        Ok(before > 0)
    }

    pub(crate) async fn add_token(&mut self, token: &ApiToken, digest: &Digest) -> Result<()> {
        let scopes = token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",");
        sql("INSERT INTO tokens (id, digest, name, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(token.id.to_string())
            .bind(digest.to_string())
            .bind(token.name.clone())
            .bind(scopes)
            .bind(token.created_at.0)
            .bind(token.expires_at.map(|at| at.0))
            .execute(&mut self.tx)
            .await?;
        Ok(())
    }

    /// Revokes a token. Gives whether there was one.
    pub(crate) async fn remove_token(&mut self, id: TokenId) -> Result<bool> {
        let done = sql("DELETE FROM tokens WHERE id = $1").bind(id.to_string()).execute(&mut self.tx).await?;
        Ok(done > 0)
    }
}
