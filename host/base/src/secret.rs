//! Random secrets (session and API tokens, one-time passwords) and how they are kept: only their digest is.

use crate::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use subtle::ConstantTimeEq;

/// A secret text. Debug and logs never show it; only [`Secret::reveal`] does.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// 256 random bits as 43 URL-safe characters.
    #[must_use]
    pub fn token() -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// A password that a person can copy from a terminal: four groups of five letters and digits, about 98 bits.
    #[must_use]
    pub fn password() -> Self {
        // 31 characters that are not mistaken for one another.
        const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
        let mut text = String::with_capacity(23);
        for position in 0..20 {
            if position > 0 && position % 5 == 0 {
                text.push('-');
            }
            let index = usize::from(rand::random_range(0..31_u8));
            text.push(ALPHABET.get(index).map_or('x', |byte| char::from(*byte)));
        }
        Self(text)
    }

    /// Wraps a secret that came from outside.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself. Every use of this is worth a second look.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored in its place. A plain hash suffices for secrets of 256 random bits; passwords
    /// that people choose go through argon2id instead.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_hide() {
        let (one, two) = (Secret::token(), Secret::token());
        assert!(!one.matches(&two) && one.matches(&one.clone()));
        assert_eq!(one.reveal().len(), 43);
        assert!(!format!("{one:?}").contains(one.reveal()));
        assert_eq!(Secret::password().reveal().len(), 23);
    }
}
