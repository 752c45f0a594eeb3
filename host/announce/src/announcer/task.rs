//! The task: connect, doubt, tick and listen until the connection ends, and again.

use super::{Debt, Heard, Open, Shared, TICK, count};
use crate::hearing::{Ear, Tick};
use crate::message::{Message, Said};
use crate::redis::{Inbox, Link, LinkError};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use rowhouse_base::Chain;
use rowhouse_redis::{RedisNamespace, RedisUrl};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Finding the master or the owner of the channel, and connecting. Sentinels that are down cost a second.
const CONNECT: Duration = Duration::from_secs(3);

/// The first wait between attempts, doubled up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// While Redis is away, each server tries about once a second: it must not take long to notice that it is
/// back, and ten servers must not be a burden for one that is coming up.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Ticks are taken and none comes back for this long: the subscription is gone. Ten ticks.
const DEAF: Duration = Duration::from_secs(2);

/// What is under way on the connection at once. A tick is given up after five others were sent.
const UNDER_WAY: usize = 16;

/// Something that was said and what Redis answered.
enum Answer {
    Tick,
    Paid(Debt),
    Raised,
}

type Answers = FuturesUnordered<BoxFuture<'static, Result<Answer, LinkError>>>;

pub(super) async fn run(
    shared: Arc<Shared>,
    url: RedisUrl,
    namespace: RedisNamespace,
    heard: Heard,
    mut ended: oneshot::Receiver<()>,
) {
    let mut voice = Voice { shared: Arc::clone(&shared), heard, ear: Ear::default(), number: 0 };
    let mut wait = FIRST_WAIT;
    let mut is_down = false;
    loop {
        let attempt = async {
            match timeout(CONNECT, Link::connect(&url, &namespace, shared.server)).await {
                Ok(linked) => linked,
                Err(_elapsed) => Err(LinkError::Timeout),
            }
        };
        let linked = tokio::select! {
            _gone = &mut ended => return,
            linked = attempt => linked,
        };
        let error = match linked {
            Ok((link, inbox)) => {
                let mut was_proven = false;
                let error = tokio::select! {
                    _gone = &mut ended => {
                        // A server that is gone need not be listed for three seconds more; best effort.
                        let _left = timeout(TICK, link.leave()).await;
                        return;
                    }
                    error = voice.serve(link.clone(), inbox, &mut is_down, &mut was_proven) => error,
                };
                voice.hang_up();
                if was_proven {
                    wait = FIRST_WAIT;
                }
                error
            }
            Err(error) => error,
        };
        if !is_down {
            is_down = true;
            tracing::warn!(error = %Chain(&error), %url, "the other servers are not heard: what is known is checked with the databases");
        }
        // Up to a quarter more, so that servers don't come all at once.
        let spread = wait * u32::from(shared.server.spread()) / 1024;
        tokio::select! {
            _gone = &mut ended => return,
            () = tokio::time::sleep(wait + spread) => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// What the task keeps between connections.
struct Voice {
    shared: Arc<Shared>,
    heard: Heard,
    ear: Ear,
    /// Connections so far.
    number: u64,
}

/// What belongs to one connection.
struct Talk {
    link: Link,
    answers: Answers,
    /// The generation that was told on it, or is being told.
    told: u64,
    is_paying: bool,
    last_own: Instant,
}

impl Voice {
    /// Speaks and listens until the connection is of no use. Not cancel-safe but for what is owed.
    async fn serve(
        &mut self,
        link: Link,
        mut inbox: Inbox,
        is_down: &mut bool,
        was_proven: &mut bool,
    ) -> LinkError {
        self.number += 1;
        self.doubt();
        match link.clone().generation().await {
            // Whoever told it may have told it while nobody here was listening.
            Ok(Some(generation)) => (self.heard.on_generation)(generation),
            Ok(None) => {}
            Err(error) => return error,
        }
        let answers = Answers::new();
        let mut talk = Talk { link, answers, told: 0, is_paying: false, last_own: Instant::now() };
        let mut beat = interval(TICK);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                message = inbox.next() => {
                    if inbox.has_overflowed() {
                        self.doubt();
                    }
                    message.map(|text| self.hear(&text, &mut talk, is_down, was_proven))
                }
                Some(answer) = talk.answers.next() => answer.map(|answer| self.answered(answer, &mut talk)),
                _ = beat.tick() => self.beat(&mut talk),
                () = self.shared.news.notified() => {
                    self.tell_news(&mut talk);
                    Ok(())
                }
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    /// Nothing more is heard or said on this connection.
    fn hang_up(&mut self) {
        self.shared.close(self.number);
        count(&self.shared.counts.lost);
        let shared = Arc::clone(&self.shared);
        // Known at once, not only when the proof has aged; everything is doubted again once connected.
        self.ear.gap(&shared.hearing, || (), || shared.now());
    }

    fn doubt(&mut self) {
        count(&self.shared.counts.gaps);
        let shared = Arc::clone(&self.shared);
        self.ear.gap(&shared.hearing, || (self.heard.on_gap)(), || shared.now());
    }

    fn beat(&mut self, talk: &mut Talk) -> Result<(), LinkError> {
        if self.shared.hearing.has_lapsed(self.shared.now()) {
            self.doubt();
        }
        if talk.last_own.elapsed() > DEAF {
            return Err(LinkError::Deaf);
        }
        if talk.answers.len() < UNDER_WAY {
            let text = self.shared.text(Said::Tick(self.shared.now()));
            let link = talk.link.clone();
            talk.answers.push(Box::pin(async move { link.tick(text).await.map(|()| Answer::Tick) }));
        }
        Ok(())
    }

    fn hear(&mut self, text: &[u8], talk: &mut Talk, is_down: &mut bool, was_proven: &mut bool) {
        let Some(Message { server, said }) = Message::parse(text) else {
            count(&self.shared.counts.unreadable);
            return self.doubt();
        };
        if server == self.shared.server {
            // Its own hints are no news: what this server changes it knows already.
            if let Said::Tick(sent) = said {
                talk.last_own = Instant::now();
                self.own_tick(sent, is_down, was_proven);
            }
            return;
        }
        if !matches!(said, Said::Tick(_)) {
            count(&self.shared.counts.heard);
        }
        match said {
            Said::Tick(_) => {}
            Said::Moved(tenants) => tenants.into_iter().for_each(|tenant| (self.heard.on_data_moved)(tenant)),
            Said::Generation(generation) => (self.heard.on_generation)(generation),
            Said::Doubt => self.doubt(),
        }
    }

    fn own_tick(&mut self, sent: u64, is_down: &mut bool, was_proven: &mut bool) {
        match self.ear.tick(&self.shared.hearing, sent, self.shared.now()) {
            Tick::Proof => {
                *was_proven = true;
                if std::mem::take(is_down) {
                    tracing::info!("the other servers are heard again");
                }
            }
            Tick::Old => {}
            Tick::Lapsed => self.doubt(),
        }
    }

    fn answered(&self, answer: Answer, talk: &mut Talk) {
        match answer {
            Answer::Tick => {}
            Answer::Paid(debt) => {
                talk.is_paying = false;
                debt.paid();
            }
            Answer::Raised => count(&self.shared.counts.sent),
        }
        self.pay(talk);
        self.tell_news(talk);
    }

    /// Redis answers: what is owed is told first, then callers may use the connection.
    fn pay(&self, talk: &mut Talk) {
        if talk.is_paying {
            return;
        }
        let Some(debt) = Debt::take(&self.shared) else {
            // What is added to the debt from here on is told after the next answer, a tick's at the latest.
            let open = Open { link: talk.link.clone(), number: self.number };
            self.shared.open.lock().get_or_insert(open);
            return;
        };
        talk.is_paying = true;
        let texts: Vec<String> = debt.owed.to_say().into_iter().map(|said| self.shared.text(said)).collect();
        let link = talk.link.clone();
        talk.answers.push(Box::pin(async move {
            for text in texts {
                link.clone().publish(text).await?;
            }
            Ok(Answer::Paid(debt))
        }));
    }

    fn tell_news(&self, talk: &mut Talk) {
        let generation = self.shared.generation.load(Ordering::Acquire);
        // Bounded like ticks; what is left out now is told with the next answer.
        if generation <= talk.told || talk.answers.len() >= UNDER_WAY {
            return;
        }
        talk.told = generation;
        let text = self.shared.text(Said::Generation(generation));
        let link = talk.link.clone();
        talk.answers
            .push(Box::pin(async move { link.raise(generation, text).await.map(|()| Answer::Raised) }));
    }
}
