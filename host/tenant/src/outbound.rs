//! Where a tenant's guest may send HTTP requests: `api.example`, `*.example.org`, each with a port or
//! without. What is on no list is refused; addresses are checked apart from names, by who connects.

use rowhouse_base::{Hostname, hostname};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The ports that a rule without one stands for.
const USUAL_PORTS: [u16; 2] = [80, 443];

/// One entry of a tenant's list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OutboundRule {
    host: Hostname,
    /// True for every name below the host, and not for itself.
    below: bool,
    port: Option<u16>,
}

/// What is wrong with an entry.
#[derive(Debug, thiserror::Error)]
pub enum InvalidOutbound {
    /// The host name is malformed.
    #[error("read the outbound host")]
    Host(#[from] hostname::InvalidHostname),
    /// The port is malformed.
    #[error("`{0}` is not a port: a number from 1 to 65535, after a host that is written without `http://`")]
    Port(String),
    /// A wildcard directly below a top-level name stands for half the internet.
    #[error("`*.{0}` is too wide: a wildcard needs at least two labels, such as `*.club.example`")]
    TooWide(Hostname),
}

impl OutboundRule {
    /// True where the rule allows requests to this host and port.
    #[must_use]
    pub fn allows(&self, host: &Hostname, port: u16) -> bool {
        let port_fits = self.port.map_or(USUAL_PORTS.contains(&port), |own| own == port);
        let host = canonical(host.clone());
        let host_fits = if self.below {
            let rest = host.as_str().strip_suffix(self.host.as_str());
            rest.is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.host
        };
        port_fits && host_fits
    }
}

/// IPv6 addresses have many spellings.
fn canonical(host: Hostname) -> Hostname {
    let inner = host.as_str().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = inner.and_then(|text| text.parse::<Ipv6Addr>().ok());
    address.and_then(|address| Hostname::parse(&format!("[{address}]")).ok()).unwrap_or(host)
}

impl FromStr for OutboundRule {
    type Err = InvalidOutbound;

    fn from_str(text: &str) -> Result<Self, InvalidOutbound> {
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let invalid = |port: &str| InvalidOutbound::Port(port.chars().take(20).collect());
        let port = port
            .map(|port| match port.parse() {
                Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => Ok(number),
                _ => Err(invalid(port)),
            })
            .transpose()?;
        let host = canonical(Hostname::parse(host)?);
        if below && host.split_first_label().is_none() {
            return Err(InvalidOutbound::TooWide(host));
        }
        Ok(Self { host, below, port })
    }
}

impl fmt::Display for OutboundRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.below { "*." } else { "" };
        write!(f, "{star}{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl TryFrom<String> for OutboundRule {
    type Error = InvalidOutbound;

    fn try_from(text: String) -> Result<Self, InvalidOutbound> {
        text.parse()
    }
}

impl From<OutboundRule> for String {
    fn from(rule: OutboundRule) -> Self {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, host: &str, port: u16) -> bool {
        rule.parse::<OutboundRule>().unwrap().allows(&Hostname::parse(host).unwrap(), port)
    }

    #[test]
    fn a_rule_allows_what_it_names() {
        assert!(allows("API.example", "api.Example", 443) && allows("api.example", "api.example.", 80));
        assert!(!allows("api.example", "api.example", 8080) && !allows("api.example", "x.api.example", 443));
        assert!(
            allows("api.example:8080", "api.example", 8080) && !allows("api.example:8080", "api.example", 80)
        );
        assert!(
            allows("*.example.org", "a.example.org", 443) && allows("*.example.org", "a.b.example.org", 443)
        );
        assert!(
            !allows("*.example.org", "example.org", 443) && !allows("*.example.org", "badexample.org", 443)
        );
        assert!(allows("[0:0::1]:80", "[::1]", 80) && allows("127.0.0.1:81", "127.0.0.1", 81));
        assert!(allows("bücher.example", "xn--bcher-kva.example", 443));
    }

    #[test]
    fn text_and_back() {
        for text in ["api.example", "*.example.org:8443", "[::1]:80", "127.0.0.1:81"] {
            assert_eq!(text.parse::<OutboundRule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "", "*", "*.", "*.com", "a..b", "a:0", "a:+80", "a:65536", "a:", "http://a", "a/b", "u@a",
            "*.*.a.b",
        ] {
            assert!(text.parse::<OutboundRule>().is_err(), "{text}");
        }
    }
}
