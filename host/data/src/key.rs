//! The key from which the passwords of tenants' users on data servers are derived. None is stored.
//!
//! Who reads a data server's own tables learns a hash; who reads the control database learns nothing.

use hmac::{Hmac, KeyInit, Mac};
use rowhouse_base::Secret;
use rowhouse_base::id::TenantId;
use sha2::Sha256;
use std::fmt;
use std::fmt::Write as _;

/// What the derived text is for, so that the same key used elsewhere gives other texts.
const PURPOSE: &[u8] = b"rowhouse data user";

/// 256 secret bits of this installation, the same on all its servers.
#[derive(Clone)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// Takes the bytes as they are: they must be random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The password of a tenant's user, 64 hexadecimal characters. Another epoch gives another one.
    #[must_use]
    pub fn password(&self, id: TenantId, epoch: u32) -> Secret {
        let mut text = String::with_capacity(64);
        // A key of any length fits, so there is always a code.
        if let Ok(mut code) = Hmac::<Sha256>::new_from_slice(&self.0) {
            code.update(PURPOSE);
            code.update(id.as_bytes());
            code.update(&epoch.to_be_bytes());
            for byte in code.finalize().into_bytes() {
                let _infallible = write!(text, "{byte:02x}");
            }
        }
        Secret::from_text(text)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ_by_key_tenant_and_epoch() {
        let (key, other) = (DataKey::from_bytes([1; 32]), DataKey::from_bytes([2; 32]));
        let (one, two) = (TenantId::new(), TenantId::new());
        let password = key.password(one, 0);
        assert_eq!(password.reveal().len(), 64);
        assert!(password.matches(&key.clone().password(one, 0)));
        for another in [key.password(one, 1), key.password(two, 0), other.password(one, 0)] {
            assert!(!password.matches(&another));
        }
        assert_eq!(format!("{key:?}"), "DataKey(…)");
    }
}
