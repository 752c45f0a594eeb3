//! The control plane: what exists, and every change of it.
//!
//! The composition root makes one [`Control`] and everything else hangs on it:
//! 1. `let directory = Arc::new(Directory::new(Snapshot::empty(base)))`
//! 2. `let control = Control::open(config, directory, data, modules, cache).await?` where `data` and `modules`
//!    are the adapters of [`adapters`] and `cache` is the composition root's; this opens the control database and makes the identity room
//!    (`control.identity()`, for the front room)
//! 3. `let first = control.bootstrap(Some(&shipped)).await?`: makes the first Super User and the operator's token
//!    where there is nobody, and pushes the shipped module where it is new
//! 4. `control.recover().await?`: loads the snapshot and finishes what a crash left half done
//!    (on a server of a single site, `control.single_site(&wish).await?` finds or makes it after that)
//! 5. `control.start(stop)`: the reconciler, which looks when it is woken and by a timer, the beat that tells other
//!    servers of this one, the hourly purge, runs to work on
//! 6. [`router`] under `/-/api/v1` of the console's host, and [`metrics_router`] at `/-/metrics`
//!
//! API, console and command line go through the services on [`Control`], and each service asks for an
//! [`rowhouse_identity::Operator`]. The request path is reached in one place, the reconciler's swap of
//! the tenant snapshot. sqlx stays in `store`.

pub mod adapters;
pub mod api;
pub mod console;
mod control;
mod error;
mod kept;
mod link;
pub mod ports;
mod services;
mod store;
mod sync;
pub mod types;
mod words;

pub use api::{metrics_router, router};
pub use control::{Control, ControlConfig, OpenError};
pub use error::{ControlError, FieldError};
pub use services::bootstrap::{FirstStart, ShippedModule};
pub use services::single::{SingleError, SingleOwner, SingleSite, SingleWish};
pub use store::{ControlFacts, ControlUrl, DatabaseError, UrlError};

#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
