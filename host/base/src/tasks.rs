//! Background tasks of the server. The only place that spawns one outside a room's own worker pool,
//! so that every task has a name and none ends unnoticed.

use std::future::Future;
use tokio::task::JoinHandle;

/// Starts a task that is meant to run until the server stops. Its end by panic is logged as an error
/// with its name; the panic goes no further.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let inner = tokio::spawn(future);
    tokio::spawn(async move {
        if let Err(error) = inner.await
            && error.is_panic()
        {
            tracing::error!(task = name, "background task panicked");
        }
    })
}
