//! Users and members of tenants.

use crate::Control;
use crate::error::{ControlError, FieldError};
use crate::types::{
    CreateUser, CreatedUser, MemberView, Membership, OneTimePassword, Page, Paging, PatchUser, UserView,
    rfc3339,
};
use rowhouse_base::Timestamp;
use rowhouse_base::id::UserId;
use rowhouse_base::secret::Secret;
use rowhouse_identity::{Operator, Role, Roles, User, UserName, check_rules};

type Result<T> = std::result::Result<T, ControlError>;

/// Memberships of one user on one page.
const MEMBERSHIPS: u32 = 200;

impl Control {
    /// A page of users in the order of their names.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn users(&self, _operator: &Operator, paging: &Paging) -> Result<Page<UserView>> {
        let limit = paging.limit();
        let users = self.store.users_page(paging.search(), paging.cursor(), limit + 1).await?;
        let page = Page::cut(users, limit, |user| user.name.to_string());
        Ok(Page { items: page.items.iter().map(view).collect(), next: page.next })
    }

    /// Makes a user; with no password given, with a one-time password that is told once.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] with every wrong field, [`ControlError::Conflict`] for a name that is taken.
    pub async fn create_user(&self, operator: &Operator, request: CreateUser) -> Result<CreatedUser> {
        let actor = operator.writer()?;
        let mut wrong = Vec::new();
        let email = read_email(request.email, &mut wrong);
        let name = UserName::parse(&request.name)
            .map_err(|error| wrong.push(FieldError { field: "name".into(), detail: error.to_string() }))
            .ok();
        let chosen = request.password.map(Secret::from_text);
        if let (Some(name), Some(password)) = (&name, &chosen)
            && let Err(error) = check_rules(name, password)
        {
            wrong.push(FieldError { field: "password".into(), detail: error.to_string() });
        }
        let (Some(name), true) = (name, wrong.is_empty()) else { return Err(ControlError::Invalid(wrong)) };
        let once = chosen.is_none().then(Secret::password);
        let user = User {
            id: UserId::new(),
            name,
            email,
            super_user: request.super_user.unwrap_or(false),
            disabled: false,
            must_change_password: once.is_some(),
            created_at: Timestamp::now(),
        };
        let password = chosen.or_else(|| once.clone()).unwrap_or_else(Secret::password);
        self.add_user(actor, &user, password).await?;
        Ok(CreatedUser {
            user: view(&user),
            one_time_password: once.map(|secret| secret.reveal().to_owned()),
        })
    }

    pub(crate) async fn add_user(&self, actor: &str, user: &User, password: Secret) -> Result<()> {
        let hash = self.identity.hasher().hash(password).await?;
        let mut change = self.store.change().await?;
        if change.user(&user.name).await?.is_some() {
            return Err(ControlError::Conflict(format!("there is a user `{}` already", user.name)));
        }
        change.add_user(user, &hash).await?;
        let detail = if user.super_user { "Super User" } else { "" };
        change.audit(actor, "user.create", user, detail).await?;
        Ok(change.commit().await?)
    }

    /// Changes what is given of a user. One who is disabled, or no Super User any more, is signed out at once.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] where no Super User would be left.
    pub async fn patch_user(&self, operator: &Operator, name: &str, patch: PatchUser) -> Result<UserView> {
        let actor = operator.writer()?;
        let mut wrong = Vec::new();
        let clears = patch.email.as_deref() == Some("");
        let email = read_email(patch.email.filter(|text| !text.is_empty()), &mut wrong);
        if !wrong.is_empty() {
            return Err(ControlError::Invalid(wrong));
        }
        let mut change = self.store.change().await?;
        let mut user = known(&mut change, name).await?;
        let before = user.clone();
        if clears {
            user.email = None;
        }
        user.email = email.or(user.email);
        user.super_user = patch.super_user.unwrap_or(user.super_user);
        user.disabled = patch.disabled.unwrap_or(user.disabled);
        change.put_user(&user).await?;
        if (user.disabled && !before.disabled) || (before.super_user && !user.super_user) {
            change.remove_sessions(user.id, None).await?;
        }
        keep_one_super_user(&mut change, &before).await?;
        let detail = format!("super_user={} disabled={}", user.super_user, user.disabled);
        change.audit(actor, "user.change", &user, &detail).await?;
        change.commit().await?;
        self.identity.forget_user(user.id);
        Ok(view(&user))
    }

    /// Gives a user a one-time password and ends their sessions.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn reset_password(&self, operator: &Operator, name: &str) -> Result<OneTimePassword> {
        let actor = operator.writer()?;
        let once = Secret::password();
        let hash = self.identity.hasher().hash(once.clone()).await?;
        let mut change = self.store.change().await?;
        let user = known(&mut change, name).await?;
        change.put_password(user.id, &hash, true).await?;
        change.remove_sessions(user.id, None).await?;
        change.audit(actor, "user.reset-password", &user, "").await?;
        change.commit().await?;
        self.identity.forget_user(user.id);
        Ok(OneTimePassword { one_time_password: once.reveal().to_owned() })
    }

    /// Ends all sessions of a user. Gives how many.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn end_sessions(&self, operator: &Operator, name: &str) -> Result<u64> {
        let actor = operator.writer()?;
        let mut change = self.store.change().await?;
        let user = known(&mut change, name).await?;
        let ended = change.remove_sessions(user.id, None).await?;
        change.audit(actor, "user.sign-out-everywhere", &user, &ended.to_string()).await?;
        change.commit().await?;
        self.identity.forget_user(user.id);
        Ok(ended)
    }

    /// Deletes a user with memberships and sessions.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] for the last Super User.
    pub async fn delete_user(&self, operator: &Operator, name: &str) -> Result<()> {
        let actor = operator.writer()?;
        let mut change = self.store.change().await?;
        let user = known(&mut change, name).await?;
        // Before they are gone: a user who deletes themselves is found by the name then.
        change.audit(actor, "user.delete", &user, &user.id.to_string()).await?;
        change.remove_user(user.id).await?;
        keep_one_super_user(&mut change, &user).await?;
        change.commit().await?;
        self.identity.forget_user(user.id);
        Ok(())
    }

    /// A tenant's members in the order of their names.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn members(&self, _operator: &Operator, tenant: &str) -> Result<Vec<MemberView>> {
        let row = self.row(tenant).await?;
        let members = self.store.members(row.id).await?;
        Ok(members.into_iter().map(|(user, roles)| member(&user, &roles)).collect())
    }

    /// The tenants that a user belongs to, in the order of their names: the first of them, where there are many.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub(crate) async fn memberships(&self, _operator: &Operator, user: &str) -> Result<Page<Membership>> {
        let missing = || ControlError::not_found("user", user.chars().take(80).collect::<String>());
        let name = UserName::parse(user).map_err(|_no_name| missing())?;
        let user = self.store.user(&name).await?.ok_or_else(missing)?;
        let rows = self.store.memberships(user.id, MEMBERSHIPS + 1).await?;
        let all = rows.into_iter().map(|(tenant, title, roles)| Membership {
            tenant: tenant.to_string(),
            title,
            roles: roles.iter().map(|role| role.to_string()).collect(),
        });
        Ok(Page::cut(all.collect(), MEMBERSHIPS, |membership| membership.tenant.clone()))
    }

    /// Makes a user a member of a tenant with exactly these roles.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::Invalid`].
    pub async fn set_member(
        &self,
        operator: &Operator,
        tenant: &str,
        user: &str,
        roles: &[String],
    ) -> Result<MemberView> {
        let actor = operator.writer()?;
        let read = |text: &String| text.parse::<Role>().map_err(|error| ControlError::field("roles", error));
        let roles: Roles = roles.iter().map(read).collect::<Result<_>>()?;
        if roles.is_empty() {
            return Err(ControlError::field("roles", "a member has at least one role"));
        }
        let row = self.row(tenant).await?;
        let mut change = self.store.change().await?;
        let row = super::tenants::editable(&mut change, &row).await?;
        let user = known(&mut change, user).await?;
        change.put_member(row.id, user.id, &roles).await?;
        let detail = format!("{}: {roles}", user.name);
        change.audit(actor, "member.set", &row, &detail).await?;
        change.commit().await?;
        self.identity.forget_user(user.id);
        Ok(member(&user, &roles))
    }

    /// Ends a membership.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] where the user is no member.
    pub async fn remove_member(&self, operator: &Operator, tenant: &str, user: &str) -> Result<()> {
        let actor = operator.writer()?;
        let row = self.row(tenant).await?;
        let mut change = self.store.change().await?;
        let user = known(&mut change, user).await?;
        if !change.put_member(row.id, user.id, &Roles::default()).await? {
            return Err(ControlError::not_found("member", &user.name));
        }
        change.audit(actor, "member.remove", &row, user.name.as_str()).await?;
        change.commit().await?;
        self.identity.forget_user(user.id);
        Ok(())
    }
}

