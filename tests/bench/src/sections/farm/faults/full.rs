//! A server whose disk is full: a write there ends in a success that holds, or in a clear error and succeeds once there
//! is room. Nothing that was there before is lost, and nothing half-written is found at the next start.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::super::disk::Disk;
use super::super::fleet::{Farm, HELLO_RELEASE, PAST_THE_CACHE};
use super::super::sign::Sign;
use super::scene::during;
use crate::answer::{Expected, visitor};
use crate::host::{Host, Refusal};
use crate::places::Places;

/// How long a site may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sites with files of their own, from before the disk was full and from then.
const BEFORE: &str = "disk-before";
const MEANWHILE: &str = "disk-meanwhile";
const WITH_FILES: &str = "kept@1.0.0";

/// A site that is made while the disk is full, and the title that another one gets.
const MADE: &str = "disk-made";
const TITLE: &str = "Changed on a full disk";

/// The name of a release that is pushed then.
const PUSHED: &str = "disk";

/// A site with a release that comes from another server: its compiled code can't be written here.
const ELSEWHERE: &str = "disk-elsewhere";
const ITS_TEXT: &str = "wasi:http 0.3";

/// What is written there while there is no room.
#[derive(Debug, Clone, Copy)]
enum Write {
    Title,
    Site,
    Release,
    File,
}

/// A write, and the error it ended in where it did.
type Tried = (Write, Option<String>);

impl Write {
    const ALL: [Self; 4] = [Self::Title, Self::Site, Self::Release, Self::File];

    fn name(self) -> &'static str {
        match self {
            Self::Title => "changing a title",
            Self::Site => "making a site",
            Self::Release => "pushing a release",
            Self::File => "a site's writing to its files",
        }
    }

    fn make(self, places: &Places, host: &Host) -> Result<()> {
        match self {
            Self::Title => host.retitle(BEFORE, TITLE),
            Self::Site => host.create(MADE, Some(HELLO_RELEASE)),
            Self::Release => host.push(places, "hello-http02", PUSHED, "1.0.0"),
            Self::File => write(host, MEANWHILE),
        }
    }

    /// It is there: for all servers, but for files, which are this server's.
    fn holds(self, farm: &Farm<'_>, host: &Host) -> Result<()> {
        match self {
            Self::Title => farm.shows(&Sign::titled(BEFORE, TITLE)).map(drop),
            Self::Site => farm.shows(&Sign::home(MADE, "fast lane")).map(drop),
            Self::Release => {
                let path = format!("releases/{PUSHED}@1.0.0");
                farm.hosts().iter().try_for_each(|host| host.ask("GET", &path, None).map(drop))
            }
            Self::File => is_written(host, MEANWHILE),
        }
    }
}

/// Fills a server's disk for a while; says how writes there ended.
pub(super) fn fill(
    farm: &mut Farm<'_>,
    places: &Places,
    server: usize,
    disk: &Disk,
    time: Duration,
) -> Result<String> {
    let host = farm.host(server)?;
    host.push(places, "kept", "kept", "1.0.0")?;
    for site in [BEFORE, MEANWHILE] {
        host.create(site, Some(WITH_FILES))?;
        farm.shows(&Sign::open(site))?;
    }
    write(host, BEFORE)?;
    disk.fill()?;
    let seen = during(time, || Ok((attempt(places, host, disk)?, from_elsewhere(farm, places, server)?)));
    disk.free()?;
    let (tried, is_shown) = seen?;
    for (write, _refusal) in tried.iter().filter(|(_, refusal)| refusal.is_some()) {
        write.make(places, host).with_context(|| format!("{} once there is room", write.name()))?;
    }
    all_hold(farm, server)?;
    farm.restart(server, &[])?;
    all_hold(farm, server).context("after a restart")?;
    Ok(told(&tried, is_shown))
}

/// Makes each write. Any end of it but a success or a clear error is an error.
fn attempt(places: &Places, host: &Host, disk: &Disk) -> Result<Vec<Tried>> {
    let mut tried = Vec::new();
    for write in Write::ALL {
        // What somebody removed made room.
        disk.fill()?;
        let refusal = match write.make(places, host) {
            Ok(()) => None,
            Err(error) => {
                let refusal = error.downcast::<Refusal>();
                Some(refusal.with_context(|| format!("{} with a full disk", write.name()))?.0)
            }
        };
        tried.push((write, refusal));
    }
    Ok(tried)
}

/// Another server gets a release and makes a site of it. True where the one with the full disk shows it, too.
fn from_elsewhere(farm: &Farm<'_>, places: &Places, server: usize) -> Result<bool> {
    let other = farm.others(server).next().context("another server")?;
    other.push(places, "hello-http03", ELSEWHERE, "1.0.0")?;
    other.create(ELSEWHERE, Some(&format!("{ELSEWHERE}@1.0.0")))?;
    let (page, url) = (Expected::new(ITS_TEXT, 1..=1_000), farm.host(server)?.server.url());
    for _look in 0..30 {
        if page.check(&format!("{url}/{ELSEWHERE}/")).is_ok() {
            return Ok(true);
        }
        sleep(Duration::from_millis(100));
    }
    Ok(false)
}

fn all_hold(farm: &Farm<'_>, server: usize) -> Result<()> {
    let host = farm.host(server)?;
    for write in Write::ALL {
        write.holds(farm, host).with_context(|| format!("look for what came of {}", write.name()))?;
    }
    farm.shows(&Sign::home(ELSEWHERE, ITS_TEXT))?;
    is_written(host, BEFORE).context("look for what was written before")
}

/// Much more than fits into what a file had left of its last page.
fn text(site: &str) -> String {
    format!("{site},").repeat(20_000)
}

fn write(host: &Host, site: &str) -> Result<()> {
    let request = visitor(PATIENCE).post(format!("{}/{site}/note", host.server.url()));
    let mut answer = request.header("content-type", "text/plain").send(text(site))?;
    let (status, body) = (answer.status().as_u16(), answer.body_mut().read_to_string()?);
    match status {
        204 => Ok(()),
        400.. => Err(Refusal(format!("{site} answered {status}: {body}")).into()),
        _ => bail!("{site} answered {status}: {body}"),
    }
}

fn is_written(host: &Host, site: &str) -> Result<()> {
    let (name, value) = PAST_THE_CACHE;
    let request = visitor(PATIENCE).get(format!("{}/{site}/note", host.server.url()));
    let found = request.header(name, value).call()?.body_mut().read_to_string()?;
    ensure!(found.trim_end() == text(site), "{site} has {} bytes that are not what was written", found.len());
    Ok(())
}

fn told(tried: &[Tried], is_shown: bool) -> String {
    let mut words: Vec<String> = tried
        .iter()
        .map(|(write, refusal)| match refusal {
            None => format!("{} went well", write.name()),
            Some(error) => {
                let head: String = error.chars().take(400).collect();
                format!("{} was refused ({})", write.name(), head.trim())
            }
        })
        .collect();
    let when = if is_shown { "meanwhile" } else { "only afterwards" };
    words.push(format!("a release that another server got was served {when}"));
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_write_is_told_with_how_it_ended() {
        let tried = [(Write::Title, None), (Write::File, Some("507: no room\n".to_owned()))];
        assert_eq!(
            told(&tried, true),
            "changing a title went well; a site's writing to its files was refused (507: no room); a release that \
             another server got was served meanwhile"
        );
    }
}
