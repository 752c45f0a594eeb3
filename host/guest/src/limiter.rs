//! Memory and tables of one instance, summed over all of them: a limit per memory would let a guest
//! with many memories take many times its share.

use crate::LimitHit;
use rowhouse_base::Limits;
use wasmtime::ResourceLimiter;

/// Counts what one store's guest has.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    memory_limit: u64,
    memory_used: u64,
    memory_peak: u64,
    table_limit: u64,
    table_used: u64,
    refused: Option<LimitHit>,
}

impl MemoryLimiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_limit: limits.memory_bytes,
            memory_used: 0,
            memory_peak: 0,
            table_limit: limits.table_elements,
            table_used: 0,
            refused: None,
        }
    }

    /// The limit that refused a growth last, if any did.
    pub(crate) fn refused(&self) -> Option<LimitHit> {
        self.refused
    }

    /// The memory the guest has now, in bytes.
    pub(crate) fn used(&self) -> u64 {
        self.memory_used
    }

    /// The most memory the guest had at once, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.memory_peak
    }
}

fn grown(used: u64, current: usize, desired: usize) -> u64 {
    let growth = desired.saturating_sub(current);
    used.saturating_add(u64::try_from(growth).unwrap_or(u64::MAX))
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = grown(self.memory_used, current, desired);
        if wanted > self.memory_limit {
            self.refused = Some(LimitHit::Memory(self.memory_limit));
            return Ok(false);
        }
        self.memory_used = wanted;
        self.memory_peak = self.memory_peak.max(wanted);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = grown(self.table_used, current, desired);
        if wanted > self.table_limit {
            self.refused = Some(LimitHit::Table(self.table_limit));
            return Ok(false);
        }
        self.table_used = wanted;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_memories() {
        let mut limiter = MemoryLimiter::new(&Limits { memory_bytes: 100, ..Limits::default() });
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(60, 70, None).unwrap());
        assert!(!limiter.memory_growing(0, 40, None).unwrap(), "a second memory counts as well");
        assert_eq!(limiter.refused(), Some(LimitHit::Memory(100)));
        assert!(limiter.memory_growing(0, 30, None).unwrap());
        assert_eq!(limiter.peak(), 100);
    }

    #[test]
    fn numbers_of_the_guest_do_not_overflow() {
        let mut limiter = MemoryLimiter::new(&Limits::default());
        assert!(!limiter.memory_growing(0, usize::MAX, None).unwrap());
        assert!(!limiter.table_growing(0, usize::MAX, None).unwrap());
    }
}
