//! A page that isn't there: one request makes it, others wait for that one, here and on other servers.

use super::{Looked, Need, Request, Stored, Verdict};
use crate::account::{Permit, count};
use crate::cache::{Cache, LEASE_KEY, PAGE_KEY, VARIANT_KEY};
use crate::fill::{Candidate, Fill, Lease};
use crate::flight::{Ended, Joined, Ticket};
use crate::form::{Read, read};
use crate::key::Primary;
use crate::page::Page;
use crate::pass::Pass;
use crate::second::{Leased, SecondLevel};
use crate::status::{CacheStatus, Forward};
use crate::store::{Index, Mark};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use rowhouse_base::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How often a request waits for another before it goes alone. Each round was ended by a fill that gave up
/// or made a page for somebody else.
const ROUNDS: usize = 8;
/// Between two looks whether another server's page has arrived: some ten of its look-ups.
const POLL: Duration = Duration::from_millis(20);
/// A value of the second level may be longer than its page by this: fields, stamp, key.
const FORM_BYTES: u64 = 256 << 10;

impl Cache {
    pub(super) async fn missing(self: &Arc<Self>, request: &Request<'_>, need: Need) -> Looked {
        if request.control.only_if_cached {
            return Looked::Answer(not_cached());
        }
        let forward = need.forward;
        if *request.asked.method == Method::HEAD {
            return pass(forward, "head");
        }
        let account = self.account(&request.asked.site);
        count(&account.misses);
        let primary = Arc::new(request.address.to_primary());
        if need.alone {
            return self.alone(request, need, primary);
        }
        if need.candidate.is_none() && self.was_refused(request.hash, Timestamp::now()) {
            return pass(forward, "not-stored");
        }
        self.join(request, need, primary).await
    }

    /// Asks without waiting for anybody, within what the tenant may.
    fn alone(self: &Arc<Self>, request: &Request<'_>, need: Need, primary: Arc<Primary>) -> Looked {
        match self.permit(request) {
            Some(permit) => Looked::Fill(self.fill(request, need, primary, permit)),
            None => pass(need.forward, "busy"),
        }
    }

    fn permit(&self, request: &Request<'_>) -> Option<Permit> {
        self.account(&request.asked.site).permit(self.config.fills_per_tenant)
    }

    async fn join(self: &Arc<Self>, request: &Request<'_>, mut need: Need, primary: Arc<Primary>) -> Looked {
        let deadline = Instant::now() + self.config.fill_wait;
        for _ in 0..ROUNDS {
            let forward = need.forward;
            let vary_key = need.vary_key(request);
            match self.flights.join(request.hash, &vary_key, &primary) {
                Joined::Collides => return self.alone(request, need, primary),
                Joined::Leads(ticket) => {
                    // It may have been made between looking and leading.
                    match self.stored(request, CacheStatus::hit()) {
                        Stored::Ask(again) if again.vary_key(request) == vary_key => {
                            return self.lead(request, again, primary, ticket).await;
                        }
                        Stored::Ask(again) => need = again,
                        Stored::Answer(answer) => return Looked::Answer(answer),
                        Stored::Stale(page, index) => {
                            drop(ticket);
                            return self.renew(request, &page, index);
                        }
                    }
                }
                Joined::Follows(mut follower) => {
                    let Ok(ended) = timeout_at(deadline, follower.ended()).await else {
                        return pass(forward, "waited");
                    };
                    match self.after(request, ended, forward) {
                        After::Answer(answer) => return Looked::Answer(answer),
                        After::Pass => return pass(forward, "not-stored"),
                        After::Alone => return self.alone(request, need, primary),
                        After::Again => {}
                    }
                    match self.stored(request, CacheStatus::hit()) {
                        Stored::Answer(answer) => return Looked::Answer(answer),
                        Stored::Stale(page, index) => return self.renew(request, &page, index),
                        Stored::Ask(again) if again.alone => return self.alone(request, again, primary),
                        Stored::Ask(again) => need = again,
                    }
                }
            }
        }
        pass(need.forward, "rounds")
    }

    /// What the end of another's fill means for a request.
    fn after(self: &Arc<Self>, request: &Request<'_>, ended: Ended, forward: Forward) -> After {
        let now = Timestamp::now();
        let status = CacheStatus { collapsed: true, ..CacheStatus::forward(forward) };
        match ended {
            Ended::Stored(page, index) => {
                let for_it = index.vary.key(request.asked.headers) == *page.content.vary_key;
                if for_it && matches!(request.judge(&page, now), Verdict::Show) {
                    After::Answer(self.show(request, &page, now, status))
                } else {
                    After::Again
                }
            }
            Ended::Shown(page) => {
                let stands = request.versions.is_none_or(|versions| page.holds(versions));
                if stands { After::Answer(self.show(request, &page, now, status)) } else { After::Pass }
            }
            Ended::Unshared => After::Alone,
            Ended::Refused => After::Pass,
            Ended::Abandoned => After::Again,
        }
    }

