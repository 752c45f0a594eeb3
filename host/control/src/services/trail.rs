//! The audit trail, and what its rows name as far as it is still there.

use crate::Control;
use crate::error::ControlError;
use crate::store::{AuditRow, Thing, user_in};
use crate::types::{AuditEntry, Page, Paging, rfc3339};
use rowhouse_base::id::RunId;
use rowhouse_identity::Operator;
use std::collections::{BTreeSet, HashMap};

type Result<T> = std::result::Result<T, ControlError>;

/// Characters of an id.
const ID: usize = 36;

/// What some rows of the trail name and is still there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    /// Whose pages are found by these names, by id. That of a release is its name.
    pages: HashMap<(Thing, String), String>,
    /// What has these ids, and its name; of a run when it began.
    ids: HashMap<String, (Thing, String)>,
}

impl Named {
    /// What an entry was done to, where the page of that name is still about it.
    pub(crate) fn subject(&self, entry: &AuditEntry) -> Option<Thing> {
        let thing = thing(&entry.action)?;
        let id = if thing == Thing::Release { Some(&entry.subject) } else { entry.subject_id.as_ref() };
        self.has_page(thing, &entry.subject, id?).then_some(thing)
    }

    /// The user who did it, where the page of that name is still theirs.
    pub(crate) fn actor<'a>(&self, entry: &'a AuditEntry) -> Option<&'a str> {
        let name = user_in(&entry.actor)?;
        self.has_page(Thing::User, name, entry.actor_id.as_deref()?).then_some(name)
    }

    /// What has this id, and its name; of a run when it began.
    pub(crate) fn id(&self, id: &str) -> Option<(Thing, &str)> {
        self.ids.get(id).map(|(thing, name)| (*thing, name.as_str()))
    }

    /// True where the page that is found by this name is about what has this id. Another may have the name by now.
    pub(crate) fn has_page(&self, thing: Thing, name: &str, id: &str) -> bool {
        match thing {
            // Theirs is not found by a name.
            Thing::Run | Thing::Token => true,
            Thing::Tenant | Thing::User | Thing::Release => {
                self.pages.get(&(thing, name.to_owned())).is_some_and(|shown| shown == id)
            }
        }
    }
}

impl Control {
    /// A page of the audit trail, newest first, of one tenant where named.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn audit(
        &self,
        _operator: &Operator,
        paging: &Paging,
        tenant: Option<&str>,
    ) -> Result<Page<AuditEntry>> {
        let limit = paging.limit();
        let rows = self.store.audit_page(tenant.unwrap_or_default(), paging.cursor(), limit + 1).await?;
        let page = Page::cut(rows, limit, |row| row.id.to_string());
        let entry = |row: AuditRow| AuditEntry {
            id: row.id.to_string(),
            at: rfc3339(row.at),
            actor: row.actor,
            actor_id: row.actor_id,
            action: row.action,
            subject: row.subject,
            subject_id: row.subject_id,
            detail: row.detail,
        };
        Ok(Page { items: page.items.into_iter().map(entry).collect(), next: page.next })
    }

    /// What these entries name. A handful of statements, however many they are.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub(crate) async fn named_in(&self, _operator: &Operator, entries: &[AuditEntry]) -> Result<Named> {
        let mut named = Named::default();
        let ids: BTreeSet<&str> = entries.iter().flat_map(|entry| ids(&entry.detail)).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        for kind in [Thing::Tenant, Thing::User, Thing::Token] {
            let found = self.store.names_of(kind, &ids).await?;
            named.ids.extend(found.into_iter().map(|(id, name)| (id, (kind, name))));
        }
        let runs = self.store.runs_begun(&ids).await?;
        named.ids.extend(runs.into_iter().map(|(id, at)| (id.to_string(), (Thing::Run, rfc3339(at)))));
        for kind in [Thing::Tenant, Thing::User, Thing::Release] {
            let of_it = entries.iter().filter(|entry| thing(&entry.action) == Some(kind));
            let actors = entries.iter().filter(|_| kind == Thing::User);
            let in_details = named.ids.values().filter(|(thing, _)| *thing == kind);
            let names: BTreeSet<&str> = of_it
                .map(|entry| entry.subject.as_str())
                .chain(actors.filter_map(|entry| user_in(&entry.actor)))
                .chain(in_details.map(|(_, name)| name.as_str()))
                .collect();
            let names: Vec<&str> = names.into_iter().collect();
            let found = self.store.ids_shown(kind, &names).await?;
            named.pages.extend(found.into_iter().map(|(name, id)| ((kind, name), id)));
        }
        Ok(named)
    }
}

/// What an action is done to.
fn thing(action: &str) -> Option<Thing> {
    match action.split_once('.').map_or(action, |(noun, _)| noun) {
        "tenant" | "member" | "cache" => Some(Thing::Tenant),
        "user" => Some(Thing::User),
        "release" | "run" => Some(Thing::Release),
        _ => None,
    }
}

/// What looks like an id in a text.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    words.filter(|word| word.len() == ID && word.parse::<RunId>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_details() {
        let one = "0197a2c4-6f1e-7a53-9d2b-0c8f4b1e7a10";
        let text = format!("2 tenant(s), run {one} takes back run {one}x; 4f2ab19c");
        assert_eq!(ids(&text).collect::<Vec<_>>(), [one, one]);
        assert_eq!(ids("nothing, 0197a2c4-6f1e-7a53-9d2b-0c8f4b1e7a1g").next(), None);
    }

    #[test]
    fn an_action_begins_with_what_it_is_done_to() {
        assert_eq!(thing("member.set"), Some(Thing::Tenant));
        assert_eq!(thing("run.resume"), Some(Thing::Release));
        assert_eq!([thing("server.drain"), thing("token.revoke"), thing("")], [None, None, None]);
    }
}
