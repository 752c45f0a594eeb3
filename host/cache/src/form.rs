//! A page and an index as bytes, for the second level.
//!
//! A value begins with the whole of what it is for, and is checked against it when read: whatever is off is
//! a miss. The last 8 bytes are from a SHA-256 over the rest, because stores behind a network may cut or mix
//! up values. Called by `look` and `fill`.

use crate::account::Account;
use crate::freshness::Policy;
use crate::key::Primary;
use crate::page::{Content, Page};
use crate::store::Index;
use crate::vary::Vary;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use rowhouse_base::{Digest, Stamp, Timestamp};
use std::sync::Arc;

/// Name and version of the form. Another version is a miss.
const MAGIC: &[u8; 8] = b"rowpage1";
const INDEX: u8 = 1;
const PAGE: u8 = 2;
/// Bytes of the checksum.
const CHECK: usize = 8;
/// More fields than any answer has that passed the guest's limits.
const MOST_FIELDS: u64 = 1024;

/// What a value was.
pub(crate) enum Read {
    Index(Index),
    /// The index is that of a page that is for all.
    Page(Arc<Page>, Index),
}

/// The bytes of an index.
pub(crate) fn index(primary: &Primary, index: &Index) -> Bytes {
    let mut out = Writer::new(INDEX, primary);
    out.number(index.epoch);
    out.number(index.vary.names().len() as u64);
    for name in index.vary.names() {
        out.part(name.as_str().as_bytes());
    }
    out.finish()
}

/// The bytes of a page. None where its stamp can't be written, which can't happen.
pub(crate) fn page(page: &Page, epoch: u64) -> Option<Bytes> {
    let content = &page.content;
    let mut out = Writer::new(PAGE, &content.primary);
    out.number(epoch);
    out.part(content.vary_key.as_bytes());
    out.number(u64::from(content.status.as_u16()));
    out.number(content.born.0.cast_unsigned());
    out.number(u64::from(content.own_tag));
    out.part(&serde_json::to_vec(&content.policy).ok()?);
    out.part(&serde_json::to_vec(&content.stamp).ok()?);
    out.number(content.fields.len() as u64);
    for (name, value) in &content.fields {
        out.part(name.as_str().as_bytes());
        out.part(value.as_bytes());
    }
    out.part(&content.body);
    Some(out.finish())
}

/// What the bytes are, where they are for this address and, if a page, for these requests.
pub(crate) fn read(
    value: &Bytes,
    primary: &Arc<Primary>,
    vary_key: &str,
    hash: u64,
    account: &Arc<Account>,
) -> Option<Read> {
    let length = value.len().checked_sub(CHECK)?;
    let (content, check) = (value.slice(..length), value.slice(length..));
    if Digest::of(&content).as_bytes().get(..CHECK)? != &check[..] {
        return None;
    }
    let mut from = Reader(content);
    if from.take(MAGIC.len())? != MAGIC[..] {
        return None;
    }
    let kind = *from.take(1)?.first()?;
    let site = &primary.site;
    let same = from.part()? == site.tenant.as_bytes()[..]
        && from.number()? == site.revision
        && from.part()? == site.digest.as_bytes()[..]
        && from.part()? == primary.text.as_bytes();
    if !same {
        return None;
    }
    match kind {
        INDEX => read_index(&mut from).map(Read::Index),
        PAGE => {
            let epoch = from.number()?;
            let content = read_page(&mut from, primary, vary_key)?;
            let index = Index { vary: Vary::default(), epoch };
            Some(Read::Page(Arc::new(Page::new(content, hash, Arc::clone(account))), index))
        }
        _ => None,
    }
}

fn read_index(from: &mut Reader) -> Option<Index> {
    let epoch = from.number()?;
    let count = from.number().filter(|count| *count <= MOST_FIELDS)?;
    let names: Option<Vec<HeaderName>> =
        (0..count).map(|_| HeaderName::from_bytes(&from.part()?).ok()).collect();
    from.ends()?;
    Some(Index { vary: Vary::from_names(names?)?, epoch })
}

fn read_page(from: &mut Reader, primary: &Arc<Primary>, vary_key: &str) -> Option<Content> {
    if from.part()? != vary_key.as_bytes() {
        return None;
    }
    let status = StatusCode::from_u16(u16::try_from(from.number()?).ok()?).ok()?;
    let born = Timestamp(from.number()?.cast_signed());
    let own_tag = from.number()? != 0;
    let policy: Policy = serde_json::from_slice(&from.part()?).ok()?;
    let stamp: Stamp = serde_json::from_slice(&from.part()?).ok()?;
    let count = from.number().filter(|count| *count <= MOST_FIELDS)?;
    let mut fields = HeaderMap::new();
    for _ in 0..count {
        let name = HeaderName::from_bytes(&from.part()?).ok()?;
        let value = HeaderValue::from_maybe_shared(from.part()?).ok()?;
        fields.try_append(name, value).ok()?;
    }
    let body = from.part()?;
    from.ends()?;
    let (primary, vary_key) = (Arc::clone(primary), vary_key.into());
    Some(Content { primary, vary_key, status, fields, body, policy, born, stamp, own_tag })
}

struct Writer(BytesMut);

impl Writer {
    fn new(kind: u8, primary: &Primary) -> Self {
        let mut writer = Self(BytesMut::new());
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

    fn part(&mut self, part: &[u8]) {
        self.0.put_u64(part.len() as u64);
        self.0.put_slice(part);
    }

    fn finish(mut self) -> Bytes {
        let digest = Digest::of(&self.0);
        self.0.put_slice(digest.as_bytes().get(..CHECK).unwrap_or_default());
        self.0.freeze()
    }
}

struct Reader(Bytes);

impl Reader {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.as_ref().try_into().ok()?))
    }

    fn part(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    fn ends(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Address, Site};
    use proptest::prelude::*;
    use rowhouse_base::id::TenantId;
    use rowhouse_base::{Subject, Versions};

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
        read(value, primary, vary_key, 9, &Arc::default())
    }

    #[test]
    fn a_page_comes_back_as_it_was() {
        let primary = primary("/a");
        let before = stored(&primary);
        let value = page(&before, 11).unwrap();
        let Some(Read::Page(after, index)) = read_back(&value, &primary, "foo:1\n") else {
            panic!("it is a page")
        };
        assert_eq!(format!("{:?}", after.content), format!("{:?}", before.content));
        assert_eq!(index.epoch, 11);
        assert!(read_back(&value, &primary, "foo:2\n").is_none(), "another variant");
        assert!(read_back(&value, &self::primary("/a"), "foo:1\n").is_none(), "another tenant");
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
            let value = page(&stored(&primary), 11).unwrap();
            let mut changed = value.to_vec();
            let length = changed.len();
            if let Some(byte) = changed.get_mut(place % length) {
                *byte ^= change;
            }
            prop_assert!(read_back(&changed.into(), &primary, "foo:1\n").is_none());
            prop_assert!(read_back(&value.slice(..cut % length), &primary, "foo:1\n").is_none());
        }

        #[test]
        fn any_bytes_with_a_right_checksum_are_read_or_refused(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let primary = primary("/a");
            for kind in [INDEX, PAGE] {
                let mut out = Writer::new(kind, &primary);
                out.0.put_slice(&tail);
                let _read = read_back(&out.finish(), &primary, "");
            }
        }
    }
}
