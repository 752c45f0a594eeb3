//! How long an answer may be shown, from what the guest said (RFC 9111 section 4.2, RFC 5861).
//!
//! Explicit freshness only: nothing is guessed from `Last-Modified` or the status. Pure; called by `fill`
//! when an answer begins, and kept with the page.

use crate::date;
use crate::directives::AnswerControl;
use crate::targeted;
use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE, EXPIRES};

/// What rules an answer, and where that was said.
pub(crate) struct Rules {
    pub(crate) control: AnswerControl,
    targeted: bool,
}

/// What is kept of the rules with a stored page. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Fresh while younger than this.
    pub(crate) lifetime: u64,
    /// Never shown without asking the guest.
    pub(crate) no_cache: bool,
    /// Never shown stale, whatever anybody allows.
    pub(crate) must_revalidate: bool,
    /// Not shown stale unless the two windows below say so: `s-maxage` implies it.
    pub(crate) no_stale: bool,
    pub(crate) stale_while_revalidate: u64,
    pub(crate) stale_if_error: Option<u64>,
    /// May answer a request that carries `Authorization`.
    pub(crate) with_authorization: bool,
}

impl Rules {
    /// The first valid targeted field, else `Cache-Control`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match targeted::control(headers) {
            Some(control) => Self { control, targeted: true },
            None => Self { control: AnswerControl::of(headers), targeted: false },
        }
    }

    /// Seconds of freshness; None where the guest said nothing. `received` is in seconds since 1970.
    pub(crate) fn lifetime(&self, headers: &HeaderMap, received: i64) -> Option<u64> {
        let said = self.control.s_maxage.or(self.control.max_age);
        if said.is_some() || self.targeted || !headers.contains_key(EXPIRES) {
            return said;
        }
        let date = date::field(headers, &DATE).unwrap_or(received);
        // No date at all, such as `0`, is a date in the past.
        let lifetime = date::field(headers, &EXPIRES).map_or(0, |expires| expires.saturating_sub(date));
        Some(u64::try_from(lifetime).unwrap_or(0))
    }

    /// True where the answer to a request with `Authorization` may be shared (RFC 9111 section 3.5). A lifetime in a
    /// targeted field is no permission: a site that looks at passwords itself would give away its pages by it.
    pub(crate) fn shares_authorized(&self) -> bool {
        let control = &self.control;
        control.public || control.must_revalidate || control.s_maxage.is_some()
    }

    /// What to keep with the page.
    pub(crate) fn policy(&self, headers: &HeaderMap, received: i64) -> Policy {
        let control = &self.control;
        Policy {
            lifetime: self.lifetime(headers, received).unwrap_or(0),
            no_cache: control.no_cache,
            must_revalidate: control.must_revalidate,
            no_stale: control.s_maxage.is_some(),
            stale_while_revalidate: control.stale_while_revalidate.unwrap_or(0),
            stale_if_error: control.stale_if_error,
            with_authorization: self.shares_authorized(),
        }
    }
}

impl Policy {
    /// Seconds of freshness left at this age; negative once stale.
    pub(crate) fn left(&self, age: u64) -> i64 {
        signed(self.lifetime).saturating_sub(signed(age))
    }

    /// True where a request may be answered at this age without asking the guest.
    pub(crate) fn is_fresh(&self, age: u64) -> bool {
        !self.no_cache && age < self.lifetime
    }

    /// True where nothing stored is ever shown as it is.
    pub(crate) fn always_asks(&self) -> bool {
        self.no_cache || (self.lifetime == 0 && self.stale_while_revalidate == 0)
    }

    /// True where it may be shown while it is made anew.
    pub(crate) fn while_revalidating(&self, age: u64) -> bool {
        self.permits_stale() && self.staleness(age) < self.stale_while_revalidate
    }

    /// True where it may be shown because the guest answered with an error, or, where the guest gave no
    /// answer at all, for `grace` seconds without a word from the guest. `wished` is the visitor's.
    pub(crate) fn on_error(&self, age: u64, wished: Option<u64>, grace: u64) -> bool {
        let grace = if self.no_stale { 0 } else { grace };
        let allowed = self.stale_if_error.unwrap_or(grace).max(wished.unwrap_or(0));
        self.permits_stale() && (age < self.lifetime || self.staleness(age) < allowed)
    }

