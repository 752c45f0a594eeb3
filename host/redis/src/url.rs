//! Where a farm's Redis is, as it stands in the configuration.
//!
//! Parsing only: `connect` makes connections from it. User and host are shown, passwords never, and an error says
//! what would be right without repeating what was given.

use rowhouse_base::Secret;
use std::fmt;
use std::sync::Arc;

/// Hosts in one URL. Three to seven Sentinels or seeds are usual.
const NODES: usize = 32;
const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What stands at the addresses of a [`RedisUrl`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisTopology {
    /// One server.
    Standalone,
    /// Sentinels, which know where the master of this name is.
    Sentinel {
        /// The name that the Sentinels know the master by.
        master: String,
    },
    /// Some nodes of a cluster, which know the others.
    Cluster,
}

/// A name and a password, as far as they are needed.
#[derive(Clone, Default)]
pub struct RedisLogin {
    /// The user, where it isn't `default`.
    pub user: Option<String>,
    /// The password, where one is needed.
    pub password: Option<Secret>,
}

/// Where Redis is and as whom. Display and Debug show no password.
#[derive(Clone)]
pub struct RedisUrl(Arc<Parts>);

struct Parts {
    topology: RedisTopology,
    tls: bool,
    nodes: Vec<(String, u16)>,
    login: RedisLogin,
    sentinel_login: RedisLogin,
    database: u16,
}

/// The text is no URL of a Redis; says what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// No known beginning.
    #[error(
        "a URL that begins with redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://"
    )]
    Scheme,
    /// No host, or something that can't be one.
    #[error(
        "a URL such as \"redis://USER:PASSWORD@HOST:6379/0\"; in name and password, @ : / ? # % are written %40 %3A %2F %3F %23 %25"
    )]
    Host,
    /// Several hosts of what can only be one.
    #[error("one host; several are for redis+sentinel:// and redis+cluster://")]
    OneHost,
    /// More hosts than are useful.
    #[error("at most 32 hosts")]
    Hosts,
    /// A path that isn't a number.
    #[error("the number of a database at its end, such as /0, or nothing")]
    Database,
    /// A cluster has one database.
    #[error("no database at its end, for a cluster has one")]
    ClusterDatabase,
    /// Sentinels need the name of the master.
    #[error("the name of the master at its end, such as \"redis+sentinel://HOST:26379,HOST:26379/mymaster\"")]
    Master,
    /// An unknown parameter.
    #[error("no parameters but sentinel-user and sentinel-password, for redis+sentinel://")]
    Parameter,
}

impl RedisUrl {
    /// Parses `redis[s][+sentinel|+cluster]://[USER:PASSWORD@]HOST[:PORT][,HOST…][/MASTER][/DATABASE]`.
    ///
    /// # Errors
    /// What would be right; never what was given.
    pub fn parse(text: &str) -> Result<Self, RedisUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(RedisUrlError::Scheme)?;
        let (tls, kind) = match scheme.strip_prefix("rediss") {
            Some(kind) => (true, kind),
            None => (false, scheme.strip_prefix("redis").ok_or(RedisUrlError::Scheme)?),
        };
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) =
            rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (parse_login(login)?, hosts),
            None => (RedisLogin::default(), authority),
        };
        let path = path.unwrap_or("");
        if path.contains('@') {
            // A slash in a password that is not written %2F: what follows is not a name to be shown.
            return Err(RedisUrlError::Host);
        }
        let (topology, port, database) = match kind {
            "" => (RedisTopology::Standalone, REDIS_PORT, path),
            "+sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                let master = decode(master).filter(|name| !name.is_empty()).ok_or(RedisUrlError::Master)?;
                (RedisTopology::Sentinel { master }, SENTINEL_PORT, database)
            }
            "+cluster" if path.is_empty() => (RedisTopology::Cluster, REDIS_PORT, ""),
            "+cluster" => return Err(RedisUrlError::ClusterDatabase),
            _ => return Err(RedisUrlError::Scheme),
        };
        let database = match database {
            "" => 0,
            number => number.parse().map_err(|_not_a_number| RedisUrlError::Database)?,
        };
        let nodes = hosts.split(',').map(|host| node(host, port)).collect::<Result<Vec<_>, _>>()?;
        if nodes.len() > 1 && topology == RedisTopology::Standalone {
            return Err(RedisUrlError::OneHost);
        }
        if nodes.len() > NODES {
            return Err(RedisUrlError::Hosts);
        }
        let sentinel_login = sentinel_login(query, &topology)?;
        Ok(Self(Arc::new(Parts { topology, tls, nodes, login, sentinel_login, database })))
    }

    /// What stands at the addresses.
    #[must_use]
    pub fn topology(&self) -> &RedisTopology {
        &self.0.topology
    }

    /// True where TLS is spoken, to Sentinels as well.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.tls
    }

    /// Hosts and ports; at least one.
    #[must_use]
    pub fn nodes(&self) -> &[(String, u16)] {
        &self.0.nodes
    }

    /// As whom.
    #[must_use]
    pub fn login(&self) -> &RedisLogin {
        &self.0.login
    }

    /// As whom at the Sentinels.
    #[must_use]
    pub fn sentinel_login(&self) -> &RedisLogin {
        &self.0.sentinel_login
    }

    /// The number of the database.
    #[must_use]
    pub fn database(&self) -> u16 {
        self.0.database
    }
}

