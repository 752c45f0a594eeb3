//! The control plane: what exists, and every change of it.
//!
//! The composition root makes one [`Control`] and everything else hangs on it:
//! 1. `let directory = Arc::new(Directory::new(Snapshot::empty(base)))`
//! 2. `let control = Control::open(config, directory, data, modules).await?` where `data` and `modules` are
//!    the adapters of [`adapters`]; this opens the control database and makes the identity room
//!    (`control.identity()`, for the front room)
//! 3. `let first = control.bootstrap(Some(&shipped)).await?`: makes the first Super User and the operator's token
//!    where there is nobody, and pushes the shipped module where it is new
//! 4. `control.recover().await?`: loads the snapshot and finishes what a crash left half done
//! 5. `control.start(stop)`: the timer of the reconciler, the hourly purge, activations to resume
//! 6. [`router`] under `/-/api/v1` of the console's host
//!
//! API, console and command line go through the services on [`Control`], and each service asks for an
//! [`rowhouse_identity::Operator`]. The request path is reached in one place, the reconciler's swap of
//! the tenant snapshot. sqlx stays in `store`.

pub mod adapters;
pub mod api;
pub mod console;
mod control;
mod error;
pub mod ports;
mod services;
mod store;
mod sync;
pub mod types;

pub use api::router;
pub use control::{Control, ControlConfig, OpenError};
pub use error::{ControlError, FieldError};
pub use services::bootstrap::{FirstStart, ShippedModule};
pub use store::{ControlUrl, DatabaseError, UrlError};

#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