    /// True where a visitor who takes it this stale may have it.
    pub(crate) fn on_wish(&self, age: u64, most: u64) -> bool {
        self.permits_stale() && !self.no_stale && self.staleness(age) <= most
    }

    fn permits_stale(&self) -> bool {
        !(self.no_cache || self.must_revalidate)
    }

    fn staleness(&self, age: u64) -> u64 {
        age.saturating_sub(self.lifetime)
    }
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// True where the request carries `Authorization`.
pub(crate) fn is_authorized(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const NOW: i64 = 784_111_777;
    const DATE_NOW: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    const NEXT_MINUTE: (&str, &str) = ("expires", "Sun, 06 Nov 1994 08:50:37 GMT");

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn lifetimes_come_from_the_most_fitting_word() {
        for (fields, expected) in [
            (&[][..], None),
            (&[("last-modified", "Sun, 06 Nov 1994 07:49:37 GMT"), DATE_NOW], None),
            (&[DATE_NOW, NEXT_MINUTE], Some(60)),
            (&[NEXT_MINUTE], Some(60)),
            (&[("date", "foo"), NEXT_MINUTE], Some(60)),
            (&[("date", "Sun, 06 Nov 1994 08:50:37 GMT"), NEXT_MINUTE], Some(0)),
            (&[("date", "Sun, 06 Nov 1994 08:51:37 GMT"), NEXT_MINUTE], Some(0)),
            (&[DATE_NOW, ("expires", "0")], Some(0)),
            (&[NEXT_MINUTE, NEXT_MINUTE], Some(0)),
            (&[("cache-control", "max-age=5"), DATE_NOW, ("expires", "0")], Some(5)),
            (&[("cache-control", "max-age=0"), DATE_NOW, NEXT_MINUTE], Some(0)),
            (&[("cache-control", "max-age=0, s-maxage=9")], Some(9)),
            (&[("cache-control", "max-age=9, s-maxage=1")], Some(1)),
            (&[("cache-control", "max-age=5"), ("cdn-cache-control", "max-age=7")], Some(7)),
            (&[("cache-control", "max-age=5"), ("cdn-cache-control", "no-store")], None),
            (&[("cdn-cache-control", "foo"), NEXT_MINUTE, DATE_NOW], None),
            (&[("cache-control", "max-age=5"), ("cdn-cache-control", "max-age=")], Some(5)),
        ] {
            let headers = headers(fields);
            assert_eq!(Rules::of(&headers).lifetime(&headers, NOW), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_forbids_staleness_wins() {
        let policy = |line| {
            let headers = headers(&[("cache-control", line)]);
            Rules::of(&headers).policy(&headers, NOW)
        };
        let open = policy("max-age=2, stale-while-revalidate=5, stale-if-error=9");
        assert!(open.is_fresh(1) && !open.is_fresh(2));
        assert!(open.while_revalidating(6) && !open.while_revalidating(7));
        assert!(open.on_error(10, None, 0) && !open.on_error(11, None, 100));
        assert!(policy("max-age=2").on_error(10, None, 60) && !policy("max-age=2").on_error(10, None, 0));
        assert!(policy("max-age=2").on_error(10, Some(60), 0), "the visitor wished it");
        for strict in ["must-revalidate", "proxy-revalidate", "no-cache"] {
            let strict = policy(Box::leak(
                format!("max-age=2, stale-while-revalidate=5, stale-if-error=9, {strict}").into_boxed_str(),
            ));
            assert!(
                !strict.while_revalidating(3) && !strict.on_error(3, Some(9), 9) && !strict.on_wish(3, 9)
            );
        }
        let shared = policy("max-age=2, s-maxage=2");
        assert!(!shared.on_error(3, None, 60) && !shared.on_wish(3, 9));
        assert!(policy("s-maxage=2, stale-while-revalidate=5").while_revalidating(3));
    }

    proptest! {
        #[test]
        fn a_page_is_never_fresh_and_stale(lifetime in 0u64..100, age in 0u64..200, no_cache: bool) {
            let policy = Policy {
                lifetime, no_cache, must_revalidate: false, no_stale: false,
                stale_while_revalidate: 10, stale_if_error: None, with_authorization: false,
            };
            prop_assert_eq!(policy.is_fresh(age) && !no_cache, policy.left(age) > 0 && !no_cache);
            if policy.always_asks() {
                prop_assert!(!policy.is_fresh(age));
            }
        }
    }
}
