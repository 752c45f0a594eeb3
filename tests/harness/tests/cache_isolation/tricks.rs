//! What a visitor may try in order to get a page that is not theirs, or to have others get one that is not right.
//!
//! A trick changes a request. What the right answer is then, the model says. `poison` is in nothing that anybody may
//! be shown: each word that tricks put in begins with it.

use crate::wire::{Ask, Page};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// What a trick may draw from.
pub(crate) struct Lot<'a> {
    pub(crate) random: &'a mut StdRng,
    /// A word that must not come back.
    pub(crate) word: String,
    /// Name of another site, and its host with the port.
    pub(crate) neighbour: (&'static str, String),
    /// Entity tags that somebody was shown.
    pub(crate) tags: &'a [(String, String)],
    /// Cookies of sessions, over or not.
    pub(crate) sessions: &'a [String],
}

impl Lot<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.random.random_range(0..bound)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let place = self.below(of.len().max(1));
        of.get(place).copied()
    }
}

/// A way to change a request.
type Trick = fn(&mut Ask, &mut Lot<'_>);

const TRICKS: [Trick; 17] = [
    odd_host,
    neighbours_host,
    two_hosts,
    absolute_form,
    forged_fields,
    forged_fields,
    odd_query,
    odd_target,
    codings,
    language,
    variant,
    variant_of_the_connection,
    part,
    tag_of_somebody,
    cookie_of_somebody,
    wishes,
    odd_request,
];

/// One or two tricks with a request.
pub(crate) fn played(plain: &Ask, lot: &mut Lot<'_>) -> Ask {
    let mut ask = plain.clone();
    for _trick in 0..=lot.below(2) {
        if let Some(trick) = lot.one(&TRICKS) {
            trick(&mut ask, lot);
        }
    }
    ask
}

/// The same host in another spelling, or on another port.
fn odd_host(ask: &mut Ask, lot: &mut Lot<'_>) {
    let (name, port) = ask.host.split_once(':').unwrap_or((ask.host.as_str(), "80"));
    ask.host = match lot.below(5) {
        0 => format!("{}:{port}", name.to_uppercase()),
        1 => format!("{name}.:{port}"),
        2 => format!("{name}:1"),
        3 => name.to_owned(),
        _ => format!("{}.", name.to_uppercase()),
    };
}

fn neighbours_host(ask: &mut Ask, lot: &mut Lot<'_>) {
    ask.host.clone_from(&lot.neighbour.1);
}

fn two_hosts(ask: &mut Ask, lot: &mut Lot<'_>) {
    let other = lot.neighbour.1.clone();
    ask.second_host = Some(if lot.below(2) == 0 { other } else { format!("{}.example", lot.word) });
}

/// The address before the path counts, and `Host` says something else.
fn absolute_form(ask: &mut Ask, lot: &mut Lot<'_>) {
    let (own, word) = (ask.host.clone(), lot.word.clone());
    match lot.below(4) {
        0 => ask.absolute = Some(format!("http://{}", lot.neighbour.1)),
        1 => ask.absolute = Some(format!("http://{word}@{own}")),
        2 => {
            ask.absolute = Some(format!("https://{own}"));
            ask.host = format!("{word}.example");
        }
        _ => {
            ask.absolute = Some(format!("http://{own}"));
            ask.host.clone_from(&lot.neighbour.1);
        }
    }
}

/// Fields by which proxies tell where a request came from.
fn forged_fields(ask: &mut Ask, lot: &mut Lot<'_>) {
    const NAMES: [&str; 19] = [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Proto",
        "X-Forwarded-Scheme",
        "X-Forwarded-Server",
        "X-Forwarded-Ssl",
        "X-Forwarded",
        "X-Host",
        "X-Original-Host",
        "X-Original-Url",
        "X-Rewrite-Url",
        "X-Real-Ip",
        "X-Client-Ip",
        "True-Client-Ip",
        "X-Cluster-Client-Ip",
        "Front-End-Https",
    ];
    for _field in 0..=lot.below(3) {
        let Some(name) = lot.one(&NAMES) else { continue };
        let (word, (other, host)) = (&lot.word, &lot.neighbour);
        let values = [
            format!("{word}.example"),
            format!("/{word}"),
            host.clone(),
            format!("/{other}/stamp/1"),
            format!("for={word};host={host};proto=https"),
        ];
        let place = lot.below(values.len());
        ask.set(name, values.get(place).cloned().unwrap_or_default());
    }
}

fn odd_query(ask: &mut Ask, lot: &mut Lot<'_>) {
    const QUERIES: [&str; 7] =
        ["a=1&b=2", "b=2&a=1", "a=1&a=2", "a=1%26b=2", "utm_source=x", "a=%00", "..%2F..%2Fwho"];
    if let (Some(query), false) = (lot.one(&QUERIES), ask.target.contains(['?', '#'])) {
        ask.target = format!("{}?{query}", ask.target);
    }
}

/// Addresses that somebody could take for those of other pages.
fn odd_target(ask: &mut Ask, lot: &mut Lot<'_>) {
    let Page::Stamp(item) = ask.page else { return };
    let (base, other) = (&ask.base, lot.neighbour.0);
    let name = base.trim_start_matches('/');
    let same = Page::Stamp(item);
    let targets = [
        (format!("{base}/stamp/%3{item}"), same),
        (format!("{base}/st%61mp/{item}"), same),
        (format!("{base}/stamp/0{item}"), same),
        (format!("{base}/stamp/{item}#/{other}/stamp/{item}"), same),
        (format!("{base}/stamp/{item}?/../{other}/stamp/{item}"), same),
        (format!("{base}/stamp/{item}?%2e%2e%2f{other}"), same),
        (format!("{base}/stamp/{item}%2F..%2F..%2F{other}"), Page::Nowhere),
        (format!("{base}/stamp/{item}%00"), Page::Nowhere),
        (format!("{base}/stamp/{item};{other}"), Page::Nowhere),
        (format!("{base}/%2e%2e/{other}/stamp/{item}"), Page::Nowhere),
        (format!("{base}/../{other}/stamp/{item}"), Page::Nowhere),
        (format!("{base}//stamp/{item}"), Page::Nowhere),
        (format!("/{base}/stamp/{item}"), Page::Nowhere),
        (format!("/{name}%2Fstamp/{item}"), Page::Nowhere),
        (format!("/{}/stamp/{item}", name.to_uppercase()), Page::Nowhere),
    ];
    let place = lot.below(targets.len());
    if let Some((target, page)) = targets.into_iter().nth(place) {
        (ask.target, ask.page) = (target, page);
    }
}

fn codings(ask: &mut Ask, lot: &mut Lot<'_>) {
    const CODINGS: [&str; 6] =
        ["gzip", "gzip;q=1.0, identity;q=0", "br;q=0.1, gzip", "br", "zstd, gzip;q=0.5", "identity"];
    if let Some(coding) = lot.one(&CODINGS) {
        ask.set("accept-encoding", coding);
    }
}

/// One that pages differ by. No two of them mean the same in another order or case.
fn language(ask: &mut Ask, lot: &mut Lot<'_>) {
    if let Some(language) = lot.one(&["de", "en", "fr;q=0.5,de"]) {
        ask.set("accept-language", language);
    }
}

/// The other one.
fn variant(ask: &mut Ask, lot: &mut Lot<'_>) {
    if let Some(variant) = lot.one(&["red", "blue", "red,blue"]) {
        ask.set("x-variant", variant);
    }
}

/// A field that pages differ by, and that is then said to be of the connection: no page may be made for it.
fn variant_of_the_connection(ask: &mut Ask, lot: &mut Lot<'_>) {
    ask.set("x-variant", lot.word.clone());
    ask.set("connection", "x-variant");
}

fn part(ask: &mut Ask, lot: &mut Lot<'_>) {
    if let Some(range) = lot.one(&["bytes=0-99", "bytes=-7", "bytes=40-", "bytes=0-1,5-6"]) {
        ask.set("range", range);
    }
}

/// A page that somebody else holds, or held once.
fn tag_of_somebody(ask: &mut Ask, lot: &mut Lot<'_>) {
    let place = lot.below(lot.tags.len().max(1));
    if let Some((tag, _page)) = lot.tags.get(place) {
        ask.set("if-none-match", tag.clone());
    }
}

/// A session at another site, at one that is gone, or by chance at this one.
fn cookie_of_somebody(ask: &mut Ask, lot: &mut Lot<'_>) {
    let place = lot.below(lot.sessions.len().max(1));
    if let Some(session) = lot.sessions.get(place) {
        ask.set("cookie", session.clone());
    }
}

/// What a visitor may want of a cache. None of it makes a page right that isn't.
fn wishes(ask: &mut Ask, lot: &mut Lot<'_>) {
    const WISHES: [&str; 6] =
        ["max-stale", "max-stale=99999", "only-if-cached", "no-store", "no-cache", "stale-if-error=99999"];
    if let Some(wish) = lot.one(&WISHES) {
        ask.set("cache-control", wish);
    }
}

/// With credentials, without the page's body, with a body of one's own.
fn odd_request(ask: &mut Ask, lot: &mut Lot<'_>) {
    match lot.below(3) {
        0 => ask.set("authorization", format!("Basic {}", lot.word)),
        1 => ask.method = "HEAD",
        _ => ask.body = format!("{}=1", lot.word),
    }
}
