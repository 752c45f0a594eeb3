//! Connections to the Redis of a URL: to one of its nodes, to the master that its Sentinels know, to its cluster.
//!
//! The only file of the house in which a [`RedisUrl`] becomes what the library connects by. Both rooms get the same
//! address, TLS, database, names and passwords; they differ by the protocol's version and by what their connections
//! do with what comes in. Each call makes one attempt. Called by `announce` and `cache`.

use crate::url::RedisUrl;
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, RedisResult, TlsMode,
};
use std::time::Duration;

/// A connection that takes longer is none. A local network needs a few milliseconds, TLS included.
const CONNECT: Duration = Duration::from_millis(500);

/// Another attempt at a command in a cluster: one for a redirection, one for a connection that ended meanwhile.
const RETRIES: u32 = 2;

/// Waits before such an attempt, in milliseconds: the shortest and the longest.
const RETRY_MS: (u64, u64) = (1, 10);

/// Makes connections to the Redis of a URL.
#[derive(Clone, Copy, Debug)]
pub struct Connector<'a> {
    url: &'a RedisUrl,
    protocol: ProtocolVersion,
}

impl<'a> Connector<'a> {
    /// One that speaks this version of the protocol, once connected.
    #[must_use]
    pub fn new(url: &'a RedisUrl, protocol: ProtocolVersion) -> Self {
        Self { url, protocol }
    }

    /// What connections are like where the room wishes nothing else: making one has a bound.
    #[must_use]
    pub fn config() -> AsyncConnectionConfig {
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT))
    }

    /// To one server, at a host and a port. It need not be one that the URL names: nodes of a cluster tell of others.
    ///
    /// # Errors
    /// The library's, where there is no connection.
    pub async fn node(
        self,
        node: &(String, u16),
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        Client::open(self.info(node)?)?.get_multiplexed_async_connection_with_config(config).await
    }

    /// To the master that the Sentinels at the URL's nodes know by this name.
    ///
    /// # Errors
    /// The library's, where no Sentinel knows it or there is no connection to it.
    pub async fn master(
        self,
        name: &str,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let mut client = self.sentinel(name)?.build()?;
        client.get_async_connection_with_config(config).await
    }

    /// To the cluster that the URL's nodes belong to. An `answer` that takes longer is none.
    ///
    /// # Errors
    /// The library's, where none of the nodes answers.
    pub async fn cluster(self, answer: Duration) -> RedisResult<ClusterConnection> {
        self.cluster_client(answer)?.get_async_connection().await
    }

    fn info(self, node: &(String, u16)) -> RedisResult<ConnectionInfo> {
        Ok(self.address(node).into_connection_info()?.set_redis_settings(self.settings()))
    }

    fn address(self, (host, port): &(String, u16)) -> ConnectionAddr {
        let (host, port) = (host.clone(), *port);
        if self.url.is_tls() {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        }
    }

    fn settings(self) -> RedisConnectionInfo {
        let login = self.url.login();
        let mut settings =
            RedisConnectionInfo::default().set_protocol(self.protocol).set_db(i64::from(self.url.database()));
        if let Some(user) = &login.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &login.password {
            settings = settings.set_password(password.reveal());
        }
        settings
    }

    fn sentinel(self, master: &str) -> RedisResult<SentinelClientBuilder> {
        let (url, login, own) = (self.url, self.url.login(), self.url.sentinel_login());
        let addresses = url.nodes().iter().map(|node| self.address(node));
        let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
            .set_client_to_redis_db(i64::from(url.database()))
            .set_client_to_redis_protocol(self.protocol);
        if url.is_tls() {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(user) = &login.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &login.password {
            builder = builder.set_client_to_redis_password(password.reveal());
        }
        if let Some(user) = &own.user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &own.password {
            builder = builder.set_client_to_sentinel_password(password.reveal());
        }
        Ok(builder)
    }

    fn cluster_client(self, answer: Duration) -> RedisResult<ClusterClient> {
        let (url, login) = (self.url, self.url.login());
        let addresses = url.nodes().iter().map(|node| self.address(node));
        let (shortest, longest) = RETRY_MS;
        let mut builder = ClusterClient::builder(addresses)
            .connection_timeout(CONNECT)
            .response_timeout(answer)
            .use_protocol(self.protocol)
            .retries(RETRIES)
            .min_retry_wait(shortest)
            .max_retry_wait(longest);
        if url.is_tls() {
            builder = builder.tls(TlsMode::Secure);
        }
        if let Some(user) = &login.user {
            builder = builder.username(user);
        }
        if let Some(password) = &login.password {
            builder = builder.password(password.reveal());
        }
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_spoken_to_as_the_url_says() {
        let url = RedisUrl::parse("rediss://ada:hunter2@a:7000/3").unwrap();
        let info = Connector::new(&url, ProtocolVersion::RESP3).info(&("b".to_owned(), 7001)).unwrap();
        assert!(matches!(
            info.addr(),
            ConnectionAddr::TcpTls { host, port: 7001, insecure: false, tls_params: None } if host == "b"
        ));
        let settings = info.redis_settings();
        assert_eq!((settings.username(), settings.password()), (Some("ada"), Some("hunter2")));
        assert_eq!((settings.protocol(), settings.db()), (ProtocolVersion::RESP3, 3));
    }

    #[test]
    fn what_a_url_leaves_out_is_left_out() {
        let url = RedisUrl::parse("redis://a").unwrap();
        let info = Connector::new(&url, ProtocolVersion::RESP2).info(&url.nodes()[0]).unwrap();
        assert_eq!(info.addr(), &ConnectionAddr::Tcp("a".to_owned(), 6379));
        let settings = info.redis_settings();
        assert_eq!((settings.username(), settings.password()), (None, None));
        assert_eq!((settings.protocol(), settings.db()), (ProtocolVersion::RESP2, 0));
    }
}
