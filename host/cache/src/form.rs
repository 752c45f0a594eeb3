//! A page and an index as bytes, for the second level.
//!
//! A value begins with the whole of what it is for, and is checked against it when read: whatever is off is
//! a miss. The last 8 bytes are a checksum of the rest, because stores behind a network may cut or mix up values. It
//! is no digest: who can write there can make any, and each hit pays for it. Reading shares the value's memory: the
//! body is not copied. Called by `look` and `fill`.

use crate::account::Account;
use crate::freshness::Policy;
use crate::key::Primary;
use crate::page::{Content, Page};
use crate::store::Index;
use crate::vary::Vary;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use rowhouse_base::{Stamp, Subject, Timestamp};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Name and version of the form. Another version is a miss.
const MAGIC: &[u8; 8] = b"rowpage3";
const INDEX: u8 = 1;
const PAGE: u8 = 2;
/// Bytes of the checksum.
const CHECK: usize = 8;
/// More fields than any answer has that passed the guest's limits.
const MOST_FIELDS: u64 = 1024;
/// Room for what is written beside a body: address, fields, stamp. What needs more moves to a larger buffer.
const ROOM: usize = 1024;

/// What a value was.
pub(crate) enum Read {
    Index(Index),
    /// The index is that of a page that is for all.
    Page(Arc<Page>, Index),
}

/// The bytes of an index.
pub(crate) fn index(primary: &Primary, index: &Index) -> Bytes {
    let mut out = Writer::new(INDEX, primary, 0);
    out.number(index.epoch);
    out.number(index.vary.names().len() as u64);
    for name in index.vary.names() {
        out.part(name.as_str().as_bytes());
    }
    out.finish()
}

/// The bytes of a page. `ahead` is by how much the clock of who keeps it is ahead of this machine's; when the page was born
/// is told by that clock.
pub(crate) fn page(page: &Page, epoch: u64, ahead: i64) -> Bytes {
    let content = &page.content;
    let mut out = Writer::new(PAGE, &content.primary, content.body.len());
    out.number(epoch);
    out.part(content.vary_key.as_bytes());
    out.number(u64::from(content.status.as_u16()));
    out.number(content.born.0.saturating_add(ahead).cast_unsigned());
    out.flag(content.own_tag);
    out.policy(&content.policy);
    out.stamp(&content.stamp);
    out.number(content.fields.len() as u64);
    for (name, value) in &content.fields {
        out.part(name.as_str().as_bytes());
        out.part(value.as_bytes());
    }
    out.part(&content.body);
    out.finish()
}

/// What the bytes are, where they are for this address and, if a page, for these requests.
pub(crate) fn read(
    value: &Bytes,
    primary: &Arc<Primary>,
    vary_key: &str,
    hash: u64,
    account: &Arc<Account>,
    ahead: i64,
) -> Option<Read> {
    let (content, check) = value.split_last_chunk::<CHECK>()?;
    if xxh3_64(content) != u64::from_be_bytes(*check) {
        return None;
    }
    let mut from = Reader { whole: value, rest: content };
    if from.take(MAGIC.len())? != MAGIC {
        return None;
    }
    let kind = from.byte()?;
    let site = &primary.site;
    let same = from.part()? == site.tenant.as_bytes()
        && from.number()? == site.revision
        && from.part()? == site.digest.as_bytes()
        && from.part()? == primary.text.as_bytes();
    if !same {
        return None;
    }
    match kind {
        INDEX => read_index(&mut from).map(Read::Index),
        PAGE => {
            let epoch = from.number()?;
            let content = read_page(&mut from, primary, vary_key, ahead)?;
            let index = Index { vary: Vary::default(), epoch };
            Some(Read::Page(Arc::new(Page::new(content, hash, Arc::clone(account))), index))
        }
        _ => None,
    }
}

fn read_index(from: &mut Reader<'_>) -> Option<Index> {
    let epoch = from.number()?;
    let count = from.number().filter(|count| *count <= MOST_FIELDS)?;
    let names: Option<Vec<HeaderName>> =
        (0..count).map(|_| HeaderName::from_bytes(from.part()?).ok()).collect();
    from.ends()?;
    Some(Index { vary: Vary::from_names(names?)?, epoch })
}

