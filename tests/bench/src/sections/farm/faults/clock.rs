//! A server whose clock is wrong: what is changed there counts on the others, and the other way round.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::super::fleet::{Farm, HELLO_RELEASE, MEMBER, SITE};
use super::super::millis;
use super::super::sign::Sign;
use super::scene::during;
use crate::host::Host;
use crate::places::Places;

/// How wrong it is.
const SKEW: Duration = Duration::from_secs(300);

/// Two clocks are read one after the other, in whole seconds.
const SLACK: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
pub(super) enum Skew {
    Ahead,
    Behind,
}

/// What was seen of changes: how many, and how long it took at most until all servers showed one.
#[derive(Debug, Default)]
struct Spread {
    changes: u32,
    slowest: Duration,
}

impl Skew {
    fn word(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Behind => "behind",
        }
    }

    /// The clock of the wall alone is wrong: on a real machine too, the one that measures durations is its own.
    fn environment(self, library: &Path) -> [(&'static str, OsString); 3] {
        let sign = match self {
            Self::Ahead => '+',
            Self::Behind => '-',
        };
        [
            ("LD_PRELOAD", library.as_os_str().to_owned()),
            ("FAKETIME", format!("{sign}{}s", SKEW.as_secs()).into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }

    /// The fault is real.
    fn is_seen(self, wrong: &Host, right: &Host) -> Result<()> {
        let (wrong, right) = (wrong.clock()?, right.clock()?);
        let apart = match self {
            Self::Ahead => wrong.duration_since(right),
            Self::Behind => right.duration_since(wrong),
        };
        let apart = apart.with_context(|| format!("the clock is not {}", self.word()))?;
        ensure!(apart.abs_diff(SKEW) < SLACK, "the clock is {} s {}", apart.as_secs(), self.word());
        Ok(())
    }
}

impl Spread {
    fn until(&mut self, farm: &Farm<'_>, sign: &Sign) -> Result<()> {
        self.slowest = self.slowest.max(farm.shows(sign)?);
        self.changes += 1;
        Ok(())
    }
}

/// Gives a server a wrong clock for a while; says what was seen of changes meanwhile.
pub(super) fn wrong(
    farm: &mut Farm<'_>,
    places: &Places,
    server: usize,
    skew: Skew,
    time: Duration,
) -> Result<String> {
    farm.restart(server, &skew.environment(&places.faketime))?;
    let mut spread = Spread::default();
    let cookies = during(time, || {
        change(farm, places, server, skew, &mut spread)?;
        sign_in_and_out(farm, server, &mut spread)
    })?;
    farm.restart(server, &[])?;
    for cookie in &cookies {
        farm.shows(&Sign::signed_in(SITE, cookie)).context("keep who signed in meanwhile")?;
    }
    Ok(format!(
        "{} changes there and elsewhere were on all servers after {} ms at most",
        spread.changes,
        millis(spread.slowest)
    ))
}

/// Makes a site and changes it in every way, there and elsewhere in turn.
fn change(farm: &Farm<'_>, places: &Places, server: usize, skew: Skew, spread: &mut Spread) -> Result<()> {
    let wrong = farm.host(server)?;
    let right = farm.others(server).next().context("another server")?;
    skew.is_seen(wrong, right)?;
    let site = format!("clock-{}", skew.word());
    let (title, release) = (format!("Title of {site}"), format!("{site}@1.0.0"));
    wrong.push(places, "hello-http02", &site, "1.0.0")?;
    right.create(&site, Some(HELLO_RELEASE))?;
    spread.until(farm, &Sign::home(&site, "fast lane"))?;
    wrong.retitle(&site, &title)?;
    spread.until(farm, &Sign::titled(&site, &title))?;
    // A run is leased by the clock of who works on it.
    for (host, release, text) in
        [(right, release.as_str(), "wasi:http 0.2"), (wrong, HELLO_RELEASE, "fast lane")]
    {
        host.end_run(host.begin_run(release, Some(&[site.as_str()]))?)?;
        spread.until(farm, &Sign::home(&site, text))?;
    }
    wrong.ask("POST", &format!("tenants/{site}/suspend"), None)?;
    spread.until(farm, &Sign::suspended(&site))?;
    right.ask("POST", &format!("tenants/{site}/resume"), None)?;
    spread.until(farm, &Sign::open(&site))?;
    wrong.remove(&site)?;
    spread.until(farm, &Sign::unknown(&site))
}

/// Who signs in at one server is signed in at all, and who is signed out by one is signed out at all. Gives the cookies
/// of who is signed in.
fn sign_in_and_out(farm: &Farm<'_>, server: usize, spread: &mut Spread) -> Result<[String; 2]> {
    let other = usize::from(server == 0);
    for (at, by) in [(other, server), (server, other)] {
        let cookie = farm.sign_in(at)?;
        spread.until(farm, &Sign::signed_in(SITE, &cookie))?;
        farm.host(by)?.ask("DELETE", &format!("users/{MEMBER}/sessions"), None)?;
        spread.until(farm, &Sign::signed_out(SITE, &cookie))?;
    }
    let cookies = [farm.sign_in(server)?, farm.sign_in(other)?];
    for cookie in &cookies {
        spread.until(farm, &Sign::signed_in(SITE, cookie))?;
    }
    Ok(cookies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_by_what_its_library_reads() {
        let [_library, (name, offset), _monotonic] = Skew::Behind.environment(Path::new("/x.so"));
        assert_eq!((name, offset.to_str()), ("FAKETIME", Some("-300s")));
    }
}
