//! Contenders in interleaved rounds: A B C, A B C, …, so that what else happens on the machine happens
//! to all of them. Medians count.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::Effort;
use crate::answer::Expected;
use crate::load::{Sample, measure};
use crate::places::Places;
use crate::server::Server;

/// One server with one page.
pub(crate) struct Contender<'a> {
    pub(crate) name: String,
    pub(crate) server: &'a Server,
    /// From the server's root.
    pub(crate) path: String,
    pub(crate) expected: Expected,
    /// A script for wrk that chooses the path.
    pub(crate) script: Option<PathBuf>,
}

/// The medians of one contender.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) requests_per_second: f64,
    pub(crate) cpu: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// In KiB.
    pub(crate) peak: u64,
}

/// Checks all, warms all, then measures all in turn.
pub(crate) fn run(places: &Places, effort: Effort, contenders: &[Contender<'_>]) -> Result<Vec<Figures>> {
    for contender in contenders {
        contender.expected.check(&url(contender)).with_context(|| format!("check {}", contender.name))?;
    }
    let mut samples: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..=effort.rounds {
        for (contender, samples) in contenders.iter().zip(&mut samples) {
            let seconds = if round == 0 { 1 } else { effort.seconds };
            let script = contender.script.as_deref();
            let sample = measure(places, contender.server, &url(contender), seconds, script)
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
            contender
                .expected
                .check(&url(contender))
                .with_context(|| format!("check {} again", contender.name))?;
            Ok(Figures {
                name: contender.name.clone(),
                requests_per_second: median(samples.iter().map(|sample| sample.requests_per_second)),
                cpu: median(samples.iter().map(|sample| sample.cpu)),
                p50: Duration::from_secs_f64(median(samples.iter().map(|sample| sample.p50.as_secs_f64()))),
                p99: Duration::from_secs_f64(median(samples.iter().map(|sample| sample.p99.as_secs_f64()))),
                peak: contender.server.usage()?.peak,
            })
        })
        .collect()
}

fn url(contender: &Contender<'_>) -> String {
    format!("{}{}", contender.server.url(), contender.path)
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
}