fn read_page(from: &mut Reader<'_>, primary: &Arc<Primary>, vary_key: &str, ahead: i64) -> Option<Content> {
    if from.part()? != vary_key.as_bytes() {
        return None;
    }
    let status = StatusCode::from_u16(u16::try_from(from.number()?).ok()?).ok()?;
    let born = Timestamp(from.number()?.cast_signed().saturating_sub(ahead));
    let own_tag = from.flag()?;
    let policy = from.policy()?;
    let stamp = from.stamp()?;
    let fields = from.fields()?;
    let body = from.shared()?;
    from.ends()?;
    let (primary, vary_key) = (Arc::clone(primary), vary_key.into());
    Some(Content { primary, vary_key, status, fields, body, policy, born, stamp, own_tag })
}

struct Writer(BytesMut);

impl Writer {
    fn new(kind: u8, primary: &Primary, body: usize) -> Self {
        let mut writer = Self(BytesMut::with_capacity(body.saturating_add(ROOM)));
        writer.0.put_slice(MAGIC);
        writer.0.put_u8(kind);
        writer.part(primary.site.tenant.as_bytes());
        writer.number(primary.site.revision);
        writer.part(primary.site.digest.as_bytes());
        writer.part(primary.text.as_bytes());
        writer
    }

    fn number(&mut self, number: u64) {
        self.0.put_u64(number);
    }

    fn flag(&mut self, flag: bool) {
        self.0.put_u8(u8::from(flag));
    }

    fn part(&mut self, part: &[u8]) {
        self.0.put_u64(part.len() as u64);
        self.0.put_slice(part);
    }

    fn policy(&mut self, policy: &Policy) {
        let Policy {
            lifetime,
            no_cache,
            must_revalidate,
            no_stale,
            stale_while_revalidate,
            stale_if_error,
            with_authorization,
        } = *policy;
        self.number(lifetime);
        self.flag(no_cache);
        self.flag(must_revalidate);
        self.flag(no_stale);
        self.number(stale_while_revalidate);
        self.flag(stale_if_error.is_some());
        self.number(stale_if_error.unwrap_or(0));
        self.flag(with_authorization);
    }

    fn stamp(&mut self, stamp: &Stamp) {
        let counts = stamp.counts();
        self.number(counts.len() as u64);
        for (subject, count) in counts {
            self.part(subject.as_str().as_bytes());
            self.number(count);
        }
    }

    fn finish(mut self) -> Bytes {
        let check = xxh3_64(&self.0);
        self.0.put_u64(check);
        self.0.freeze()
    }
}

