//! The audit trail. What a row names is a link while it is there; what is gone stays the text that was written.

use super::{Frame, Moment, Pager};
use crate::services::Named;
use crate::store::Thing;
use crate::types::AuditEntry;
use askama::Template;

/// A piece of text, and the page that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::console) struct Word {
    pub text: String,
    pub path: Option<String>,
}

impl Word {
    fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), path: None }
    }
}

/// A row of the audit trail.
#[derive(Clone, Debug)]
pub(in crate::console) struct AuditRow {
    pub at: Moment,
    /// One after the other, without anything between them.
    pub actor: Vec<Word>,
    pub action: String,
    pub subject: Word,
    /// As the actor.
    pub detail: Vec<Word>,
}

impl AuditRow {
    /// An entry, with what of it is still there.
    pub(in crate::console) fn new(entry: AuditEntry, named: &Named) -> Self {
        let actor = match named.actor(&entry) {
            Some(name) => {
                vec![Word::plain("user "), Word { text: name.to_owned(), path: path(Thing::User, name) }]
            }
            None => vec![Word::plain(&entry.actor)],
        };
        let subject = match named.subject(&entry) {
            Some(thing) => Word { path: path(thing, &entry.subject), text: entry.subject },
            None => Word::plain(&entry.subject),
        };
        let detail = detail(&entry.detail, &subject.text, named);
        Self { at: Moment::of(&entry.at), actor, action: entry.action, subject, detail }
    }
}

/// A detail with names in place of ids. One that is the subject's id alone says nothing more.
fn detail(text: &str, subject: &str, named: &Named) -> Vec<Word> {
    if named.id(text).is_some_and(|(_, name)| name == subject) {
        return Vec::new();
    }
    let mut words: Vec<Word> = Vec::new();
    for piece in text.split_inclusive(|c: char| !is_of_id(c)) {
        let (id, rest) = piece.split_at(piece.trim_end_matches(|c: char| !is_of_id(c)).len());
        match named.id(id) {
            Some((thing, name)) => {
                let leads = named.has_page(thing, name, id);
                let path = if leads { path(thing, address(thing, id, name)) } else { None };
                words.push(Word { text: shown(thing, name), path });
                go_on(&mut words, rest);
            }
            None => go_on(&mut words, piece),
        }
    }
    words
}

/// Goes on with text that leads nowhere.
fn go_on(words: &mut Vec<Word>, text: &str) {
    match words.last_mut() {
        Some(last) if last.path.is_none() => last.text.push_str(text),
        _ if text.is_empty() => {}
        _ => words.push(Word::plain(text)),
    }
}

fn is_of_id(c: char) -> bool {
    c.is_ascii_hexdigit() || c == '-'
}

/// A run has no name but when it began.
fn shown(thing: Thing, name: &str) -> String {
    match thing {
        Thing::Run => format!("of {}", Moment::of(name).short),
        _ => name.to_owned(),
    }
}

/// What a thing's page is called by.
fn address<'a>(thing: Thing, id: &'a str, name: &'a str) -> &'a str {
    if thing == Thing::Run { id } else { name }
}

fn path(thing: Thing, address: &str) -> Option<String> {
    let folder = match thing {
        Thing::Tenant => "tenants",
        Thing::User => "users",
        Thing::Release => "releases",
        Thing::Run => "runs",
        Thing::Token => return Some("/-/console/tokens".to_owned()),
    };
    Some(format!("/-/console/{folder}/{address}"))
}

/// The audit trail.
#[derive(Debug, Template)]
#[template(path = "console/audit.html")]
pub(in crate::console) struct AuditPage {
    pub frame: Frame,
    pub tenant: String,
    pub rows: Vec<AuditRow>,
    pub pager: Pager,
}
