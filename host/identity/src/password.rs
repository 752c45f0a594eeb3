//! Passwords: the rules for choosing one, and argon2id hashing on a bounded pool.
//!
//! Hashing takes tens of milliseconds and 19 MiB. A flood of sign-ins may slow other sign-ins, but not
//! requests: few hashes run at once, few wait, further ones are told to come back.

use crate::UserName;
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rowhouse_base::secret::Secret;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for HashCost {
    /// The first choice of the OWASP password storage cheat sheet: 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

/// A PHC string such as `$argon2id$v=19$…`. Debug does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a hash as it was stored.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Hashing could not be done.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many hashes wait already.
    #[error("too many sign-ins at the same time")]
    Busy,
    /// The library refused, or its task died.
    #[error("hash a password: {0}")]
    Hash(String),
}

/// What is wrong with a chosen password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WeakPassword {
    /// Fewer than ten characters.
    #[error("a password needs at least 10 characters")]
    Short,
    /// Longer than anybody types; hashing it would cost more than it should.
    #[error("a password has at most 512 bytes")]
    Long,
    /// The user's name, or the name with little around it.
    #[error("a password can't be the user name")]
    Name,
    /// One character again and again.
    #[error("a password needs more than two different characters")]
    Monotone,
}

/// Checks a password that somebody chose. Length counts, not classes of characters.
///
/// # Errors
/// [`WeakPassword`] says what would be right.
pub fn check_rules(name: &UserName, password: &Secret) -> Result<(), WeakPassword> {
    let text = password.reveal();
    if text.chars().count() < 10 {
        return Err(WeakPassword::Short);
    }
    if text.len() > 512 {
        return Err(WeakPassword::Long);
    }
    let folded = text.to_lowercase();
    if folded == name.as_str() || folded.trim_matches(|c: char| !c.is_alphabetic()) == name.as_str() {
        return Err(WeakPassword::Name);
    }
    let mut different: Vec<char> = folded.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() <= 2 { Err(WeakPassword::Monotone) } else { Ok(()) }
}

/// Whether a password fits a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) matches: bool,
    /// The hash was made at another cost and should be replaced.
    pub(crate) stale: bool,
}

/// Hashes and verifies, a bounded number at a time.
#[derive(Debug)]
pub struct Hasher {
    cost: HashCost,
    running: Arc<Semaphore>,
    /// Running and waiting together.
    admitted: Arc<Semaphore>,
    /// Compared against where there is no such user, so that both cases take the same work.
    nobody: PasswordHash,
}

/// Waiting sign-ins beyond those running. At some 30 ms each the last one waits about two seconds.
const WAITING: usize = 64;

impl Hasher {
    /// A hasher at this cost; half of the cores, at least one, may hash at a time.
    ///
    /// # Errors
    /// [`PasswordError::Hash`] where the library refuses the cost.
    pub fn new(cost: HashCost) -> Result<Self, PasswordError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let parallel = (cores / 2).max(1);
        let nobody = hash_now(cost, &Secret::token())?;
        Ok(Self {
            cost,
            running: Arc::new(Semaphore::new(parallel)),
            admitted: Arc::new(Semaphore::new(parallel + WAITING)),
            nobody,
        })
    }

    /// Hashes a password with a new salt.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn hash(&self, password: Secret) -> Result<PasswordHash, PasswordError> {
        let cost = self.cost;
        self.run(move || hash_now(cost, &password)).await
    }

    /// Compares a password with a stored hash; with none, does the same work and says no.
    pub(crate) async fn verify(
        &self,
        password: Secret,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, PasswordError> {
        let known = stored.is_some();
        let hash = stored.unwrap_or_else(|| self.nobody.clone());
        let cost = self.cost;
        let verdict = self.run(move || Ok(verify_now(cost, &password, &hash))).await?;
        Ok(Verdict { matches: verdict.matches && known, ..verdict })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        // Both permits go into the closure: a caller that goes away does not free a slot that is in use.
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().or(Err(PasswordError::Busy))?;
        let running = Arc::clone(&self.running).acquire_owned().await.or(Err(PasswordError::Busy))?;
        tokio::task::spawn_blocking(move || {
            let _both = (admitted, running);
            work()
        })
        .await
        .map_err(|error| PasswordError::Hash(error.to_string()))?
    }
}

fn argon(cost: HashCost) -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
        .map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(cost: HashCost, password: &Secret) -> Result<PasswordHash, PasswordError> {
    let hash: phc::PasswordHash = argon(cost)?
        .hash_password(password.reveal().as_bytes())
        .map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(PasswordHash(hash.to_string()))
}

fn verify_now(cost: HashCost, password: &Secret, hash: &PasswordHash) -> Verdict {
    let Ok(parsed) = phc::PasswordHash::new(&hash.0) else {
        return Verdict { matches: false, stale: false };
    };
    // The cost comes from the hash itself.
    let matches = Argon2::default().verify_password(password.reveal().as_bytes(), &parsed).is_ok();
    let stale = Params::try_from(&parsed).map_or(true, |params| {
        (params.m_cost(), params.t_cost(), params.p_cost()) != (cost.memory_kib, cost.passes, cost.lanes)
    });
    Verdict { matches, stale }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost { memory_kib: 64, passes: 1, lanes: 1 };

    #[test]
    fn rules() {
        let name = UserName::parse("ada").unwrap();
        let long_name = UserName::parse("ada-lovelace").unwrap();
        let check = |name, text: &str| check_rules(name, &Secret::from_text(text));
        assert_eq!(check(&name, "123456789"), Err(WeakPassword::Short));
        assert_eq!(check(&name, "ababababababab"), Err(WeakPassword::Monotone));
        assert_eq!(check(&long_name, "Ada-Lovelace"), Err(WeakPassword::Name));
        assert_eq!(check(&long_name, "Ada-Lovelace1!"), Err(WeakPassword::Name));
        assert_eq!(check(&name, &"abc".repeat(200)), Err(WeakPassword::Long));
        assert_eq!(check(&name, "correct horse"), Ok(()));
    }

    #[tokio::test]
    async fn verifies_and_sees_an_old_cost() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let hash = hasher.hash(Secret::from_text("correct horse")).await.unwrap();
        let right = hasher.verify(Secret::from_text("correct horse"), Some(hash.clone())).await.unwrap();
        assert_eq!(right, Verdict { matches: true, stale: false });
        let wrong = hasher.verify(Secret::from_text("wrong horse"), Some(hash.clone())).await.unwrap();
        assert!(!wrong.matches);
        assert!(!hasher.verify(Secret::from_text("correct horse"), None).await.unwrap().matches);
        let dearer = Hasher::new(HashCost { passes: 2, ..CHEAP }).unwrap();
        assert!(dearer.verify(Secret::from_text("correct horse"), Some(hash)).await.unwrap().stale);
    }

    #[tokio::test]
    async fn a_flood_is_told_to_come_back() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let all = hasher.admitted.available_permits();
        let _held = hasher.admitted.try_acquire_many(u32::try_from(all).unwrap()).unwrap();
        let refused = hasher.hash(Secret::from_text("correct horse")).await;
        assert!(matches!(refused, Err(PasswordError::Busy)));
    }

    #[test]
    fn the_default_cost_is_the_documented_one() {
        let hash = hash_now(HashCost::default(), &Secret::from_text("correct horse")).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
    }
}
