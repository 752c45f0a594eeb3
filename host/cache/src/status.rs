//! What the cache did, for `Cache-Status` (RFC 9211). Pure; called by `view` and `pass`.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use std::fmt::Write as _;

/// The field's name.
pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why the guest was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    Bypass,
    Method,
    UriMiss,
    VaryMiss,
    Request,
    Stale,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CacheStatus {
    /// None is a hit.
    pub(crate) forward: Option<Forward>,
    /// The status that the guest answered with, where another one was sent.
    pub(crate) guest_status: Option<u16>,
    /// The answer is stored now.
    pub(crate) stored: bool,
    /// Another request asked the guest.
    pub(crate) collapsed: bool,
    /// Seconds of freshness left.
    pub(crate) ttl: Option<i64>,
    /// A token.
    pub(crate) detail: Option<&'static str>,
}

impl CacheStatus {
    /// Answered from the store.
    pub(crate) const fn hit() -> Self {
        Self { forward: None, guest_status: None, stored: false, collapsed: false, ttl: None, detail: None }
    }

    /// The guest was asked.
    pub(crate) const fn forward(forward: Forward) -> Self {
        Self { forward: Some(forward), ..Self::hit() }
    }

    /// The same, with a reason.
    pub(crate) const fn with_detail(self, detail: &'static str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// The member of the list that is this server's.
    pub(crate) fn value(&self) -> HeaderValue {
        // The longest: all parameters and the longest detail are below it.
        let mut text = String::with_capacity(112);
        text.push_str("rowhouse");
        match self.forward {
            None => text.push_str("; hit"),
            Some(Forward::Bypass) => text.push_str("; fwd=bypass"),
            Some(Forward::Method) => text.push_str("; fwd=method"),
            Some(Forward::UriMiss) => text.push_str("; fwd=uri-miss"),
            Some(Forward::VaryMiss) => text.push_str("; fwd=vary-miss"),
            Some(Forward::Request) => text.push_str("; fwd=request"),
            Some(Forward::Stale) => text.push_str("; fwd=stale"),
        }
        // Writing to a string can't fail.
        if let Some(status) = self.guest_status {
            let _ok = write!(text, "; fwd-status={status}");
        }
        if self.stored {
            text.push_str("; stored");
        }
        if self.collapsed {
            text.push_str("; collapsed");
        }
        if let Some(ttl) = self.ttl {
            let _ok = write!(text, "; ttl={ttl}");
        }
        if let Some(detail) = self.detail {
            let _ok = write!(text, "; detail={detail}");
        }
        HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
            .unwrap_or_else(|_never| HeaderValue::from_static("rowhouse"))
    }

    /// Adds it behind what caches further in said: the list grows outwards.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        headers.append(CACHE_STATUS, self.value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_spelled_as_the_standard_says() {
        let hit = CacheStatus { ttl: Some(-3), ..CacheStatus::hit() };
        assert_eq!(hit.value(), "rowhouse; hit; ttl=-3");
        let fill = CacheStatus {
            guest_status: Some(304),
            stored: true,
            collapsed: true,
            ..CacheStatus::forward(Forward::Stale)
        };
        assert_eq!(fill.value(), "rowhouse; fwd=stale; fwd-status=304; stored; collapsed");
        let pass = CacheStatus::forward(Forward::Bypass).with_detail("private");
        assert_eq!(pass.value(), "rowhouse; fwd=bypass; detail=private");
    }
}
