//! Looking a request up: what is stored, whether it may be shown, and who makes it where not.
//!
//! The path of a hit takes no lock but a shard's for reading and awaits nothing. Everything else is behind
//! one boxed future, in `lead`. Called by the front.

mod lead;

use crate::account::count;
use crate::cache::Cache;
use crate::conditional::is_for_guest;
use crate::directives::AskedControl;
use crate::fill::{Candidate, Fill};
use crate::flight::Joined;
use crate::freshness::is_authorized;
use crate::invalidate::is_unsafe;
use crate::key::{Address, Asked};
use crate::page::Page;
use crate::pass::Pass;
use crate::status::{CacheStatus, Forward};
use crate::store::{Found, Index};
use crate::view::show;
use bytes::Bytes;
use http::{Method, Response};
use rowhouse_base::{Timestamp, Versions};
use std::sync::Arc;

/// What a look-up comes to.
#[derive(Debug)]
pub enum Looked {
    /// The whole answer.
    Answer(Response<Bytes>),
    /// The whole answer, stale. The fill, if any, is to be done behind it; without one somebody does already.
    Stale {
        /// For the visitor, now.
        answer: Response<Bytes>,
        /// For the guest, in the background.
        fill: Option<Fill>,
    },
    /// Ask the guest, and give its answer to the fill.
    Fill(Fill),
    /// Ask the guest; the cache has no part in it.
    Pass(Pass),
}

/// A request that the cache may answer.
pub(crate) struct Request<'a> {
    asked: &'a Asked<'a>,
    address: Address<'a>,
    hash: u64,
    control: AskedControl,
    versions: Option<&'a Arc<Versions>>,
    authorized: bool,
}

/// Why the guest must be asked, and what there is to ask by.
#[derive(Clone)]
pub(crate) struct Need {
    forward: Forward,
    candidate: Option<Candidate>,
    index: Option<Arc<Index>>,
    /// For this visitor alone: nobody is waited for.
    alone: bool,
}

/// What the store has for a request.
enum Stored {
    Answer(Response<Bytes>),
    Stale(Arc<Page>, Arc<Index>),
    Ask(Need),
}

/// What may be done with a page.
enum Verdict {
    Show,
    /// Show it, and make it anew meanwhile.
    Renew,
    /// `on_error`: show it only where the guest fails.
    Ask {
        forward: Forward,
        alone: bool,
        on_error: bool,
    },
}

impl Cache {
    /// Looks a request up. `versions` are the tenant's as of now, None where they can't be read: then nothing
    /// stored is trusted. Cancel-safe: a dropped look-up makes way for the next.
    pub async fn look(self: &Arc<Self>, asked: &Asked<'_>, versions: Option<&Arc<Versions>>) -> Looked {
        let request = match self.request(asked, versions) {
            Ok(request) => request,
            Err(pass) => return Looked::Pass(pass),
        };
        match self.stored(&request, CacheStatus::hit()) {
            Stored::Answer(answer) => Looked::Answer(answer),
            Stored::Stale(page, index) => self.renew(&request, &page, index),
            // Boxed: a hit should not carry the room for it.
            Stored::Ask(need) => Box::pin(self.missing(&request, need)).await,
        }
    }

