//! What others have not been told yet: hints that Redis didn't take, kept until it does.
//!
//! Bounded: beyond that many tenants it is only remembered that others must doubt everything.

use crate::message::{Said, TENANTS};
use rowhouse_base::id::TenantId;
use std::collections::HashSet;

/// Tenants that are remembered. 64 KB, and four messages once Redis is there again.
const REMEMBERED: usize = 4 * TENANTS;

/// Hints that are still to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    tenants: HashSet<TenantId>,
    everything: bool,
}

impl Owed {
    pub(crate) fn add(&mut self, tenant: TenantId) {
        if self.everything {
            return;
        }
        self.tenants.insert(tenant);
        if self.tenants.len() > REMEMBERED {
            *self = Self { tenants: HashSet::new(), everything: true };
        }
    }

    /// What could not be told after all.
    pub(crate) fn add_all(&mut self, other: Self) {
        self.everything |= other.everything;
        if self.everything {
            self.tenants = HashSet::new();
        }
        other.tenants.into_iter().for_each(|tenant| self.add(tenant));
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.tenants.is_empty() && !self.everything
    }

    /// What to say to be even.
    pub(crate) fn to_say(&self) -> Vec<Said> {
        if self.everything {
            return vec![Said::Doubt];
        }
        let tenants: Vec<TenantId> = self.tenants.iter().copied().collect();
        tenants.chunks(TENANTS).map(|chunk| Said::Moved(chunk.to_vec())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_remembered_once_each() {
        let (mut owed, tenant) = (Owed::default(), TenantId::new());
        assert!(owed.is_nothing() && owed.to_say().is_empty());
        owed.add(tenant);
        owed.add(tenant);
        assert_eq!(owed.to_say(), [Said::Moved(vec![tenant])]);
    }

    #[test]
    fn many_are_told_in_parts_and_too_many_as_a_doubt() {
        let mut owed = Owed::default();
        (0..REMEMBERED).for_each(|_| owed.add(TenantId::new()));
        let parts = owed.to_say();
        assert_eq!(parts.len(), REMEMBERED / TENANTS);
        owed.add(TenantId::new());
        assert_eq!(owed.to_say(), [Said::Doubt]);
        owed.add(TenantId::new());
        assert_eq!(owed.to_say(), [Said::Doubt]);
        assert!(owed.tenants.is_empty() && !owed.is_nothing());
    }

    #[test]
    fn what_could_not_be_told_is_owed_again() {
        let (one, two) = (TenantId::new(), TenantId::new());
        let mut owed = Owed::default();
        owed.add(one);
        let taken = std::mem::take(&mut owed);
        owed.add(two);
        owed.add_all(taken);
        assert_eq!(owed.tenants, HashSet::from([one, two]));
        owed.add_all(Owed { tenants: HashSet::new(), everything: true });
        assert_eq!(owed.to_say(), [Said::Doubt]);
    }
}
