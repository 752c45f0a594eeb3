//! What is right: which sites there are, what their pages say, and what each request may therefore be answered with.
//!
//! A page names the site by its id, the release, the item and its value, and all that it was asked for. So there
//! is one right text for each request, and another site's, an earlier site's of the same name, another release's
//! and an older value's page are wrong ones. Renderings from before a change of their site are wrong as well,
//! whatever they say: that is how a flush is seen.

use crate::wire::{Ask, Page, decoded};
use anyhow::{Context, Result, bail, ensure};
use rowhouse_tests::Answer;
use std::collections::HashSet;
use std::ops::Range;

/// Items that are read and written; few, so that pages are asked for again.
pub(crate) const ITEMS: usize = 3;

/// Who is signed in at every site.
pub(crate) const MEMBER: &str = "ada";

/// Times that a page says whose it is, and fields of which it says that they did not come through; as in the guest.
const COPIES: usize = 24;
const FORGEABLE: usize = 20;

/// Entity tags that are remembered: those of the last hundred visits, of pages that are and that were.
const TAGS: usize = 256;

/// A site as it is now.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) release: &'static str,
    pub(crate) is_suspended: bool,
    pub(crate) values: [u64; ITEMS],
    /// The member's session, as a cookie.
    pub(crate) session: String,
    /// The last activation, and the release before it.
    pub(crate) run: Option<(String, &'static str)>,
    /// Renderings that were shown since the last change.
    shown: HashSet<String>,
}

impl Tenant {
    pub(crate) fn new(id: String, release: &'static str, session: String) -> Self {
        let shown = HashSet::new();
        Self { id, release, is_suspended: false, values: [0; ITEMS], session, run: None, shown }
    }
}

/// A name and a host, and the site that has them now.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) host: &'static str,
    pub(crate) tenant: Option<Tenant>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) asked: usize,
    pub(crate) hits: usize,
    pub(crate) coded: usize,
    pub(crate) parts: usize,
    pub(crate) confirmed: usize,
    /// Pages that were made for a trick and then shown to somebody else.
    pub(crate) handed_on: usize,
    pub(crate) changes: usize,
}

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) sites: Vec<Site>,
    /// Of all sites there ever were.
    pub(crate) ids: Vec<String>,
    pub(crate) sessions: Vec<String>,
    /// Each with the text that it was shown with.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) counts: Counts,
    /// Renderings from before a change.
    gone: HashSet<String>,
}

/// What a request may be answered with.
enum Due {
    /// This text of this site; with the marker in its fields where it may be kept.
    Page { place: usize, text: String, marker: Option<String> },
    /// The site is suspended.
    Closed,
    /// Anything that is no page of anybody's.
    Nowhere,
}

/// True where the page came from the cache.
pub(crate) fn is_hit(answer: &Answer) -> bool {
    answer.header("cache-status").contains("; hit")
}

impl Model {
    pub(crate) fn new(sites: Vec<Site>) -> Self {
        Self { sites, ..Self::default() }
    }

    pub(crate) fn site(&self, place: usize) -> Result<&Site> {
        self.sites.get(place).context("a site")
    }

    /// The tenant that a site has now.
    pub(crate) fn tenant(&mut self, place: usize) -> Result<&mut Tenant> {
        let site = self.sites.get_mut(place).context("a site")?;
        site.tenant.as_mut().with_context(|| format!("{} is there", site.name))
    }

    /// Something changed by which every page of a site has to be made anew.
    pub(crate) fn changed(&mut self, place: usize) -> Result<()> {
        self.counts.changes += 1;
        let shown = std::mem::take(&mut self.tenant(place)?.shown);
        self.gone.extend(shown);
        Ok(())
    }

    /// A site has a tenant again.
    pub(crate) fn made(&mut self, place: usize, tenant: Tenant) -> Result<()> {
        self.ids.push(tenant.id.clone());
        self.sessions.push(tenant.session.clone());
        self.sites.get_mut(place).context("a site")?.tenant = Some(tenant);
        self.changed(place)
    }

