//! The registry of ids. Each is a UUID of version 7, so that ids sort by the time they were made,
//! and each is a type of its own, so that one can't stand in for another.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, never made before.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default id would be a surprise")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// A new id that sorts by this moment, where it has to come after ids that other machines made: their
            /// clocks may be ahead.
            #[must_use]
            pub fn at(moment: Timestamp) -> Self {
                let micros = u64::try_from(moment.0).unwrap_or(0);
                let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
                let moment = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
                Self(Uuid::new_v7(moment))
            }

            /// The 16 bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The length of its text.
            pub const TEXT_BYTES: usize = uuid::fmt::Hyphenated::LENGTH;

            /// Its text, as Display shows it, without an allocation.
            pub fn write_to<'a>(&self, text: &'a mut [u8; Self::TEXT_BYTES]) -> &'a str {
                self.0.as_hyphenated().encode_lower(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// A tenant. Never used again, even when its name is.
    TenantId;
    /// A person who can sign in.
    UserId;
    /// An API token.
    TokenId;
    /// One request, shown to visitors on error pages and found again in the logs.
    RequestId;
    /// One run: an activation or a rollback of a release over a set of tenants.
    RunId;
    /// One server. Kept in its data folder, so that it is the same after a restart.
    ServerId;
    /// One row of the audit trail.
    AuditId;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn ids_sort_by_birth_and_round_trip() {
        let first = TenantId::new();
        let second = TenantId::new();
        assert!(first < second);
        assert_eq!(first.to_string().parse::<TenantId>(), Ok(first));
        assert_eq!(first.write_to(&mut [0; TenantId::TEXT_BYTES]), first.to_string());
    }

    #[test]
    fn ids_sort_by_the_moment_they_are_given() {
        let day = Timestamp(1_800_000_000_000_000);
        let ids =
            [day, day.after(Duration::from_millis(1)), day.after(Duration::from_secs(60))].map(RunId::at);
        assert!(ids.is_sorted(), "{ids:?}");
        assert_ne!(RunId::at(day), RunId::at(day));
    }
}
