//! A way to Redis, or to a database, that takes its time: bytes pass in order, each part later by a random time.
//!
//! What a side has under way when it goes is lost with it, so a server that is killed has not said what it was saying.
//! The way ends with the [`Relay`].

use anyhow::Result;
use rand::RngExt as _;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Parts under way in one direction; who sends more waits.
const UNDER_WAY: usize = 1024;

/// Bytes of a part at most.
const PART: usize = 16 << 10;

/// How late each part is, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Lag {
    /// To Redis.
    pub(super) there: Range<u64>,
    /// From Redis.
    pub(super) back: Range<u64>,
}

/// A way to Redis that takes its time.
pub(super) struct Relay {
    address: String,
    carried: Arc<AtomicU64>,
    /// Ends all that runs on it.
    _runtime: Runtime,
}

impl Relay {
    /// Opens a way to the Redis at `HOST:PORT`.
    pub(super) fn start(redis: &str, lag: Lag) -> Result<Self> {
        Self::start_at("127.0.0.1:0", redis, lag)
    }

    /// The same from this address, as where one was that has ended.
    pub(super) fn start_at(address: &str, redis: &str, lag: Lag) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let address = listener.local_addr()?.to_string();
        let carried = Arc::new(AtomicU64::new(0));
        runtime.spawn(accept(listener, redis.to_owned(), lag, Arc::clone(&carried)));
        Ok(Self { address, carried, _runtime: runtime })
    }

    /// `HOST:PORT` of its beginning.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Parts that arrived, in both directions.
    pub(super) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, redis: String, lag: Lag, carried: Arc<AtomicU64>) {
    while let Ok((near, _from)) = listener.accept().await {
        let (redis, lag, carried) = (redis.clone(), lag.clone(), Arc::clone(&carried));
        tokio::spawn(async move {
            // Where Redis is away the connection ends, as one to a machine does that is there without it.
            if let Ok(far) = TcpStream::connect(redis).await {
                join(near, far, lag, &carried).await;
            }
        });
    }
}

/// Carries both ways until one side goes; then the other is left as well.
async fn join(near: TcpStream, far: TcpStream, lag: Lag, carried: &AtomicU64) {
    // Small parts must not wait for one another on top of the lag.
    drop((near.set_nodelay(true), far.set_nodelay(true)));
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::select! {
        () = carry(near_in, far_out, lag.there, carried) => {}
        () = carry(far_in, near_out, lag.back, carried) => {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lag: Range<u64>, carried: &AtomicU64) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let take = async move {
        loop {
            let mut part = Vec::with_capacity(PART);
            if !matches!(from.read_buf(&mut part).await, Ok(length) if length > 0) {
                return;
            }
            let due = Instant::now() + Duration::from_millis(rand::rng().random_range(lag.clone()));
            if sender.send((due, part)).await.is_err() {
                return;
            }
        }
    };
    let give = async move {
        while let Some((due, part)) = under_way.recv().await {
            sleep_until(due).await;
            if to.write_all(&part).await.is_err() {
                return;
            }
            carried.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::select! {
        () = take => {}
        () = give => {}
    }
}
