//! Load at a steady pace, for latency: a client that waits for nothing but its clock.
//!
//! wrk goes as fast as it can and so measures its own queue. Here each of a few clients asks at fixed
//! times, and a request's latency counts from when it was due, so that a stall is seen by all it delayed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use thread_priority::ThreadPriority;
use thread_priority::unix::{
    NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};

use crate::answer::{Expected, agent};

/// How many clients share the pace.
const CLIENTS: u32 = 4;

/// Latencies of one measurement, ascending.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// These, in any order.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The latency that `percent` of the requests stayed within.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let index = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }
}

/// Asks `url` `rate` times a second for `time`; an answer that is not the expected one is an error.
pub(crate) fn measure(url: &str, expected: &Expected, rate: u32, time: Duration) -> Result<Latencies> {
    expected.check(url)?;
    let gap = Duration::from_secs(1) * CLIENTS / rate;
    let results: Vec<Result<Vec<Duration>>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || one_client(url, expected, gap, gap * client / CLIENTS, time)))
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| bail!("a client of the load panicked")))
            .collect()
    });
    let mut all = Vec::new();
    for result in results {
        all.extend(result?);
    }
    Ok(Latencies::of(all))
}

fn one_client(
    url: &str,
    expected: &Expected,
    gap: Duration,
    offset: Duration,
    time: Duration,
) -> Result<Vec<Duration>> {
    let agent = agent();
    let begin = Instant::now() + offset;
    let mut due = begin;
    let mut latencies = Vec::new();
    while due < begin + time {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut answer = agent.get(url).call()?;
        let status = answer.status();
        let body = answer.body_mut().read_to_string()?;
        latencies.push(due.elapsed());
        if status != 200 || !body.contains(&expected.marker) {
            bail!("the quiet tenant answered {status}");
        }
        due += gap;
    }
    Ok(latencies)
}

/// Asks `url` from `clients` threads without a pause until `stop`; answers and errors don't matter.
///
/// The threads run when nothing else does: attackers have machines of their own, and what they do there must not
/// be taken for what their requests do here.
pub(crate) fn attack(url: &str, clients: u32, stop: &AtomicBool) {
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                run_when_idle();
                let agent: ureq::Agent = ureq::Agent::config_builder()
                    .http_status_as_error(false)
                    .timeout_global(Some(Duration::from_secs(10)))
                    .build()
                    .into();
                while !stop.load(Ordering::Relaxed) {
                    if let Ok(mut answer) = agent.get(url).call() {
                        let _ = answer.body_mut().with_config().limit(1024 * 1024).read_to_vec();
                    } else {
                        // A refused connection must not turn this loop into an attack on the machine.
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            });
        }
    });
}

fn run_when_idle() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        println!("    attackers run at normal priority: {error:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let latencies = Latencies((1..=100).map(Duration::from_millis).collect());
        assert_eq!(latencies.percentile(50), Duration::from_millis(51));
        assert_eq!(latencies.percentile(99), Duration::from_millis(100));
        assert_eq!(Latencies(Vec::new()).percentile(99), Duration::ZERO);
    }
}
