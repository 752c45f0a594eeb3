//! The connection, and the only file of this crate that names the library. It is made by `rowhouse-redis`.
//!
//! One connection publishes and listens (RESP3 carries both). So what is proven by hearing an own tick is
//! proven of the very server that takes this server's hints: with two connections, a failover could leave
//! one at the old master and the other at the new. In a cluster it is a connection to the node that owns the channel,
//! with sharded publish and subscribe: an ordinary publish would travel between nodes after it was
//! acknowledged, and nothing would say when it arrived.

use crate::message::Server;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ProtocolVersion, PushInfo, PushKind, RedisError, Value};
use rowhouse_redis::{Connector, RedisNamespace, RedisTopology, RedisUrl};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// An answer that takes longer is none: five ticks.
const ANSWER: Duration = Duration::from_secs(1);

/// Messages that wait to be heard. Some thousand a second is what a farm says at most.
const INBOX: usize = 4096;

/// Redirections from one node of a cluster to another; one is usual.
const REDIRECTIONS: usize = 5;

/// How long a server counts as present after its last tick, in milliseconds.
const PRESENT_MS: u64 = 3000;

/// The generation never goes back: two servers may tell theirs in any order.
const RAISE: &str = "local now = tonumber(redis.call('GET', KEYS[1]) or '0') \
    if not now or tonumber(ARGV[1]) > now then redis.call('SET', KEYS[1], ARGV[1]) end return 1";

/// Redis didn't do as it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("speak to Redis")]
    Redis(#[from] RedisError),
    #[error("no node of the cluster owns the channel")]
    Redirections,
    #[error("the connection to Redis ended")]
    Ended,
    #[error("nothing is heard although Redis takes what is said")]
    Deaf,
    #[error("Redis did not answer in time")]
    Timeout,
}

/// What comes in.
pub(crate) struct Inbox {
    messages: mpsc::Receiver<Option<Vec<u8>>>,
    overflowed: Arc<AtomicBool>,
}

impl Inbox {
    /// The next message. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Vec<u8>, LinkError> {
        self.messages.recv().await.flatten().ok_or(LinkError::Ended)
    }

    /// True once after messages were dropped. Asked before each message is heard, so that none that came
    /// after a dropped one is taken as proof.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.overflowed.swap(false, Ordering::AcqRel)
    }
}

/// A connection that is subscribed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    names: Arc<Names>,
}

/// Names in Redis. The braces keep them on one node of a cluster.
struct Names {
    channel: String,
    generation: String,
    presence: String,
    publish: &'static str,
    subscribe: &'static str,
}

impl Names {
    fn new(url: &RedisUrl, namespace: &RedisNamespace, server: Server) -> Self {
        let sharded = *url.topology() == RedisTopology::Cluster;
        Self {
            channel: format!("{{{namespace}}}:farm"),
            generation: format!("{{{namespace}}}:generation"),
            presence: format!("{{{namespace}}}:server:{server}"),
            publish: if sharded { "SPUBLISH" } else { "PUBLISH" },
            subscribe: if sharded { "SSUBSCRIBE" } else { "SUBSCRIBE" },
        }
    }
}

