//! Load by h2load: HTTP/2 without TLS, 8 connections of 4 requests each, as many at a time as wrk has.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{Manner, Output};
use crate::places::Places;

/// What h2load printed.
#[derive(Debug, Default, PartialEq)]
struct Printed {
    done: u64,
    started: u64,
    per_second: f64,
    /// Requests that failed, and answers other than 2xx.
    failures: u64,
    /// Bytes of bodies.
    data: u64,
    is_http2: bool,
}

/// Runs h2load; failed requests are counted. Bodies that don't have `length` bytes are an error.
pub(super) fn run(
    places: &Places,
    url: &str,
    seconds: u32,
    manner: &Manner,
    length: usize,
) -> Result<Output> {
    if manner.script.is_some() {
        bail!("h2load takes no script");
    }
    let mut command = Command::new(&places.h2load);
    command.args(["--threads", "1", "--clients", "8", "--max-concurrent-streams", "4"]);
    command.args(["--duration", &seconds.to_string()]);
    if let Some((name, value)) = manner.field {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    let output = command.arg(url).output().context("start h2load")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let printed = parse(&text).with_context(|| {
        format!("read what h2load printed:\n{text}{}", String::from_utf8_lossy(&output.stderr))
    })?;
    if !printed.is_http2 {
        bail!("h2load did not speak HTTP/2 with {url}:\n{text}");
    }
    // Those under way at the end have brought a part of theirs.
    let length = u64::try_from(length).context("read the length")?;
    if printed.data < printed.done * length || printed.data > printed.started * length {
        bail!("the bodies of {} answers from {url} have {} bytes in all", printed.done, printed.data);
    }
    Ok(Output {
        requests: printed.done,
        per_second: printed.per_second,
        failures: printed.failures,
        ..Output::default()
    })
}

fn parse(text: &str) -> Option<Printed> {
    let mut printed = Printed::default();
    let (mut finished, mut counted, mut weighed) = (false, false, false);
    for line in text.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["Application", "protocol:", protocol] => printed.is_http2 = *protocol == "h2c",
            ["finished", "in", _, rate, "req/s,", ..] => {
                printed.per_second = rate.parse().ok()?;
                finished = true;
            }
            ["requests:", _, "total,", started, "started,", done, "done,", rest @ ..] => {
                printed.started = started.parse().ok()?;
                printed.done = done.parse().ok()?;
                printed.failures += counts(rest, &["failed", "errored", "timeout"])?;
                counted = true;
            }
            ["status", "codes:", rest @ ..] => printed.failures += counts(rest, &["3xx", "4xx", "5xx"])?,
            ["traffic:", rest @ ..] => {
                let data = rest.iter().rposition(|word| *word == "data")?;
                let bytes = rest.get(data.checked_sub(1)?)?;
                printed.data = bytes.trim_matches(['(', ')']).parse().ok()?;
                weighed = true;
            }
            _ => {}
        }
    }
    (finished && counted && weighed).then_some(printed)
}

/// The sum of the numbers before these names: `7 failed, 0 errored`.
fn counts(words: &[&str], names: &[&str]) -> Option<u64> {
    let mut sum = 0;
    for pair in words.chunks_exact(2) {
        if let [number, name] = pair
            && names.contains(&name.trim_end_matches(','))
        {
            sum += number.parse::<u64>().ok()?;
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "starting benchmark...
progress: 100% of clients started
Application protocol: h2c
Stopped all clients for thread #0

finished in 2.01s, 24937.50 req/s, 125.10MB/s
requests: 49875 total, 49907 started, 49875 done, 49873 succeeded, 2 failed, 1 errored, 3 timeout
status codes: 49870 2xx, 1 3xx, 0 4xx, 4 5xx
traffic: 250.19MB (262347732) total, 9.42MB (9875228) headers (space savings 19.18%), 239.49MB (251125660) data
                     min         max         mean         sd        +/- sd
time for request:       42us     14.29ms      1.17ms       957us    82.75%
req/s           :    2945.28     3333.05     3115.78      131.44    50.00%
";

    #[test]
    fn what_h2load_prints_is_read() {
        let expected = Printed {
            done: 49_875,
            started: 49_907,
            per_second: 24_937.5,
            failures: 11,
            data: 251_125_660,
            is_http2: true,
        };
        assert_eq!(parse(PRINTED), Some(expected));
    }

    #[test]
    fn a_run_that_ended_early_is_no_figure() {
        assert_eq!(parse("starting benchmark...\nunable to connect\n"), None);
        assert_eq!(parse(PRINTED.split("traffic").next().unwrap_or_default()), None);
    }
}
