//! Doing again what an engine undid for another's sake: more than a few times, and not at once.
//!
//! Who loses a deadlock and begins again at once meets the same others at the same place. So each pause is
//! longer than the one before, and none is as long as that of another who lost at the same time.

use super::{Fate, fate};
use std::future::Future;
use std::time::Duration;

/// Times that something is begun again. The pauses before them sum up to 1.3 s at most, half of that as a rule:
/// what loses for so long is told.
const AGAIN: u32 = 10;
/// The bound of the first pause, doubled with each: about what a small change takes.
const FIRST: Duration = Duration::from_millis(2);
/// The bound of the last pauses.
const LONGEST: Duration = Duration::from_millis(250);

/// The pauses between tries of one thing.
#[derive(Debug, Default)]
pub(in crate::store) struct Pauses {
    taken: u32,
}

impl Pauses {
    /// The next pause; none where it was tried often enough.
    fn next(&mut self) -> Option<Duration> {
        if self.taken >= AGAIN {
            return None;
        }
        let bound = FIRST.saturating_mul(1 << self.taken).min(LONGEST);
        self.taken += 1;
        Some(bound.mul_f64(rand::random()))
    }

    /// Waits before the next try. False where it was tried often enough.
    pub(in crate::store) async fn wait(&mut self) -> bool {
        match self.next() {
            Some(pause) => {
                tokio::time::sleep(pause).await;
                true
            }
            None => false,
        }
    }
}

/// Does a statement that stands alone, and does it again where the engine undid it for another's sake. A lost
/// connection is not tried again: the statement may have been done.
pub(in crate::store) async fn settled<T, F>(work: impl Fn() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut pauses = Pauses::default();
    loop {
        match work().await {
            Err(error) if fate(&error) == Fate::Undone => {
                if !pauses.wait().await {
                    return Err(error);
                }
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_jittered_and_end() {
        let mut pauses = Pauses::default();
        let taken: Vec<Duration> = std::iter::from_fn(|| pauses.next()).collect();
        assert_eq!(taken.len(), AGAIN as usize);
        for (number, pause) in taken.iter().enumerate() {
            assert!(*pause <= FIRST * (1 << number) && *pause <= LONGEST, "{number}: {pause:?}");
        }
        let mut others = Pauses::default();
        let same = taken.iter().filter(|pause| others.next() == Some(**pause)).count();
        assert!(same < taken.len(), "two that lost together begin apart");
    }

    #[tokio::test]
    async fn what_was_undone_is_done_again_and_nothing_else_is() {
        let undone = std::cell::Cell::new(0);
        let done = settled(|| async {
            undone.set(undone.get() + 1);
            Err::<(), _>(sqlx::Error::RowNotFound)
        });
        assert!(done.await.is_err());
        assert_eq!(undone.get(), 1, "what fails for good is not tried again");
    }
}