impl Link {
    /// Connects and subscribes; returns once Redis has confirmed it.
    pub(crate) async fn connect(
        url: &RedisUrl,
        namespace: &RedisNamespace,
        server: Server,
    ) -> Result<(Self, Inbox), LinkError> {
        let names = Arc::new(Names::new(url, namespace, server));
        let connector = Connector::new(url, ProtocolVersion::RESP3);
        if let RedisTopology::Sentinel { master } = url.topology() {
            let (config, inbox) = listening();
            let connection = connector.master(master, &config).await?;
            let mut link = Self { connection, names };
            link.subscribe().await?;
            return Ok((link, inbox));
        }
        // Any node of a cluster names the owner; a server on its own is its own owner.
        let mut last = LinkError::Redirections;
        for node in url.nodes() {
            match Self::follow(connector, node.clone(), &names).await {
                Ok(linked) => return Ok(linked),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn follow(
        connector: Connector<'_>,
        mut node: (String, u16),
        names: &Arc<Names>,
    ) -> Result<(Self, Inbox), LinkError> {
        for _ in 0..REDIRECTIONS {
            let (config, inbox) = listening();
            let connection = connector.node(&node, &config).await?;
            let mut link = Self { connection, names: Arc::clone(names) };
            match link.subscribe().await {
                Ok(()) => return Ok((link, inbox)),
                Err(error) => node = redirection(&error, &node).ok_or(error)?,
            }
        }
        Err(LinkError::Redirections)
    }

    async fn subscribe(&mut self) -> Result<(), RedisError> {
        Cmd::new().arg(self.names.subscribe).arg(&self.names.channel).exec_async(&mut self.connection).await
    }

    /// Returns once Redis has handed the text to everyone who listens.
    pub(crate) async fn publish(mut self, text: String) -> Result<(), LinkError> {
        let names = Arc::clone(&self.names);
        let command = Cmd::new().arg(names.publish).arg(&names.channel).arg(text).to_owned();
        Ok(command.exec_async(&mut self.connection).await?)
    }

    /// Publishes a tick, and writes. Only a master takes a write: one that became a replica would still
    /// publish, to those alone who listen to it.
    pub(crate) async fn tick(mut self, text: String) -> Result<(), LinkError> {
        let names = Arc::clone(&self.names);
        let mut both = redis::pipe();
        both.cmd("SET").arg(&names.presence).arg(1).arg("PX").arg(PRESENT_MS).ignore();
        both.cmd(names.publish).arg(&names.channel).arg(text).ignore();
        Ok(both.exec_async(&mut self.connection).await?)
    }

    /// The generation that was told last, where Redis still knows.
    pub(crate) async fn generation(mut self) -> Result<Option<u64>, LinkError> {
        let names = Arc::clone(&self.names);
        Ok(Cmd::new().arg("GET").arg(&names.generation).query_async(&mut self.connection).await?)
    }

    /// Raises the generation, then publishes it.
    pub(crate) async fn raise(mut self, generation: u64, text: String) -> Result<(), LinkError> {
        let names = Arc::clone(&self.names);
        let mut both = redis::pipe();
        both.cmd("EVAL").arg(RAISE).arg(1).arg(&names.generation).arg(generation).ignore();
        both.cmd(names.publish).arg(&names.channel).arg(text).ignore();
        Ok(both.exec_async(&mut self.connection).await?)
    }

    /// Takes this server's presence back.
    pub(crate) async fn leave(mut self) -> Result<(), LinkError> {
        let names = Arc::clone(&self.names);
        Ok(Cmd::new().arg("DEL").arg(&names.presence).exec_async(&mut self.connection).await?)
    }
}

/// A configuration whose connection puts what it hears into the inbox.
fn listening() -> (AsyncConnectionConfig, Inbox) {
    let (sender, messages) = mpsc::channel(INBOX);
    let overflowed = Arc::new(AtomicBool::new(false));
    let inbox = Inbox { messages, overflowed: Arc::clone(&overflowed) };
    let hear = move |push: PushInfo| -> Result<(), ()> {
        let item = match push.kind {
            PushKind::Message | PushKind::SMessage => match push.data.into_iter().nth(1) {
                Some(Value::BulkString(text)) => Some(text),
                // Nothing that was published looks like that: let it be read as what it is, unreadable.
                _ => Some(Vec::new()),
            },
            // A cluster takes a subscription away when the channel moves to another node.
            PushKind::Disconnection | PushKind::Unsubscribe | PushKind::SUnsubscribe => None,
            _ => return Ok(()),
        };
        if sender.try_send(item).is_err() {
            overflowed.store(true, Ordering::Release);
        }
        Ok(())
    };
    (Connector::config().set_response_timeout(Some(ANSWER)).set_push_sender(hear), inbox)
}

/// Where a node of a cluster sends us, as `HOST:PORT`. A cluster without names leaves the host out.
fn redirection(error: &RedisError, from: &(String, u16)) -> Option<(String, u16)> {
    let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
    let host = if host.is_empty() { from.0.clone() } else { host.to_owned() };
    Some((host, port.parse().ok()?))
}
