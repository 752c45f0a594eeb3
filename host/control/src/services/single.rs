//! The site of a server in single-site mode: found among those there are, or made where there is none.
//!
//! It is a tenant like any other; that the base host leads to it is this server's business, held in the
//! snapshot and given at each start. Called once, by the composition root, after [`Control::recover`].

use super::recover::SERVER;
use super::{DEFAULT_RELEASE, SINGLE_SITE};
use crate::Control;
use crate::error::ControlError;
use crate::store::{About, DatabaseError};
use crate::types::CreateTenant;
use rowhouse_base::id::{TenantId, UserId};
use rowhouse_base::{Secret, TenantName, Timestamp};
use rowhouse_identity::{Role, Roles, User, UserName};
use rowhouse_tenant::{Snapshot, Tenant};
use std::sync::Arc;

type Result<T> = std::result::Result<T, SingleError>;

/// The name and title of a site that is made where neither is given.
const NAME: &str = "main";
const TITLE: &str = "My site";
/// Who may edit it.
const OWNER: &str = "owner";
/// Names that an error lists; more would hide what it says.
const LISTED: usize = 20;

/// What the operator wants the one site to be.
#[derive(Clone, Debug, Default)]
pub struct SingleWish {
    /// Its name; where there is none, the only one there is.
    pub name: Option<TenantName>,
    /// Its title where it has to be made. One that is there keeps its own.
    pub title: Option<String>,
}

/// The site that the base host leads to.
#[derive(Debug)]
pub struct SingleSite {
    /// Its name.
    pub name: TenantName,
    /// True where it was made just now.
    pub made: bool,
    /// Who was made its owner just now, where nobody was a member.
    pub owner: Option<SingleOwner>,
}

/// Somebody who became the owner of the one site.
#[derive(Debug)]
pub enum SingleOwner {
    /// A new user with this one-time password. The caller shows it once; it can't be had again.
    New(UserName, Secret),
    /// One who was there, with the password they have.
    Known(UserName),
}

/// There is no telling which site is meant, or it could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SingleError {
    /// More than one could be meant.
    #[error("there are several sites ({0}): name the one that the base address is to lead to")]
    Several(String),
    /// Others are here, but not the one that is named.
    #[error("there is no site `{wanted}`; there are {there}")]
    Unknown {
        /// As given.
        wanted: TenantName,
        /// The names of those there are.
        there: String,
    },
    /// There is nothing to make it of.
    #[error("there is no default release to make the site of")]
    NoRelease,
    /// A service failed.
    #[error("make the one site")]
    Control(#[from] ControlError),
}

impl From<DatabaseError> for SingleError {
    fn from(error: DatabaseError) -> Self {
        Self::Control(error.into())
    }
}

impl Control {
    /// Makes the base host lead to the one site: the named one; else the one that it led to the last time; else
    /// the only one; else one that is made now, with an owner. May be repeated: a crash in between leaves
    /// what the next start goes on with. While the control database is away it is what the kept snapshot says, and the next
    /// start does the rest.
    ///
    /// # Errors
    /// [`SingleError`]; nothing was changed where it is not [`SingleError::Control`].
    pub async fn single_site(&self, wish: &SingleWish) -> Result<SingleSite> {
        if self.standing.is_early() {
            return self.single_as_kept(wish).await;
        }
        let last = self.store.setting(SINGLE_SITE).await?;
        let last = last.and_then(|text| text.parse::<TenantId>().ok());
        let found = choose(&self.directory.snapshot(), wish.name.as_ref(), last)?;
        let (id, name, made) = match found {
            Some(tenant) => (tenant.id, tenant.name.clone(), false),
            None => {
                let (id, name) = self.make_single(wish).await?;
                (id, name, true)
            }
        };
        if last != Some(id) {
            let mut change = self.store.change().await?;
            change.set(SINGLE_SITE, Some(&id.to_string())).await?;
            change.audit(SERVER, "server.single-site", About::Tenant(name.as_str(), id), "").await?;
            change.commit().await?;
        }
        let owner = self.own_single(id, &name, made).await?;
        self.reconciler.lead_to(name.clone()).await;
        Ok(SingleSite { name, made, owner })
    }

