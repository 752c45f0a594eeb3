//! What a request costs with one, two and three servers behind nginx. Servers and load share the cores of one machine,
//! so requests per second can't grow with the servers; what has to stay is the processor time of each request.

use std::time::Duration;

use anyhow::{Result, bail};

use super::balancer::Balancer;
use super::databases::Engine;
use super::fleet::{Farm, PAST_THE_CACHE, SITE, TITLE};
use crate::Effort;
use crate::answer::Expected;
use crate::load::{Manner, per_request, wrk_as};
use crate::places::Places;
use crate::rounds::median;
use crate::server::Server;
use crate::table::Report;

/// Bytes of the home page, around.
const LENGTH: std::ops::RangeInclusive<usize> = 1_000..=20_000;

/// Some servers with an nginx of their own.
struct Contender<'a> {
    servers: Vec<&'a Server>,
    nginx: Server,
}

/// One round of load.
struct Sample {
    requests_per_second: f64,
    /// Processor time per request in µs: of the servers together, and of nginx.
    servers: f64,
    nginx: f64,
}

pub(crate) fn run(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    let farm = Farm::start(places, engine, "scaling")?;
    farm.furnish()?;
    let mut contenders = Vec::new();
    for count in 1..=farm.hosts().len() {
        let servers: Vec<&Server> = farm.hosts().iter().take(count).map(|host| &host.server).collect();
        let ports: Vec<u16> = servers.iter().map(|server| server.port).collect();
        contenders.push(Contender { servers, nginx: Balancer::Nginx.start(places, &ports)? });
    }
    let plain = Expected::new(TITLE, LENGTH);
    let pages = [
        ("home page, kept in memory", Manner::default(), plain.clone().cached("; hit")),
        (
            "home page, made for each request",
            Manner { field: Some(PAST_THE_CACHE), ..Manner::default() },
            plain.cached("fwd=request"),
        ),
    ];
    let mut rows = Vec::new();
    for (page, manner, expected) in &pages {
        println!("    {page}");
        rows.extend(measure(places, effort, &contenders, page, manner, expected)?);
    }
    report.section(&format!(
        "Farm on {}: what a request costs with one, two and three servers behind nginx",
        engine.name()
    ));
    report.rows(&["page", "servers", "req/s", "servers' CPU µs/req", "nginx's CPU µs/req"], &rows);
    report.note(&format!(
        "Sites are on {}, whose processor time is in no figure. All share the cores with the load: the second column \
         of figures should stay, the first can't grow.",
        engine.name()
    ));
    Ok(())
}

fn measure(
    places: &Places,
    effort: Effort,
    contenders: &[Contender<'_>],
    page: &str,
    manner: &Manner,
    expected: &Expected,
) -> Result<Vec<Vec<String>>> {
    let mut samples: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..=effort.rounds.min(3) {
        for (contender, samples) in contenders.iter().zip(&mut samples) {
            let url = format!("{}/{SITE}/", contender.nginx.url());
            expected.settle(&url, manner)?;
            // Round 0 warms each server's memory and connections.
            let sample = load(places, contender, &url, if round == 0 { 1 } else { effort.seconds }, manner)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    let row = |(contender, samples): (&Contender<'_>, Vec<Sample>)| {
        let figure = |of: fn(&Sample) -> f64| median(samples.iter().map(of));
        let row = vec![
            page.to_owned(),
            contender.servers.len().to_string(),
            format!("{:.0}", figure(|sample| sample.requests_per_second)),
            format!("{:.1}", figure(|sample| sample.servers)),
            format!("{:.1}", figure(|sample| sample.nginx)),
        ];
        println!("    {}", row.join("  "));
        row
    };
    Ok(contenders.iter().zip(samples).map(row).collect())
}

fn load(
    places: &Places,
    contender: &Contender<'_>,
    url: &str,
    seconds: u32,
    manner: &Manner,
) -> Result<Sample> {
    let before = (contender.used()?, contender.nginx.usage()?.cpu);
    let output = wrk_as(places, url, seconds, manner)?;
    let after = (contender.used()?, contender.nginx.usage()?.cpu);
    if output.requests == 0 || output.failures > 0 {
        bail!("{} of {} requests to {url} failed", output.failures, output.requests);
    }
    Ok(Sample {
        requests_per_second: output.per_second,
        servers: per_request(after.0.saturating_sub(before.0), output.requests),
        nginx: per_request(after.1.saturating_sub(before.1), output.requests),
    })
}

impl Contender<'_> {
    /// Processor time of the servers so far.
    fn used(&self) -> Result<Duration> {
        let each: Vec<Duration> =
            self.servers.iter().map(|server| Ok(server.usage()?.cpu)).collect::<Result<_>>()?;
        Ok(each.into_iter().sum())
    }
}
