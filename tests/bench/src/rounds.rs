//! Contenders in interleaved rounds: A B C, A B C, …, so that what else happens on the machine happens
//! to all of them. Medians count.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::Effort;
use crate::answer::Expected;
use crate::load::{Manner, Sample, measure};
use crate::places::Places;
use crate::server::Server;

/// Before each measurement: a server of ours sees the site that was measured before as one at work for a second, and
/// gives way to it.
const PAUSE: Duration = Duration::from_millis(1_200);

/// One server with one page.
pub(crate) struct Contender<'a> {
    pub(crate) name: String,
    pub(crate) server: &'a Server,
    /// From the server's root.
    pub(crate) path: String,
    pub(crate) expected: Expected,
    pub(crate) manner: Manner,
}

/// The medians of one contender.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) requests_per_second: f64,
    pub(crate) cpu: f64,
    /// None where the load generator doesn't tell.
    pub(crate) p50: Option<Duration>,
    pub(crate) p99: Option<Duration>,
    /// In KiB.
    pub(crate) peak: u64,
}

/// Checks all, warms all, then measures all in turn.
pub(crate) fn run(places: &Places, effort: Effort, contenders: &[Contender<'_>]) -> Result<Vec<Figures>> {
    let lengths = contenders
        .iter()
        .map(|contender| settle(contender).with_context(|| format!("check {}", contender.name)))
        .collect::<Result<Vec<usize>>>()?;
    let mut samples: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..=effort.rounds {
        for ((contender, length), samples) in contenders.iter().zip(&lengths).zip(&mut samples) {
            let seconds = if round == 0 { 1 } else { effort.seconds };
            let (server, manner) = (contender.server, &contender.manner);
            std::thread::sleep(PAUSE);
            let sample = measure(places, server, &url(contender), seconds, manner, *length)
                .with_context(|| format!("measure {}", contender.name))?;
            println!(
                "    round {round} {:<40} {:>9.0} req/s {:>7.1} µs",
                contender.name, sample.requests_per_second, sample.cpu
            );
            // Round 0 warms: caches fill, code is compiled, connections open.
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    contenders
        .iter()
        .zip(samples)
        .map(|(contender, samples)| {
            // Once more after the load: it may have broken the server.
            settle(contender).with_context(|| format!("check {} again", contender.name))?;
            Ok(Figures {
                name: contender.name.clone(),
                requests_per_second: median(samples.iter().map(|sample| sample.requests_per_second)),
                cpu: median(samples.iter().map(|sample| sample.cpu)),
                p50: median_time(samples.iter().map(|sample| sample.p50)),
                p99: median_time(samples.iter().map(|sample| sample.p99)),
                peak: contender.server.usage()?.peak,
            })
        })
        .collect()
}

fn settle(contender: &Contender<'_>) -> Result<usize> {
    contender.expected.settle(&url(contender), &contender.manner)
}

fn url(contender: &Contender<'_>) -> String {
    format!("{}{}", contender.server.url(), contender.path)
}

/// The median, where each of them is known.
fn median_time(times: impl Iterator<Item = Option<Duration>>) -> Option<Duration> {
    let times: Option<Vec<f64>> = times.map(|time| time.map(|time| time.as_secs_f64())).collect();
    times.map(|times| Duration::from_secs_f64(median(times.into_iter())))
}

/// The middle of the values; the lower one of two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([9.0, 1.0, 5.0].into_iter()), 5.0);
        assert_eq!(median([4.0, 1.0].into_iter()), 1.0);
        assert_eq!(median([].into_iter()), 0.0);
    }

    #[test]
    fn a_time_that_is_not_known_makes_no_median() {
        let time = Duration::from_millis(3);
        assert_eq!(median_time([Some(time), Some(time)].into_iter()), Some(time));
        assert_eq!(median_time([Some(time), None].into_iter()), None);
    }
}
