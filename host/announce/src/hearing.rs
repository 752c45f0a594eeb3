//! Whether this server hears: a pure account of its own ticks, with the time as a parameter.
//!
//! A tick carries the moment at which it was sent. Heard again, it proves that whatever Redis took in
//! before it has been heard as well, because one connection carries everything in order. So the age of
//! the newest own tick, counted from when it was *sent*, bounds the age of what may still be unheard. A tick
//! that was held up on its way proves little, and one from before a gap proves nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// An own tick proves the channel for this long. Three ticks of [`crate::announcer::TICK`] and a little: one
/// that is late, or one lost turn of a busy machine, is no reason to ask databases.
pub(crate) const PROOF: Duration = Duration::from_millis(700);

/// What everybody may ask.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// When the newest own tick was sent; 0 while nothing is proven.
    proven: AtomicU64,
}

/// Moments are microseconds of one clock of this process that never is at 0.
pub(crate) type Moment = u64;

impl Hearing {
    pub(crate) fn is_hearing(&self, now: Moment) -> bool {
        is_fresh(self.proven.load(Ordering::Acquire), now)
    }

    /// True where it was heard and is not any more, and nobody has doubted yet.
    pub(crate) fn has_lapsed(&self, now: Moment) -> bool {
        let proven = self.proven.load(Ordering::Acquire);
        proven != 0 && !is_fresh(proven, now)
    }
}

fn is_fresh(proven: Moment, now: Moment) -> bool {
    proven != 0 && Duration::from_micros(now.saturating_sub(proven)) < PROOF
}

/// What to do about an own tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// It proves the channel.
    Proof,
    /// It was sent before everything was last doubted, or too long ago.
    Old,
    /// Too long nothing was proven: doubt everything, then listen on.
    Lapsed,
}

/// The one who listens, and the only one who changes [`Hearing`].
#[derive(Debug, Default)]
pub(crate) struct Ear {
    /// Ticks that were sent before this moment prove nothing.
    since: Moment,
}

impl Ear {
    /// Hints may have been lost. While `doubt` runs nothing is proven, and only a tick that is sent after it
    /// can prove anything again.
    pub(crate) fn gap(&mut self, hearing: &Hearing, doubt: impl FnOnce(), clock: impl FnOnce() -> Moment) {
        hearing.proven.store(0, Ordering::Release);
        doubt();
        self.since = clock();
    }

    /// An own tick came back.
    pub(crate) fn tick(&self, hearing: &Hearing, sent: Moment, now: Moment) -> Tick {
        let proven = hearing.proven.load(Ordering::Acquire);
        if hearing.has_lapsed(now) {
            return Tick::Lapsed;
        }
        if sent <= self.since || sent > now || !is_fresh(sent, now) {
            return Tick::Old;
        }
        // Answers of Redis come in order, but nothing here relies on it.
        hearing.proven.store(proven.max(sent), Ordering::Release);
        Tick::Proof
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF_MICROS: u64 = PROOF.as_micros() as u64;

    fn after_gap(at: Moment) -> (Hearing, Ear) {
        let (hearing, mut ear) = (Hearing::default(), Ear::default());
        ear.gap(&hearing, || (), || at);
        (hearing, ear)
    }

    #[test]
    fn nothing_is_heard_before_an_own_tick() {
        let (hearing, ear) = after_gap(1000);
        assert!(!hearing.is_hearing(1000));
        assert_eq!(ear.tick(&hearing, 1001, 1500), Tick::Proof);
        assert!(hearing.is_hearing(1500));
    }

    #[test]
    fn a_proof_ages_from_when_the_tick_was_sent() {
        let (hearing, ear) = after_gap(1000);
        let heard = 1001 + PROOF_MICROS - 1;
        assert_eq!(ear.tick(&hearing, 1001, heard), Tick::Proof);
        assert!(hearing.is_hearing(heard));
        assert!(!hearing.is_hearing(heard + 1));
        assert!(hearing.has_lapsed(heard + 1));
    }

    #[test]
    fn ticks_from_before_a_gap_prove_nothing() {
        let (hearing, mut ear) = after_gap(1000);
        assert_eq!(ear.tick(&hearing, 1100, 1200), Tick::Proof);
        let mut proven_while_doubting = None;
        ear.gap(&hearing, || proven_while_doubting = Some(hearing.is_hearing(1200)), || 1300);
        assert_eq!(proven_while_doubting, Some(false));
        assert_eq!(ear.tick(&hearing, 1250, 1310), Tick::Old);
        assert_eq!(ear.tick(&hearing, 1300, 1310), Tick::Old);
        assert!(!hearing.is_hearing(1310));
        assert_eq!(ear.tick(&hearing, 1301, 1310), Tick::Proof);
    }

    #[test]
    fn late_ticks_prove_nothing_and_a_lapse_is_a_gap() {
        let (hearing, mut ear) = after_gap(1000);
        assert_eq!(ear.tick(&hearing, 1001, 1001 + PROOF_MICROS), Tick::Old);
        assert!(!hearing.has_lapsed(1001 + PROOF_MICROS));
        let sent = 2_000_000;
        assert_eq!(ear.tick(&hearing, sent, sent + 10), Tick::Proof);
        // Frozen, then everything at once: the fresh tick counts only after everything was doubted.
        let thawed = sent + 10 * PROOF_MICROS;
        assert_eq!(ear.tick(&hearing, sent + 20, thawed), Tick::Lapsed);
        ear.gap(&hearing, || (), || thawed);
        assert_eq!(ear.tick(&hearing, thawed - 5, thawed), Tick::Old);
        assert_eq!(ear.tick(&hearing, thawed + 5, thawed + 6), Tick::Proof);
    }

    #[test]
    fn ticks_out_of_order_and_from_the_future_do_no_harm() {
        let (hearing, ear) = after_gap(1000);
        assert_eq!(ear.tick(&hearing, 3000, 3100), Tick::Proof);
        assert_eq!(ear.tick(&hearing, 2000, 3100), Tick::Proof);
        assert!(hearing.is_hearing(3000 + PROOF_MICROS - 1));
        assert_eq!(ear.tick(&hearing, 9000, 3100), Tick::Old);
        assert!(!hearing.is_hearing(3000 + PROOF_MICROS));
    }
}