    /// Makes the page, if no other server has it or makes it.
    async fn lead(
        self: &Arc<Self>,
        request: &Request<'_>,
        mut need: Need,
        primary: Arc<Primary>,
        ticket: Ticket,
    ) -> Looked {
        let Some(permit) = self.permit(request) else { return pass(need.forward, "busy") };
        let mark = self.store.mark(request.hash);
        let mut lease = None;
        if let Some(second) = &self.second {
            if let Some(page) = self.page_of_second(request, second.as_ref(), &primary, mark, &mut need).await
            {
                return self.found(request, page, ticket, &need);
            }
            let key = primary.key(LEASE_KEY, 0, &need.vary_key(request));
            match second.lease(&key, self.config.fill_wait).await {
                Leased::Mine => lease = Some(Lease::new(Arc::clone(second), key)),
                Leased::Unknown => {}
                Leased::Others => {
                    let until = Instant::now() + self.config.lease_wait;
                    while Instant::now() < until {
                        sleep(POLL).await;
                        let found =
                            self.page_of_second(request, second.as_ref(), &primary, mark, &mut need).await;
                        if let Some(page) = found {
                            return self.found(request, page, ticket, &need);
                        }
                    }
                }
            }
        }
        Looked::Fill(self.fill(request, need, primary, permit).led_by(ticket, lease))
    }

    fn found(
        self: &Arc<Self>,
        request: &Request<'_>,
        page: Arc<Page>,
        ticket: Ticket,
        need: &Need,
    ) -> Looked {
        let answer = self.show(request, &page, Timestamp::now(), CacheStatus::hit().with_detail("second"));
        match &need.index {
            Some(index) => ticket.end(Ended::Stored(page, Arc::clone(index))),
            None => drop(ticket),
        }
        Looked::Answer(answer)
    }

    /// A page from the second level that can be shown. One that can't is something to ask by.
    async fn page_of_second(
        &self,
        request: &Request<'_>,
        second: &dyn SecondLevel,
        primary: &Arc<Primary>,
        mark: Mark,
        need: &mut Need,
    ) -> Option<Arc<Page>> {
        let (page, index) = self.read_of_second(request, second, primary, need).await?;
        match request.judge(&page, Timestamp::now()) {
            Verdict::Show => {
                self.store.insert(&page, &index, mark);
                Some(page)
            }
            Verdict::Renew => {
                need.candidate.get_or_insert(Candidate { page, on_error: true });
                None
            }
            Verdict::Ask { on_error, .. } => {
                need.candidate.get_or_insert(Candidate { page, on_error });
                None
            }
        }
    }

    async fn read_of_second(
        &self,
        request: &Request<'_>,
        second: &dyn SecondLevel,
        primary: &Arc<Primary>,
        need: &mut Need,
    ) -> Option<(Arc<Page>, Arc<Index>)> {
        let account = self.account(&request.asked.site);
        let longest = self.config.max_page_bytes.saturating_add(FORM_BYTES);
        let ahead = second.clock_ahead();
        let fits = |value: &Bytes| u64::try_from(value.len()).is_ok_and(|length| length <= longest);
        let value = second.get(&primary.key(PAGE_KEY, 0, "")).await.filter(fits)?;
        let index = match read(&value, primary, "", request.hash, &account, ahead)? {
            Read::Page(page, index) => {
                let index = Arc::new(index);
                need.index = Some(Arc::clone(&index));
                return Some((page, index));
            }
            Read::Index(index) => Arc::new(index),
        };
        need.index = Some(Arc::clone(&index));
        let vary_key = index.vary.key(request.asked.headers);
        let value = second.get(&primary.key(VARIANT_KEY, index.epoch, &vary_key)).await.filter(fits)?;
        match read(&value, primary, &vary_key, request.hash, &account, ahead)? {
            Read::Page(page, _no_index) => Some((page, index)),
            Read::Index(_) => None,
        }
    }

    pub(super) fn fill(
        self: &Arc<Self>,
        request: &Request<'_>,
        need: Need,
        primary: Arc<Primary>,
        permit: Permit,
    ) -> Fill {
        Fill::new(crate::fill::Start {
            cache: Arc::clone(self),
            account: self.account(&request.asked.site),
            hash: request.hash,
            primary,
            headers: request.asked.headers.clone(),
            method: request.asked.method.clone(),
            wished: request.control.stale_if_error,
            versions: request.versions.cloned(),
            candidate: need.candidate,
            index: need.index,
            forward: need.forward,
            mark: self.store.mark(request.hash),
            permit,
        })
    }
}

/// What a request does after it waited.
enum After {
    Answer(Response<Bytes>),
    Pass,
    Alone,
    Again,
}

impl Need {
    fn vary_key(&self, request: &Request<'_>) -> String {
        self.index.as_ref().map(|index| index.vary.key(request.asked.headers)).unwrap_or_default()
    }
}

fn pass(forward: Forward, detail: &'static str) -> Looked {
    Looked::Pass(Pass::new(CacheStatus::forward(forward).with_detail(detail)))
}

/// The visitor asked for nothing but what is stored (RFC 9111 section 5.2.1.7).
fn not_cached() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    let status = CacheStatus { forward: Some(Forward::Bypass), ..CacheStatus::hit() };
    status.with_detail("only-if-cached").add_to(answer.headers_mut());
    answer
}
