//! What lies behind the memory: a store that servers share. Whatever goes wrong there is a miss.

use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A boxed future, so that the trait can be an object.
pub type Bounded<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who may make a page that several servers miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leased {
    /// This server: it must release.
    Mine,
    /// Another server makes it.
    Others,
    /// Nobody can say: make it.
    Unknown,
}

/// A store that several servers share, such as Redis. Keys are SHA-256; values are checked by the cache when
/// read, so a wrong one does no harm. Implementations bound every wait to a few milliseconds.
pub trait SecondLevel: Send + Sync + 'static {
    /// The value of a key. A failure is a miss.
    fn get<'a>(&'a self, key: &'a [u8; 32]) -> Bounded<'a, Option<Bytes>>;

    /// Sets a value in the background; may be dropped where too many wait.
    fn put(&self, key: [u8; 32], value: Bytes, ttl: Duration);

    /// Removes a value in the background. Must be done in order with `put` of the same key.
    fn remove(&self, key: [u8; 32]);

    /// Asks to be the only one to make a page, for at most `ttl`.
    fn lease<'a>(&'a self, key: &'a [u8; 32], ttl: Duration) -> Bounded<'a, Leased>;

    /// Gives back what was `Mine`.
    fn release(&self, key: [u8; 32]);

    /// By how many microseconds the clock of the store is ahead of this machine's. Moments in values are the store's, so
    /// that servers whose clocks differ agree on how old a page is.
    fn clock_ahead(&self) -> i64 {
        0
    }
}
