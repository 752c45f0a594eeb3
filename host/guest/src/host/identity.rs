//! `rowhouse:host/identity`: the signed-in user, never a password or a token.

use crate::store::GuestState;
use rowhouse_bindings::host::identity::{Host, User};

impl Host for GuestState {
    fn current(&mut self) -> wasmtime::Result<Option<User>> {
        let scope = self.scope()?;
        if let Some(trace) = &scope.trace {
            trace.asked_for_the_visitor();
        }
        Ok(scope.user.as_ref().map(|user| User {
            id: user.id.to_string(),
            name: user.name.clone(),
            roles: user.roles.clone(),
        }))
    }
}