    /// The site as it was kept, where the control database is away: nothing is made and nothing recorded.
    async fn single_as_kept(&self, wish: &SingleWish) -> Result<SingleSite> {
        let last = self.reconciler.kept_single();
        let found = choose(&self.directory.snapshot(), wish.name.as_ref(), last)?;
        let name = found.ok_or(DatabaseError::Away)?.name.clone();
        self.reconciler.lead_to(name.clone()).await;
        Ok(SingleSite { name, made: false, owner: None })
    }

    async fn make_single(&self, wish: &SingleWish) -> Result<(TenantId, TenantName)> {
        // A tenant without a release would be made, and never be seen.
        if self.store.setting(DEFAULT_RELEASE).await?.is_none() {
            return Err(SingleError::NoRelease);
        }
        let request = CreateTenant {
            name: wish.name.as_ref().map_or(NAME, TenantName::as_str).to_owned(),
            title: Some(wish.title.clone().unwrap_or_else(|| TITLE.to_owned())),
            ..CreateTenant::default()
        };
        let row = self.draft(request).await?;
        let row = self.reserve(SERVER, row, "tenant.create").await?;
        match self.complete(SERVER, &row).await {
            Ok(row) => Ok((row.id, row.name)),
            Err(error) => {
                self.take_back(SERVER, &row, &error).await;
                Err(error.into())
            }
        }
    }

    /// Gives a site that nobody may edit an owner. The user and what they own come in one change, so that a
    /// crash can't leave a user whose password nobody saw. A user of that name who is no member any more was
    /// taken out on purpose, unless the site is new.
    async fn own_single(&self, id: TenantId, name: &TenantName, made: bool) -> Result<Option<SingleOwner>> {
        if !self.store.members(id).await?.is_empty() {
            return Ok(None);
        }
        let owner = UserName::parse(OWNER).map_err(|error| ControlError::field("name", error))?;
        let roles: Roles = [Role::Owner].into_iter().collect();
        let password = Secret::password();
        let hash = self.identity.hasher().hash(password.clone()).await.map_err(ControlError::from)?;
        let mut change = self.store.change().await?;
        let known = change.user(&owner).await?;
        if known.is_some() && !made {
            return Ok(None);
        }
        let user = match &known {
            Some(user) => user.clone(),
            None => {
                let user = new_user(owner.clone());
                change.add_user(&user, &hash).await?;
                change.audit(SERVER, "user.create", &user, "").await?;
                user
            }
        };
        change.put_member(id, user.id, &roles).await?;
        let detail = format!("{owner}: {roles}");
        change.audit(SERVER, "member.set", About::Tenant(name.as_str(), id), &detail).await?;
        change.commit().await?;
        self.identity.forget_user(user.id);
        Ok(Some(match known {
            Some(_) => SingleOwner::Known(owner),
            None => SingleOwner::New(owner, password),
        }))
    }
}

fn new_user(name: UserName) -> User {
    User {
        id: UserId::new(),
        name,
        email: None,
        super_user: false,
        disabled: false,
        must_change_password: true,
        created_at: Timestamp::now(),
    }
}

/// The site that is meant; none where there is no site at all.
fn choose(
    snapshot: &Snapshot,
    wanted: Option<&TenantName>,
    last: Option<TenantId>,
) -> Result<Option<Arc<Tenant>>> {
    let there = || snapshot.tenants().filter(|tenant| tenant.state.has_address());
    if let Some(wanted) = wanted {
        return match snapshot.by_name(wanted.as_str()) {
            Some(tenant) => Ok(Some(Arc::clone(tenant))),
            None if there().next().is_none() => Ok(None),
            None => Err(SingleError::Unknown { wanted: wanted.clone(), there: listed(there()) }),
        };
    }
    let last = last.and_then(|id| snapshot.by_id(id)).filter(|tenant| tenant.state.has_address());
    if let Some(tenant) = last {
        return Ok(Some(Arc::clone(tenant)));
    }
    let mut all = there();
    match (all.next(), all.next()) {
        (Some(_), Some(_)) => Err(SingleError::Several(listed(there()))),
        (only, _) => Ok(only.cloned()),
    }
}

/// The first names in their order, and how many more there are.
fn listed<'a>(tenants: impl Iterator<Item = &'a Arc<Tenant>>) -> String {
    let mut names: Vec<&str> = tenants.map(|tenant| tenant.name.as_str()).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let names = names.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}
