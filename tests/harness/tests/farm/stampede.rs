//! Everybody asks two servers for one page that neither has: it is made once, or at most once on each.

use super::Databases;
use super::cache::{GONE, two};
use anyhow::{Result, ensure};
use rowhouse_tests::{Answer, Client, TestServer};
use std::collections::HashSet;
use std::sync::{Arc, Barrier};
use std::thread;

/// Visitors at the same moment, half of them at each server.
const VISITORS: usize = 500;
const ROUNDS: usize = 5;

/// What a visitor got.
struct Got {
    server: String,
    /// Which rendering of the page.
    rendering: String,
    /// The site was asked for this visitor.
    is_made: bool,
}

impl Got {
    fn of(answer: &Answer) -> Self {
        let status = answer.header("cache-status");
        Self {
            server: answer.header("x-served-by").to_owned(),
            rendering: answer.header("x-rendering").to_owned(),
            is_made: status.contains("; fwd=") && !status.contains("; collapsed"),
        }
    }
}

fn stampede(visitors: &[Client], path: &str) -> Result<Vec<Got>> {
    let start = Arc::new(Barrier::new(VISITORS));
    let asking: Vec<_> = visitors
        .iter()
        .cycle()
        .take(VISITORS)
        .map(|visitor| {
            let (start, visitor, path) = (Arc::clone(&start), visitor.clone(), path.to_owned());
            thread::Builder::new().stack_size(256 << 10).spawn(move || {
                start.wait();
                visitor.get(&path).and_then(|answer| answer.expect(200)).map(|answer| Got::of(&answer))
            })
        })
        .collect::<std::io::Result<_>>()?;
    asking
        .into_iter()
        .map(|one| one.join().map_err(|_panic| anyhow::anyhow!("a visitor panicked"))?)
        .collect()
}

/// How often the page was made.
fn made(got: &[Got]) -> Result<usize> {
    let servers: HashSet<&str> = got.iter().map(|one| one.server.as_str()).collect();
    ensure!(servers.len() == 2, "both were asked: {servers:?}");
    let renderings: HashSet<&str> = got.iter().map(|one| one.rendering.as_str()).collect();
    let makers: Vec<&str> = got.iter().filter(|one| one.is_made).map(|one| one.server.as_str()).collect();
    ensure!(
        renderings.len() == makers.len(),
        "{} renderings were shown, made by {makers:?}",
        renderings.len()
    );
    let once: HashSet<&str> = makers.iter().copied().collect();
    ensure!(once.len() == makers.len(), "a server made the page twice: {makers:?}");
    Ok(makers.len())
}

fn all_rounds(servers: &[TestServer]) -> Result<Vec<usize>> {
    let visitors: Vec<Client> = servers.iter().map(TestServer::visitor).collect();
    let mut often = Vec::new();
    for round in 0..ROUNDS {
        for visitor in &visitors {
            // Servers at work know the site's versions already.
            visitor.get("/club/item/15")?.expect(200)?;
        }
        often.push(made(&stampede(&visitors, &format!("/club/item/{round}?fresh"))?)?);
    }
    Ok(often)
}

#[test]
fn five_hundred_simultaneous_misses_render_at_most_once_on_each_server() -> Result<()> {
    let databases = Databases::new()?;
    let folder = tempfile::Builder::new().prefix("rowhouse-farm-").tempdir()?;
    let servers = two(folder.path(), &databases)?;
    let often = all_rounds(&servers);
    if let Some(server) = servers.first() {
        server.operator()?.send("DELETE", GONE, None)?.expect(200)?;
    }
    let often = often?;
    println!("each page was made so often: {often:?}");
    assert!(often.iter().all(|often| (1..=2).contains(often)), "{often:?}");
    Ok(())
}