/// `USER:PASSWORD`, `:PASSWORD` or `USER`.
fn parse_login(text: &str) -> Result<RedisLogin, RedisUrlError> {
    let (user, password) =
        text.split_once(':').map_or((text, None), |(user, password)| (user, Some(password)));
    let user = decode(user).ok_or(RedisUrlError::Host)?;
    let password = password.map(|text| decode(text).ok_or(RedisUrlError::Host)).transpose()?;
    Ok(RedisLogin {
        user: Some(user).filter(|user| !user.is_empty()),
        password: password.filter(|text| !text.is_empty()).map(Secret::from_text),
    })
}

fn sentinel_login(query: Option<&str>, topology: &RedisTopology) -> Result<RedisLogin, RedisUrlError> {
    let mut login = RedisLogin::default();
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        let (name, value) = pair.split_once('=').ok_or(RedisUrlError::Parameter)?;
        let value = decode(value).ok_or(RedisUrlError::Parameter)?;
        match (name, topology) {
            ("sentinel-user", RedisTopology::Sentinel { .. }) => login.user = Some(value),
            ("sentinel-password", RedisTopology::Sentinel { .. }) => {
                login.password = Some(Secret::from_text(value));
            }
            _ => return Err(RedisUrlError::Parameter),
        }
    }
    Ok(login)
}

/// `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
fn node(text: &str, default: u16) -> Result<(String, u16), RedisUrlError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(RedisUrlError::Host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_malformed| RedisUrlError::Host)?;
        match rest {
            "" => (host, None),
            rest => (host, Some(rest.strip_prefix(':').ok_or(RedisUrlError::Host)?)),
        }
    } else {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        let well_formed = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if host.is_empty() || host.len() > 253 || !well_formed {
            return Err(RedisUrlError::Host);
        }
        (host, port)
    };
    let port = match port {
        None => default,
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(RedisUrlError::Host)?,
    };
    Ok((host.to_owned(), port))
}

