//! From a connection to an answer.
//!
//! [`serve`] accepts connections, `pipeline` is the only place that knows the order a request takes
//! (resolve → session → guest → reply), `reply` the only place that turns errors into statuses. The
//! console and the API come in as one router from the composition root: the request path does not know
//! the control plane.

mod body;
mod facts;
mod health;
mod pages;
mod pipeline;
mod reply;
mod server;
mod sign_in;
mod visitor;

pub use body::OutgoingBody;
pub use facts::InvalidRequest;
pub use health::Readiness;
pub use pipeline::{Front, FrontConfig};
pub use server::{ServerConfig, serve};