    /// A site has no tenant any more.
    pub(crate) fn removed(&mut self, place: usize) -> Result<()> {
        self.changed(place)?;
        self.sites.get_mut(place).context("a site")?.tenant = None;
        Ok(())
    }

    /// Two sites have one another's host.
    pub(crate) fn swapped(&mut self, one: usize, other: usize) -> Result<()> {
        let (first, second) = (self.site(one)?.host, self.site(other)?.host);
        self.sites.get_mut(one).context("a site")?.host = second;
        self.sites.get_mut(other).context("a site")?.host = first;
        self.changed(one)?;
        self.changed(other)
    }

    /// Judges an answer.
    ///
    /// # Errors
    /// Where it is not one of those that are right.
    pub(crate) fn judge(&mut self, ask: &Ask, answer: &Answer) -> Result<()> {
        self.counts.asked += 1;
        self.tells_nothing(answer)?;
        if answer.status == 504 && ask.field("cache-control") == Some("only-if-cached") {
            return Ok(());
        }
        match self.due(ask) {
            Due::Page { place, text, marker } => self.judge_page(ask, answer, place, &text, marker),
            Due::Closed => {
                ensure!(answer.status == 503, "the site is suspended");
                self.names_nobody(answer)
            }
            Due::Nowhere => {
                let is_refused = (300..500).contains(&answer.status) && answer.status != 304;
                ensure!(is_refused, "there is no page");
                self.names_nobody(answer)
            }
        }
    }

    /// What one visitor sent in is in no answer, and nobody's session is.
    fn tells_nothing(&self, answer: &Answer) -> Result<()> {
        let whole = format!("{:?}\n{}", answer.headers, answer.text());
        ensure!(!whole.contains("poison"), "a trick came through");
        let mut tokens = self.sessions.iter().filter_map(|session| session.split_once('='));
        ensure!(!tokens.any(|(_name, token)| whole.contains(token)), "a session came through");
        Ok(())
    }

    fn names_nobody(&self, answer: &Answer) -> Result<()> {
        let text = answer.text();
        ensure!(!self.ids.iter().any(|id| text.contains(id)), "a page of some site came through");
        Ok(())
    }

    fn judge_page(
        &mut self,
        ask: &Ask,
        answer: &Answer,
        place: usize,
        text: &str,
        marker: Option<String>,
    ) -> Result<()> {
        let hit = is_hit(answer);
        ensure!(!hit || marker.is_some(), "a page for one visitor was kept");
        self.counts.hits += usize::from(hit);
        match answer.status {
            304 => {
                let sent = ask.field("if-none-match").context("nothing was to be confirmed")?;
                let is_held = self.tags.iter().any(|(tag, held)| tag == sent && held == text);
                ensure!(is_held, "what was confirmed is not this page; this is:\n{text}");
                self.counts.confirmed += 1;
                return Ok(());
            }
            206 => {
                let range = ask.field("range").and_then(|range| part(range, text.len()));
                let bytes =
                    range.and_then(|range| text.as_bytes().get(range)).context("a part was wanted")?;
                ensure!(answer.body == bytes, "the part is not of this page:\n{text}");
                self.counts.parts += 1;
            }
            200 if ask.method == "HEAD" => {
                ensure!(answer.body.is_empty(), "a body came with HEAD");
            }
            200 => self.judge_body(answer, text)?,
            status => bail!("{status} came instead of this page:\n{text}"),
        }
        let Some(marker) = marker else { return Ok(()) };
        ensure!(answer.header("x-marker") == marker, "the fields are not those of this page:\n{text}");
        let rendering = answer.header("x-rendering").to_owned();
        ensure!(!self.gone.contains(&rendering), "the page is from before the last change");
        self.tenant(place)?.shown.insert(rendering);
        Ok(())
    }