/// What is left of a value.
struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(u64::from_be_bytes(*number))
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    /// A part that goes on when the value is gone, without a copy.
    fn shared(&mut self) -> Option<Bytes> {
        let part = self.part()?;
        Some(self.whole.slice_ref(part))
    }

    fn policy(&mut self) -> Option<Policy> {
        let lifetime = self.number()?;
        let (no_cache, must_revalidate, no_stale) = (self.flag()?, self.flag()?, self.flag()?);
        let stale_while_revalidate = self.number()?;
        let (has_stale_if_error, seconds) = (self.flag()?, self.number()?);
        let with_authorization = self.flag()?;
        Some(Policy {
            lifetime,
            no_cache,
            must_revalidate,
            no_stale,
            stale_while_revalidate,
            stale_if_error: has_stale_if_error.then_some(seconds),
            with_authorization,
        })
    }

    fn stamp(&mut self) -> Option<Stamp> {
        // Whatever the number says, it ends where the value does.
        let counts: Option<Vec<(Subject, u64)>> = (0..self.number()?)
            .map(|_| {
                let subject = Subject::parse(std::str::from_utf8(self.part()?).ok()?)?;
                Some((subject, self.number()?))
            })
            .collect();
        Stamp::from_counts(counts?)
    }

    fn fields(&mut self) -> Option<HeaderMap> {
        let count = self.number().filter(|count| *count <= MOST_FIELDS)?;
        let mut fields = HeaderMap::try_with_capacity(usize::try_from(count).ok()?).ok()?;
        for _ in 0..count {
            let name = HeaderName::from_bytes(self.part()?).ok()?;
            let value = HeaderValue::from_maybe_shared(self.shared()?).ok()?;
            fields.try_append(name, value).ok()?;
        }
        Some(fields)
    }

    fn ends(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Address, Site};
    use proptest::prelude::*;
    use rowhouse_base::id::TenantId;
    use rowhouse_base::{Digest, Versions};

    fn primary(path: &str) -> Arc<Primary> {
        let site = Site { tenant: TenantId::new(), revision: 3, digest: Digest::of(b"module") };
        Arc::new(Address { site, origin: "http://x", base_path: "/club", path }.to_primary())
    }

    fn stored(primary: &Arc<Primary>) -> Page {
        let fields = [("content-type", "text/html"), ("etag", "\"a\""), ("x", "1"), ("x", "2")];
        let content = Content {
            primary: Arc::clone(primary),
            vary_key: "foo:1\n".into(),
            status: StatusCode::NOT_FOUND,
            fields: fields
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .fold(HeaderMap::new(), |mut fields, (name, value)| {
                    fields.append(name, value);
                    fields
                }),
            body: Bytes::from_static(b"body"),
            policy: Policy {
                lifetime: 60,
                no_cache: false,
                must_revalidate: true,
                no_stale: false,
                stale_while_revalidate: 5,
                stale_if_error: Some(7),
                with_authorization: false,
            },
            born: Timestamp(-5),
            stamp: Versions::default().stamp([Subject::table("page")]),
            own_tag: true,
        };
        Page::new(content, 9, Arc::default())
    }

    fn read_back(value: &Bytes, primary: &Arc<Primary>, vary_key: &str) -> Option<Read> {
        read(value, primary, vary_key, 9, &Arc::default(), 0)
    }

    #[test]
    fn a_page_comes_back_as_it_was() {
        let primary = primary("/a");
        let before = stored(&primary);
        let value = page(&before, 11, 0);
        let Some(Read::Page(after, index)) = read_back(&value, &primary, "foo:1\n") else {
            panic!("it is a page")
        };
        assert_eq!(format!("{:?}", after.content), format!("{:?}", before.content));
        assert_eq!(index.epoch, 11);
        assert!(read_back(&value, &primary, "foo:2\n").is_none(), "another variant");
        assert!(read_back(&value, &self::primary("/a"), "foo:1\n").is_none(), "another tenant");
    }

    #[test]
    fn servers_whose_clocks_differ_agree_on_when_a_page_was_born() {
        let primary = primary("/a");
        let minutes = |count: i64| count * 60_000_000;
        // One machine is five minutes behind the store, the other one ahead of it: ten minutes lie between them.
        let value = page(&stored(&primary), 11, minutes(5));
        let read = read(&value, &primary, "foo:1\n", 9, &Arc::default(), minutes(-5));
        let Some(Read::Page(page, _index)) = read else { panic!("it is a page") };
        assert_eq!(page.content.born, Timestamp(stored(&primary).content.born.0 + minutes(10)));
    }

    #[test]
    fn an_index_comes_back_as_it_was() {
        let primary = primary("/a");
        let names = ["foo", "accept-language"].map(HeaderName::from_static);
        let before = Index { vary: Vary::from_names(names.into()).unwrap(), epoch: 4 };
        let Some(Read::Index(after)) = read_back(&index(&primary, &before), &primary, "") else {
            panic!("it is an index")
        };
        assert_eq!(after, before);
    }

    proptest! {
        #[test]
        fn whatever_is_off_is_a_miss(place in 0usize..1000, change in 1u8..=255, cut in 0usize..1000) {
            let primary = primary("/a");
            let value = page(&stored(&primary), 11, 0);
            let mut changed = value.to_vec();
            let length = changed.len();
            if let Some(byte) = changed.get_mut(place % length) {
                *byte ^= change;
            }
            prop_assert!(read_back(&changed.into(), &primary, "foo:1\n").is_none());
            prop_assert!(read_back(&value.slice(..cut % length), &primary, "foo:1\n").is_none());
        }

        #[test]
        fn every_policy_comes_back(seconds: (u64, u64, Option<u64>), flags: (bool, bool, bool, bool)) {
            let policy = Policy {
                lifetime: seconds.0, no_cache: flags.0, must_revalidate: flags.1, no_stale: flags.2,
                stale_while_revalidate: seconds.1, stale_if_error: seconds.2, with_authorization: flags.3,
            };
            let mut out = Writer(BytesMut::new());
            out.policy(&policy);
            let value = out.0.freeze();
            let mut from = Reader { whole: &value, rest: &value };
            prop_assert_eq!(from.policy(), Some(policy));
            prop_assert!(from.ends().is_some());
        }

        #[test]
        fn any_bytes_with_a_right_checksum_are_read_or_refused(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let primary = primary("/a");
            for kind in [INDEX, PAGE] {
                let mut out = Writer::new(kind, &primary, 0);
                out.0.put_slice(&tail);
                let _read = read_back(&out.finish(), &primary, "");
            }
        }
    }
}
