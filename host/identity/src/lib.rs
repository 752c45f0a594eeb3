//! Who somebody is and what they may do: users, passwords, sessions, roles, API tokens and permits.
//!
//! [`Identity`] is the facade for the front room and the control plane. It keeps nothing itself but a
//! small cache of sessions and the first counters of the sign-in limiter; what lasts, or counts for all
//! servers, is behind [`IdentityStore`], which the control plane implements. No guest ever sees a password or a session
//! token, and neither is stored: of a password there is an argon2id hash, of a token its digest.
//!
//! Invariants: a session counts for one [`Scope`] only, so one of tenant A is nothing at tenant B or at
//! the console; an [`Operator`] is made by authentication and by nothing else; an unknown user and a
//! wrong password take the same work and give the same answer.

mod cache;
pub mod cookie;
pub mod csrf;
mod limiter;
mod operator;
mod password;
mod service;
mod session;
mod store;
mod token;
mod user;

pub use limiter::SignInLimits;
pub use operator::{NotAllowed, Operator};
pub use password::{HashCost, Hasher, PasswordError, PasswordHash, WeakPassword, check_rules};
pub use service::{ChangeError, Identity, SignInError};
pub use session::{Scope, SessionToken, SignedIn};
pub use store::{
    IdentityStore, Later, NewSession, SignInKey, StoreError, StoredSession, StoredToken, StoredUser,
};
pub use token::{ApiToken, InvalidTokenScope, TokenScope};
pub use user::{InvalidRole, InvalidUserName, Membership, Role, Roles, User, UserName};
