//! Load by wrk: 32 connections kept alive, as fast as they go. Over HTTP/2 by h2load.

mod h2load;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::places::Places;
use crate::server::Server;

/// How a server is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    /// HTTP/2 without TLS, and without asking whether the server speaks it, in place of HTTP/1.1.
    pub(crate) http2: bool,
    /// A script for wrk that chooses the path.
    pub(crate) script: Option<PathBuf>,
    /// A field of each request.
    pub(crate) field: Option<(&'static str, &'static str)>,
}

/// What one run of load saw, and what the server spent on it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) requests_per_second: f64,
    /// Processor time of the server per request, in µs.
    pub(crate) cpu: f64,
    /// Not known over HTTP/2, as p99: h2load tells neither.
    pub(crate) p50: Option<Duration>,
    pub(crate) p99: Option<Duration>,
}

/// What wrk printed, or h2load.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Output {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Answers other than 2xx and 3xx, and connections that failed.
    pub(crate) failures: u64,
}

/// Loads `url`, whose page has `length` bytes; a failed request is an error.
pub(crate) fn measure(
    places: &Places,
    server: &Server,
    url: &str,
    seconds: u32,
    manner: &Manner,
    length: usize,
) -> Result<Sample> {
    let before = server.usage()?;
    let output = if manner.http2 {
        h2load::run(places, url, seconds, manner, length)?
    } else {
        wrk_as(places, url, seconds, manner)?
    };
    let after = server.usage()?;
    if output.requests == 0 || output.failures > 0 {
        bail!("{} of {} requests to {url} failed", output.failures, output.requests);
    }
    let cpu = per_request(after.cpu.saturating_sub(before.cpu), output.requests);
    let latency = |time: Duration| (!manner.http2).then_some(time);
    let (p50, p99) = (latency(output.p50), latency(output.p99));
    Ok(Sample { requests_per_second: output.per_second, cpu, p50, p99 })
}

/// Processor time per request, in µs.
pub(crate) fn per_request(spent: Duration, requests: u64) -> f64 {
    // Requests of a run fit a double exactly.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let requests = requests as f64;
    spent.as_secs_f64() * 1e6 / requests
}

/// Runs wrk with a script; failed requests are counted.
pub(crate) fn wrk(places: &Places, url: &str, seconds: u32, script: Option<&Path>) -> Result<Output> {
    let manner = Manner { script: script.map(Path::to_owned), ..Manner::default() };
    wrk_as(places, url, seconds, &manner)
}

/// Runs wrk in this manner, over HTTP/1.1; failed requests are counted.
pub(crate) fn wrk_as(places: &Places, url: &str, seconds: u32, manner: &Manner) -> Result<Output> {
    let mut command = Command::new(&places.wrk);
    command.args(["--threads", "1", "--connections", "32", "--latency", "--timeout", "10s"]);
    command.arg("--duration").arg(format!("{seconds}s"));
    if let Some(script) = &manner.script {
        command.arg("--script").arg(script);
    }
    if let Some((name, value)) = manner.field {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    let output = command.arg(url).output().context("start wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text)
        .with_context(|| format!("read what wrk printed:\n{text}{}", String::from_utf8_lossy(&output.stderr)))
}

fn parse(text: &str) -> Option<Output> {
    let mut output = Output::default();
    let mut complete = false;
    for line in text.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["50%", time] => output.p50 = duration(time)?,
            ["99%", time] => output.p99 = duration(time)?,
            [count, "requests", "in", ..] => output.requests = count.parse().ok()?,
            ["Requests/sec:", rate] => {
                output.per_second = rate.parse().ok()?;
                complete = true;
            }
            ["Non-2xx", "or", "3xx", "responses:", count] => output.failures += count.parse::<u64>().ok()?,
            ["Socket", "errors:", rest @ ..] => {
                output.failures += rest
                    .iter()
                    .filter_map(|word| word.trim_end_matches(',').parse::<u64>().ok())
                    .sum::<u64>();
            }
            _ => {}
        }
    }
    complete.then_some(output)
}

/// `1.23ms`, `456.00us`, `2.00s`, `1.50m`.
fn duration(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let factor = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "Running 2s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.45ms    1.03ms  14.66ms   90.00%
    Req/Sec    23.41k     1.33k   25.00k    75.00%
  Latency Distribution
     50%    1.20ms
     75%    1.60ms
     90%    2.40ms
     99%  560.00us
  46683 requests in 2.00s, 6.59MB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 7
Requests/sec:  23317.60
Transfer/sec:      3.29MB
";

    #[test]
    fn what_wrk_prints_is_read() {
        let expected = Output {
            requests: 46_683,
            per_second: 23_317.6,
            p50: Duration::from_micros(1_200),
            p99: Duration::from_micros(560),
            failures: 10,
        };
        assert_eq!(parse(PRINTED), Some(expected));
    }

    #[test]
    fn a_run_that_ended_early_is_no_figure() {
        assert_eq!(parse("unable to connect to 127.0.0.1:1 Connection refused\n"), None);
    }
}
