//! The first start: somebody who can enter, a token for the command line, and the shipped module.

use super::recover::SERVER;
use crate::Control;
use crate::error::ControlError;
use bytes::Bytes;
use rowhouse_base::id::UserId;
use rowhouse_base::secret::Secret;
use rowhouse_base::{Digest, Timestamp};
use rowhouse_identity::{TokenScope, User, UserName};
use rowhouse_tenant::ReleaseName;

type Result<T> = std::result::Result<T, ControlError>;

/// The Super User of the first start.
const ADMIN: &str = "admin";

/// The site module that came with the server.
#[derive(Clone, Debug)]
pub struct ShippedModule {
    /// Such as `site@0.1.0`.
    pub release: ReleaseName,
    /// The component.
    pub bytes: Bytes,
}

/// What the first start made. The caller shows or writes it once; it can't be had again.
#[derive(Debug, Default)]
pub struct FirstStart {
    /// Name and one-time password of the Super User, where there was none.
    pub admin: Option<(String, Secret)>,
    /// A token that may do everything, where there was no Super User; for `DATA/operator.token`.
    pub operator_token: Option<Secret>,
    /// The shipped module was new and is a release now.
    pub pushed: Option<ReleaseName>,
}

impl Control {
    /// Makes what a server needs to be used. May be repeated: what is there stays as it is.
    ///
    /// The Super User comes last: a crash before it means that the next start makes it again, with a
    /// password that somebody sees.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn bootstrap(&self, shipped: Option<&ShippedModule>) -> Result<FirstStart> {
        let mut first = FirstStart::default();
        if self.standing.is_early() {
            self.standing.keep_shipped(shipped);
            return Ok(first);
        }
        if let Some(module) = shipped {
            first.pushed = self.push_shipped(module).await?;
        }
        let name = UserName::parse(ADMIN).map_err(|error| ControlError::field("name", error))?;
        if self.store.has_super_user().await? || self.store.user(&name).await?.is_some() {
            return Ok(first);
        }
        let (_, token) =
            self.add_token(SERVER, "operator", vec![TokenScope::Read, TokenScope::Write], None).await?;
        let password = Secret::password();
        let admin = User {
            id: UserId::new(),
            name,
            email: None,
            super_user: true,
            disabled: false,
            must_change_password: true,
            created_at: Timestamp::now(),
        };
        first.operator_token = Some(token);
        match self.add_user(SERVER, &admin, password.clone()).await {
            Ok(()) => first.admin = Some((ADMIN.to_owned(), password)),
            // Another server that started at the same time was first; its operator saw the password.
            Err(error) if !self.store.has_super_user().await? => return Err(error),
            Err(_there) => {}
        }
        Ok(first)
    }

    /// Makes a new operator token, for a server whose token file was lost. Whoever can call this has the data folder.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn renew_operator_token(&self) -> Result<Secret> {
        let (_, token) =
            self.add_token(SERVER, "operator", vec![TokenScope::Read, TokenScope::Write], None).await?;
        Ok(token)
    }

    /// Pushes the shipped module where its version is new; the first one becomes the default.
    async fn push_shipped(&self, module: &ShippedModule) -> Result<Option<ReleaseName>> {
        let known = self.store.release(&module.release).await?;
        if known.as_ref().is_some_and(|known| known.digest != Digest::of(&module.bytes)) {
            // Releases never change: what is stored stays, and only a new version brings the new bytes.
            tracing::warn!(release = %module.release, "the shipped module differs from the release of that name");
        }
        if known.is_none() {
            self.push(SERVER, module.release.clone(), None, module.bytes.clone()).await?;
        }
        if self.store.setting(super::DEFAULT_RELEASE).await?.is_none() {
            let mut change = self.store.change().await?;
            change.set(super::DEFAULT_RELEASE, Some(module.release.as_str())).await?;
            change.audit(SERVER, "release.default", module.release.as_str(), "").await?;
            change.commit().await?;
        }
        Ok(known.is_none().then(|| module.release.clone()))
    }
}
