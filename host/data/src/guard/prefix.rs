//! The prefix of a tenant's tables where tenants share a database.
//!
//! `t`, the tenant's id as 26 characters of Crockford's base 32 in lower case, `_`: always 28 bytes, so that
//! no prefix with a name behind it can read as another prefix with another name. Invariant: only a tenant's
//! id makes one; a guest's text never does.

use rowhouse_base::id::TenantId;
use std::fmt;

/// How long every prefix is.
pub(super) const PREFIX_LEN: usize = 28;

/// Digits of base 32 that a UUID's 128 bits need.
const DIGITS: usize = 26;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What a template has in place of the prefix: that of no tenant, since ids of version 7 are never zero.
pub(super) const HOLE: &str = "t00000000000000000000000000_";

/// The prefix of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Prefix(String);

impl Prefix {
    /// The prefix of a tenant.
    pub(crate) fn of(tenant: TenantId) -> Self {
        let bits = u128::from_be_bytes(*tenant.as_bytes());
        let mut text = String::with_capacity(PREFIX_LEN);
        text.push('t');
        for place in (0..DIGITS).rev() {
            let digit = (bits >> (place * 5)) & 31;
            let at = usize::try_from(digit).unwrap_or_default();
            text.push(ALPHABET.get(at).copied().map_or('0', char::from));
        }
        text.push('_');
        Self(text)
    }

    /// The tenant whose prefix begins a physical name; none where no prefix does.
    pub(crate) fn tenant(name: &str) -> Option<TenantId> {
        let digits = name.get(..PREFIX_LEN)?.strip_prefix('t')?.strip_suffix('_')?;
        let mut bits = 0_u128;
        for digit in digits.bytes() {
            let value = ALPHABET.iter().position(|one| *one == digit)?;
            // 26 digits hold 130 bits: a first digit above 7 is no UUID.
            if bits >> 123 != 0 {
                return None;
            }
            bits = (bits << 5) | u128::try_from(value).ok()?;
        }
        uuid::Uuid::from_u128(bits).to_string().parse().ok()
    }

    /// The 28 bytes.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_hole_is_a_prefix_of_nobody() {
        let nil = "00000000-0000-0000-0000-000000000000".parse().unwrap();
        assert_eq!(Prefix::of(nil).as_str(), HOLE);
        assert_ne!(Prefix::of(TenantId::new()).as_str(), HOLE);
    }

    #[test]
    fn what_is_no_prefix() {
        for name in
            ["", "t", "article", "tz0000000000000000000000000_a", "T00000000000000000000000000_", "té"]
        {
            assert_eq!(Prefix::tenant(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn reads_back(bits: u128, name in "[a-z_]{0,35}") {
            let tenant: TenantId = uuid::Uuid::from_u128(bits).to_string().parse().unwrap();
            let prefix = Prefix::of(tenant);
            prop_assert_eq!(prefix.as_str().len(), PREFIX_LEN);
            prop_assert_eq!(Prefix::tenant(&format!("{prefix}{name}")), Some(tenant));
        }
    }
}
