//! Files of a site in a bucket: what is written through one server is read through another at the next request, and
//! a server that is killed takes nothing with it.

use super::{Databases, names, prepare, until};
use anyhow::{Context, Result};
use rowhouse_tests::{TestServer, TestStore, answer_of, guest};
use serde_json::{Value, json};
use std::io::Write as _;

/// Deletes the site at once.
const GONE: &str = "/-/api/v1/tenants/club?confirm=club&now=true";

/// Two servers over a store of objects, with one site.
struct Farm {
    servers: Vec<TestServer>,
    store: TestStore,
    /// The site's id.
    site: String,
    folder: tempfile::TempDir,
    // Gone last: the servers hold connections.
    _databases: Databases,
}

impl Farm {
    fn start() -> Result<Self> {
        let databases = Databases::new()?;
        let store = TestStore::start()?;
        let folder = tempfile::Builder::new().prefix("rowhouse-farm-").tempdir()?;
        let mut servers = Vec::new();
        for number in 0..2 {
            let dir = folder.path().join(names(number));
            prepare(&dir, &names(number), &databases, &databases.redis)?;
            let section = store.section(dir.join("bucket.key"))?;
            let mut config = std::fs::File::options().append(true).open(dir.join("rowhouse.toml"))?;
            config.write_all(section.as_bytes())?;
            servers.push(TestServer::launch(&dir, &[])?);
        }
        let first = servers.first().context("two servers")?;
        first.push("kept", "1.0.0", &guest("kept")?.bytes)?;
        let body = json!({ "name": "club", "title": "Club", "release": "kept@1.0.0" });
        let made = first.operator()?.post_json("/-/api/v1/tenants?wait=50", &body)?.expect(201)?.json()?;
        let site = made.get("id").and_then(Value::as_str).context("a site has an id")?.to_owned();
        Ok(Self { servers, store, site, folder, _databases: databases })
    }

    fn write(&self, server: usize, text: &str) -> Result<u16> {
        let visitor = self.servers[server].visitor();
        Ok(visitor.post_bytes("/club/note", "text/plain", text.as_bytes())?.status)
    }

    fn read(&self, server: usize) -> Result<String> {
        Ok(self.servers[server].get("club", "/note")?.expect(200)?.text())
    }

    /// Deletes the site and looks whether anything of it is left.
    fn finish(self, server: usize) -> Result<()> {
        let gone = self.servers[server].operator()?.send("DELETE", GONE, None)?.expect(200)?.json()?;
        assert_eq!(
            gone["found_after"],
            json!({ "database_bytes": 0, "files": 0, "file_bytes": 0 }),
            "{gone}"
        );
        assert!(!self.store.has_any(&self.site)?, "objects of a site that is gone");
        Ok(())
    }
}

#[test]
fn what_one_server_writes_the_other_reads_at_the_next_request() -> Result<()> {
    let farm = Farm::start()?;
    assert_eq!(farm.read(1)?, "\n", "nothing is there yet");
    for round in 0..20 {
        let (writer, reader) = (round % 2, (round + 1) % 2);
        let text = format!("round {round}");
        assert_eq!(farm.write(writer, &text)?, 204);
        assert_eq!(farm.read(reader)?, format!("{text}\n"));
        assert_eq!(farm.read(writer)?, format!("{text}\n"));
    }
    assert!(farm.store.has(&format!("farm/{}/note", farm.site))?);
    let usage = farm.servers[1].operator()?.get("/-/api/v1/tenants/club/usage")?.expect(200)?.json()?;
    assert_eq!((&usage["files"], &usage["file_bytes"]), (&json!(1), &json!("round 19".len())), "{usage}");
    farm.finish(1)
}

#[test]
fn a_writer_that_is_killed_after_its_answer_takes_nothing_with_it() -> Result<()> {
    let mut farm = Farm::start()?;
    for round in 0..3 {
        let text = format!("before kill {round}");
        assert_eq!(farm.write(0, &text)?, 204);
        farm.servers.remove(0).kill()?;
        assert_eq!(farm.read(0)?, format!("{text}\n"), "the other server is the first one now");
        let again = TestServer::launch(&farm.folder.path().join(names(0)), &[])?;
        farm.servers.insert(0, again);
        assert_eq!(farm.read(0)?, format!("{text}\n"), "a server begins with what the bucket has");
    }
    farm.finish(0)
}

#[test]
fn what_cannot_be_stored_is_an_error_and_is_kept_nowhere() -> Result<()> {
    let mut farm = Farm::start()?;
    assert_eq!(farm.write(0, "stored")?, 204);
    farm.store.stop()?;
    assert_eq!(farm.write(0, "lost")?, 500);
    // The site can't read its file now, and says nothing of what was not stored.
    assert_eq!(farm.read(0)?, "\n");
    let log = farm.servers[0].log();
    assert!(log.contains("store the site's files") && !log.contains("aws_secret"), "{log}");
    farm.store.start_again()?;
    farm.finish(0)
}

#[test]
fn an_answer_breaks_off_whose_files_cannot_be_stored_once_it_has_begun() -> Result<()> {
    let mut farm = Farm::start()?;
    farm.servers[0].site_of("late", "hostile-http02")?;
    let visitor = farm.servers[0].visitor();
    for path in ["/late/write", "/late/write-late", "/late/write-late?length"] {
        assert!(visitor.get(path)?.expect(200)?.text().ends_with("written\n"), "{path}");
        farm.store.stop()?;
        let answer = visitor.begin("GET", path, None)?;
        let id = answer.headers().get("x-request-id").context("an answer has a number")?;
        let id = id.to_str()?.to_owned();
        match answer_of(answer) {
            Ok(answer) => assert_eq!((path, answer.status), ("/late/write", 500)),
            // What has begun can't become an error page any more.
            Err(broken) => assert_ne!(path, "/late/write", "{broken:#}"),
        }
        // The guest itself may end a moment after its answer.
        until("the log tells of the request", || {
            let log = farm.servers[0].log();
            let mut lines = log.lines().filter(|line| line.contains("ERROR") && line.contains(&id));
            Ok(lines.any(|line| line.contains("store the site's files") && line.contains("late")))
        })?;
        farm.store.start_again()?;
    }
    let gone = "/-/api/v1/tenants/late?confirm=late&now=true";
    farm.servers[0].operator()?.send("DELETE", gone, None)?.expect(200)?;
    farm.finish(0)
}