    /// What the cache has to do with a request, if anything.
    fn request<'a>(
        self: &Arc<Self>,
        asked: &'a Asked<'a>,
        versions: Option<&'a Arc<Versions>>,
    ) -> Result<Request<'a>, Pass> {
        if is_unsafe(asked.method) {
            return Err(Pass::of_unsafe(CacheStatus::forward(Forward::Method), self, asked));
        }
        if !matches!(*asked.method, Method::GET | Method::HEAD) {
            return Err(Pass::new(CacheStatus::forward(Forward::Method)));
        }
        let control = AskedControl::of(asked.headers);
        if control.no_store || is_for_guest(asked.headers) {
            return Err(Pass::new(CacheStatus::forward(Forward::Request)));
        }
        let address = asked.address();
        let hash = self.store.hash(&address);
        let authorized = is_authorized(asked.headers);
        Ok(Request { asked, address, hash, control, versions, authorized })
    }

    fn stored(self: &Arc<Self>, request: &Request<'_>, status: CacheStatus) -> Stored {
        let alone = request.authorized;
        let need = |forward, index| Stored::Ask(Need { forward, candidate: None, index, alone });
        let (page, index) = match self.store.find(request.hash, &request.address, request.asked.headers) {
            Found::Nothing => return need(Forward::UriMiss, None),
            Found::Others(index) => return need(Forward::VaryMiss, Some(index)),
            Found::Page(page, index) => (page, index),
        };
        let now = Timestamp::now();
        match request.judge(&page, now) {
            Verdict::Show => Stored::Answer(self.show(request, &page, now, status)),
            Verdict::Renew => Stored::Stale(page, index),
            Verdict::Ask { forward: Forward::Bypass, .. } => need(Forward::Bypass, Some(index)),
            Verdict::Ask { forward, alone, on_error } => {
                let candidate = Some(Candidate { page, on_error });
                Stored::Ask(Need { forward, candidate, index: Some(index), alone })
            }
        }
    }

    fn show(
        self: &Arc<Self>,
        request: &Request<'_>,
        page: &Arc<Page>,
        now: Timestamp,
        status: CacheStatus,
    ) -> Response<Bytes> {
        count(&page.account.hits);
        let view = show(page, request.asked.method, request.asked.headers, now, status);
        if let Some(coding) = view.missing {
            self.code(page, coding);
        }
        view.answer
    }

    /// Shows a stale page that its guest allows to be shown meanwhile.
    fn renew(self: &Arc<Self>, request: &Request<'_>, page: &Arc<Page>, index: Arc<Index>) -> Looked {
        let answer = self.show(request, page, Timestamp::now(), CacheStatus::hit());
        let fill = match self.flights.join(request.hash, &page.content.vary_key, &page.content.primary) {
            Joined::Leads(ticket) if *request.asked.method == Method::GET => {
                let permit = page.account.permit(self.config.fills_per_tenant);
                permit.map(|permit| {
                    let candidate = Candidate { page: Arc::clone(page), on_error: true };
                    let need = Need {
                        forward: Forward::Stale,
                        candidate: Some(candidate),
                        index: Some(index),
                        alone: false,
                    };
                    self.fill(request, need, Arc::clone(&page.content.primary), permit).led_by(ticket, None)
                })
            }
            // With a method that makes no page, a ticket is dropped again.
            Joined::Leads(_) | Joined::Follows(_) | Joined::Collides => None,
        };
        Looked::Stale { answer, fill }
    }
}

impl Request<'_> {
    fn judge(&self, page: &Page, now: Timestamp) -> Verdict {
        let policy = &page.content.policy;
        let ask = |forward, alone, on_error| Verdict::Ask { forward, alone, on_error };
        if self.authorized && !policy.with_authorization {
            return ask(Forward::Bypass, true, false);
        }
        let alone = self.authorized || policy.always_asks();
        let Some(versions) = self.versions else { return ask(Forward::Stale, alone, true) };
        if !page.holds(versions) {
            // Never shown again, but the guest may say that it would make the same.
            return ask(Forward::Stale, alone, false);
        }
        let age = page.age(now);
        let control = &self.control;
        if control.no_cache || control.max_age == Some(0) {
            return ask(Forward::Request, true, true);
        }
        if policy.no_cache {
            return ask(Forward::Stale, alone, true);
        }
        let left = policy.left(age);
        let too_old = control.max_age.is_some_and(|most| age > most);
        let too_soon = control.min_fresh.is_some_and(|least| left < i64::try_from(least).unwrap_or(i64::MAX));
        if policy.is_fresh(age) {
            return if too_old || too_soon { ask(Forward::Request, true, true) } else { Verdict::Show };
        }
        if !too_old && !too_soon {
            if control.max_stale.is_some_and(|most| policy.on_wish(age, most)) {
                return Verdict::Show;
            }
            if policy.while_revalidating(age) {
                return Verdict::Renew;
            }
        }
        ask(Forward::Stale, alone, true)
    }
}