/// Undoes `%XX`; nothing where that is not well-formed.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.0;
        f.write_str(if parts.tls { "rediss" } else { "redis" })?;
        f.write_str(match parts.topology {
            RedisTopology::Standalone => "://",
            RedisTopology::Sentinel { .. } => "+sentinel://",
            RedisTopology::Cluster => "+cluster://",
        })?;
        if let Some(user) = &parts.login.user {
            write!(f, "{user}@")?;
        }
        for (index, (host, port)) in parts.nodes.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            if host.contains(':') {
                write!(f, "{comma}[{host}]:{port}")?;
            } else {
                write!(f, "{comma}{host}:{port}")?;
            }
        }
        match &parts.topology {
            RedisTopology::Standalone => write!(f, "/{}", parts.database),
            RedisTopology::Sentinel { master } => write!(f, "/{master}/{}", parts.database),
            RedisTopology::Cluster => Ok(()),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

impl fmt::Debug for RedisLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLogin").field("user", &self.user).field("password", &self.password).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_shown_without_passwords() {
        for (text, shown) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://localhost/", "redis://localhost:6379/0"),
            ("rediss://ada:hunter2@r.example:7000/3", "rediss://ada@r.example:7000/3"),
            ("redis://:hunter2@[::1]:7000", "redis://[::1]:7000/0"),
            ("redis://ada@[::1]", "redis://ada@[::1]:6379/0"),
            (
                "redis+sentinel://ada:hunter2@a,b:1/mymaster/2?sentinel-user=eve&sentinel-password=hunter2",
                "redis+sentinel://ada@a:26379,b:1/mymaster/2",
            ),
            ("rediss+cluster://:hunter2@a:1,b,c", "rediss+cluster://a:1,b:6379,c:6379"),
        ] {
            let url = RedisUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?} {:?} {:?}", url.login(), url.sentinel_login()).contains("hunter2"));
        }
    }

    #[test]
    fn parts_arrive() {
        let url = RedisUrl::parse("redis+sentinel://a%40b:p%2Fw%25@h/m%20x/7?sentinel-password=%73").unwrap();
        assert_eq!(url.topology(), &RedisTopology::Sentinel { master: "m x".into() });
        assert_eq!(url.login().user.as_deref(), Some("a@b"));
        assert_eq!(url.login().password.as_ref().unwrap().reveal(), "p/w%");
        assert_eq!(url.sentinel_login().password.as_ref().unwrap().reveal(), "s");
        assert!(url.sentinel_login().user.is_none() && !url.is_tls());
        assert_eq!((url.database(), url.nodes()), (7, &[("h".to_owned(), 26379)][..]));
        assert!(RedisUrl::parse("rediss+cluster://h").unwrap().is_tls());
    }

    #[test]
    fn what_is_wrong_is_told_without_repeating_it() {
        let many = format!("redis+cluster://{}", ["hunter2"; 33].join(","));
        for (text, expected) in [
            ("", RedisUrlError::Scheme),
            ("hunter2", RedisUrlError::Scheme),
            ("http://hunter2", RedisUrlError::Scheme),
            ("redis+proxy://hunter2", RedisUrlError::Scheme),
            ("redissentinel://hunter2", RedisUrlError::Scheme),
            ("redis://", RedisUrlError::Host),
            ("redis://ada:hunter2@", RedisUrlError::Host),
            ("redis://ada:hunter2%zz@h", RedisUrlError::Host),
            ("redis://ada:hunter2%4@h", RedisUrlError::Host),
            ("redis://ada:hun/ter2@h", RedisUrlError::Host),
            ("redis+sentinel://ada:1/hunter2@h/m", RedisUrlError::Host),
            ("redis://ada:1?hunter2@h", RedisUrlError::Parameter),
            ("redis://h:0", RedisUrlError::Host),
            ("redis://h:hunter2", RedisUrlError::Host),
            ("redis://[h]:1", RedisUrlError::Host),
            ("redis://[::1", RedisUrlError::Host),
            ("redis://[::1]x", RedisUrlError::Host),
            ("redis://a b", RedisUrlError::Host),
            ("redis://a,b", RedisUrlError::OneHost),
            (&many, RedisUrlError::Hosts),
            ("redis://h/hunter2", RedisUrlError::Database),
            ("redis://h/-1", RedisUrlError::Database),
            ("redis+sentinel://h/m/hunter2", RedisUrlError::Database),
            ("redis+sentinel://h", RedisUrlError::Master),
            ("redis+sentinel://h//1", RedisUrlError::Master),
            ("redis+cluster://h/1", RedisUrlError::ClusterDatabase),
            ("redis://h?db=hunter2", RedisUrlError::Parameter),
            ("redis://h?sentinel-user=hunter2", RedisUrlError::Parameter),
            ("redis+sentinel://h/m?hunter2", RedisUrlError::Parameter),
        ] {
            let error = RedisUrl::parse(text).expect_err(text);
            assert!(!error.to_string().contains("hunter2"));
            assert_eq!(error, expected, "{text}");
        }
    }
}