async fn known(change: &mut crate::store::Change, text: &str) -> Result<User> {
    let missing = || ControlError::not_found("user", text.chars().take(80).collect::<String>());
    let name = UserName::parse(text).map_err(|_no_name| missing())?;
    change.user(&name).await?.ok_or_else(missing)
}

/// Refuses a change after which nobody could enter the console.
async fn keep_one_super_user(change: &mut crate::store::Change, before: &User) -> Result<()> {
    if before.super_user && change.super_users().await? == 0 {
        return Err(ControlError::Conflict(format!("`{}` is the last Super User", before.name)));
    }
    Ok(())
}

fn read_email(email: Option<String>, wrong: &mut Vec<FieldError>) -> Option<String> {
    let email = email?;
    let fits = email.len() <= 254
        && email.split_once('@').is_some_and(|(local, host)| !local.is_empty() && host.contains('.'))
        && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if !fits {
        wrong.push(FieldError {
            field: "email".into(),
            detail: "an address such as `ada@club.example`".into(),
        });
    }
    Some(email)
}

fn view(user: &User) -> UserView {
    UserView {
        id: user.id.to_string(),
        name: user.name.to_string(),
        email: user.email.clone(),
        super_user: user.super_user,
        disabled: user.disabled,
        must_change_password: user.must_change_password,
        created_at: rfc3339(user.created_at),
    }
}

fn member(user: &User, roles: &Roles) -> MemberView {
    MemberView { user: user.name.to_string(), roles: roles.iter().map(|role| role.to_string()).collect() }
}
