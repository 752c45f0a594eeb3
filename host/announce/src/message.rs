//! The messages, as texts. Their first word is the version of the language.
//!
//! What can't be read, of a newer server for example, may have been about anything: whoever hears it
//! doubts everything.

use rowhouse_base::id::TenantId;
use std::fmt;
use uuid::Uuid;

/// Tenants in one message. Ids are 37 bytes with their space, so a message stays below 10 KB.
pub(crate) const TENANTS: usize = 256;

/// Longer texts are none of ours: 256 ids and some words.
const LONGEST: usize = 64 + 37 * (TENANTS + 1);

/// One process. Made anew at each start, so that what an earlier one said is never taken for one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Server(Uuid);

impl Server {
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4())
    }

    /// A number that differs between servers, to spread what they do at the same time.
    pub(crate) fn spread(self) -> u8 {
        self.0.as_bytes().first().copied().unwrap_or(0)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Who said what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) server: Server,
    pub(crate) said: Said,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Sent at this moment of the sender's own clock, which means nothing to others.
    Tick(u64),
    /// Data of these tenants was changed.
    Moved(Vec<TenantId>),
    /// The control state has this generation.
    Generation(u64),
    /// More was changed than could be remembered until it could be told.
    Doubt,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server;
        match &self.said {
            Said::Tick(moment) => write!(f, "1 tick {server} {moment}"),
            Said::Generation(number) => write!(f, "1 generation {server} {number}"),
            Said::Doubt => write!(f, "1 doubt {server}"),
            Said::Moved(tenants) => {
                write!(f, "1 moved {server}")?;
                tenants.iter().try_for_each(|tenant| write!(f, " {tenant}"))
            }
        }
    }
}

impl Message {
    /// Nothing where the text is none of ours.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= LONGEST)?;
        let mut words = text.split(' ');
        if words.next()? != "1" {
            return None;
        }
        let verb = words.next()?;
        let server = Server(Uuid::try_parse(words.next()?).ok()?);
        let said = match verb {
            "tick" => Said::Tick(words.next()?.parse().ok()?),
            "generation" => Said::Generation(words.next()?.parse().ok()?),
            "doubt" => Said::Doubt,
            "moved" => {
                let tenants = words.by_ref().map(|word| word.parse().ok()).collect::<Option<Vec<_>>>()?;
                Said::Moved(tenants)
            }
            _ => return None,
        };
        words.next().is_none().then_some(Self { server, said })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let server = Server::new();
        let many = std::iter::repeat_with(TenantId::new).take(TENANTS).collect();
        for said in [
            Said::Tick(u64::MAX),
            Said::Generation(7),
            Said::Doubt,
            Said::Moved(vec![TenantId::new()]),
            Said::Moved(many),
        ] {
            let message = Message { server, said };
            assert_eq!(Message::parse(message.to_string().as_bytes()), Some(message));
        }
    }

    #[test]
    fn what_is_none_of_ours_is_not_understood() {
        let server = Server::new();
        for text in [
            "",
            "1",
            "1 tick",
            "1 tick x 1",
            &format!("1 tick {server}"),
            &format!("1 tick {server} -1"),
            &format!("1 tick {server} 1 2"),
            &format!("2 tick {server} 1"),
            &format!("1 generation {server} 99999999999999999999"),
            &format!("1 moved {server} nobody"),
            &format!("1 moved {server} "),
            &format!("1 doubt {server} "),
            &format!("1 other {server}"),
            &format!("1 moved {server} {}", "x".repeat(LONGEST)),
        ] {
            assert_eq!(Message::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Message::parse(b"1 tick \xff"), None);
    }
}
