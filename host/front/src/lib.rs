//! From a connection to an answer.
//!
//! [`serve`] accepts connections, `pipeline` is the only place that knows the order a request takes
//! (resolve → session → cache → guest → fill → reply), `reply` the only place that turns errors into statuses. The
//! console and the API come in as one router from the composition root: the request path does not know
//! the control plane.

mod arriving;
mod body;
mod cached;
mod facts;
mod health;
mod mark;
mod pages;
mod pipeline;
mod proxies;
mod proxy_protocol;
mod reply;
mod server;
mod sign_in;
mod visitor;

pub use body::{OutgoingBody, Told};
pub use cached::Pages;
pub use facts::InvalidRequest;
pub use health::Readiness;
pub use mark::{AFFINITY_COOKIE, Mark};
pub use pipeline::{Front, FrontConfig, LookAgain};
pub use proxies::{ForwardedForm, TrustedProxies};
pub use server::{ServerConfig, serve};