    fn judge_body(&mut self, answer: &Answer, text: &str) -> Result<()> {
        if let Some(body) = decoded(answer)? {
            ensure!(body == text.as_bytes(), "the body is not that of this page:\n{text}");
        }
        self.counts.coded += usize::from(answer.headers.contains_key("content-encoding"));
        let tag = answer.header("etag");
        if !tag.is_empty() {
            if self.tags.len() >= TAGS {
                self.tags.remove(0);
            }
            self.tags.push((tag.to_owned(), text.to_owned()));
        }
        Ok(())
    }

    fn due(&self, ask: &Ask) -> Due {
        if ask.second_host.is_some() {
            return Due::Nowhere;
        }
        let Some((place, site, base)) = self.resolve(ask.authority(), &ask.target) else {
            return Due::Nowhere;
        };
        let (Some(tenant), Some(inner)) = (&site.tenant, ask.target.strip_prefix(&base)) else {
            return Due::Nowhere;
        };
        if tenant.is_suspended {
            return Due::Closed;
        }
        match ask.page {
            Page::Stamp(item) if inner.starts_with("/st") => {
                let value = tenant.values.get(item).copied().unwrap_or_default();
                let marker = format!("{}|{}|{}|{item}|{value}", tenant.id, site.name, tenant.release);
                Due::Page { place, text: stamp(ask, &base, inner, &marker), marker: Some(marker) }
            }
            Page::Who if inner.starts_with("/who") => {
                let is_member = ask.field("cookie") == Some(tenant.session.as_str());
                let text = format!("{}\n", if is_member { MEMBER } else { "nobody" });
                Due::Page { place, text, marker: None }
            }
            Page::Stamp(_) | Page::Who | Page::Nowhere => Due::Nowhere,
        }
    }

    /// The site that an address leads to, and what the path begins with there.
    fn resolve(&self, authority: &str, target: &str) -> Option<(usize, &Site, String)> {
        let (host, _port) = in_one_spelling(authority);
        let mut there = self.sites.iter().enumerate().filter(|(_place, site)| site.tenant.is_some());
        if host == "localhost" || host == "127.0.0.1" {
            let name = target.strip_prefix('/')?.split(['/', '?', '#']).next()?;
            let (place, site) = there.find(|(_place, site)| site.name == name)?;
            return Some((place, site, format!("/{name}")));
        }
        let own = |site: &Site| site.host == host || format!("{}.localhost", site.name) == host;
        let (place, site) = there.find(|(_place, site)| own(site))?;
        Some((place, site, String::new()))
    }
}

/// A host as every site gets to see it, however the visitor wrote it, and the port with its colon.
fn in_one_spelling(authority: &str) -> (String, &str) {
    let end = authority.find(':').unwrap_or(authority.len());
    let (host, port) = authority.split_at(end);
    (host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(), port)
}

/// The text of an item's page.
fn stamp(ask: &Ask, base: &str, inner: &str, marker: &str) -> String {
    let inner = inner.split_once('#').map_or(inner, |(inner, _fragment)| inner);
    let (path, query) = inner.split_once('?').unwrap_or((inner, "-"));
    let (host, port) = in_one_spelling(ask.authority());
    let authority = format!("{host}{port}");
    let (origin, forged) = (format!("http://{authority}"), ["-"; FORGEABLE].join("|"));
    let asked = [
        origin.as_str(),
        base,
        path,
        query,
        authority.as_str(),
        ask.field("accept-language").unwrap_or("-"),
        ask.variant().unwrap_or("-"),
        forged.as_str(),
    ];
    format!("{}\n{}\n", [marker; COPIES].join("\n"), asked.join("\n"))
}

/// The bytes that one range names; none where there are several.
fn part(range: &str, length: usize) -> Option<Range<usize>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        return Some(length.checked_sub(last.parse().ok()?)?..length);
    }
    let first: usize = first.parse().ok()?;
    if last.is_empty() { Some(first..length) } else { Some(first..last.parse::<usize>().ok()? + 1) }
}
