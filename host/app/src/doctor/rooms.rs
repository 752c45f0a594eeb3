//! What the rooms of the server would find: folders, the engine, the databases.

use super::Finding;
use crate::config::Config;
use crate::{secrets, server};
use rowhouse_base::Timestamp;
use rowhouse_data::Dialect;
use rowhouse_guest::Guests;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Servers that share a control database may differ by this much, in microseconds: less than the shortest
/// thing that is counted between them, the 5 s of the reconciler.
const SKEW: u64 = 2_000_000;

/// Whether the data folder can be written, and whether a server holds it.
pub(super) fn data_folder(dir: &Path) -> (Finding, bool) {
    const CHECK: &str = "data folder";
    let shown = dir.display();
    if !dir.exists() {
        // The first folder above that is there decides whether it can be made.
        let above = dir.ancestors().skip(1).find(|above| above.exists());
        let above = above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return match tempfile::tempfile_in(above) {
            Ok(_removed_at_once) => {
                (Finding::good(CHECK, format!("{shown}, made at the first start")), false)
            }
            Err(error) => (
                Finding::bad(
                    CHECK,
                    format!("{shown} can't be made: {error}"),
                    "name another one with --data",
                ),
                false,
            ),
        };
    }
    if let Err(error) = tempfile::tempfile_in(dir) {
        let advice = "give it to the server's user, or name another one with --data";
        return (Finding::bad(CHECK, format!("{shown} can't be written: {error}"), advice), false);
    }
    let runs = is_held(&dir.join("server.lock"));
    let fate = if runs { ", in use by a running server" } else { "" };
    let mode = fs::metadata(dir).map(|facts| facts.permissions().mode() & 0o077).unwrap_or_default();
    if mode != 0 {
        let advice =
            format!("run `chmod 700 {shown}`: it holds passwords and what visitors entrusted to sites");
        return (Finding::warning(CHECK, format!("{shown} is open to others{fate}"), advice), runs);
    }
    (Finding::good(CHECK, format!("{shown}{fate}")), runs)
}

/// Whether a server holds the lock. The lock is let go of again at once.
fn is_held(lock: &Path) -> bool {
    let Ok(file) = File::open(lock) else { return false };
    matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock))
}

/// Whether compiled code can be kept where nobody else can put any.
pub(super) fn compiled(dir: &Path) -> Finding {
    const CHECK: &str = "compiled code";
    let shown = dir.display();
    match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::good(CHECK, format!("{shown}, made at the first start"))
        }
        Err(error) => Finding::bad(CHECK, format!("{shown}: {error}"), "give it to the server's user"),
        Ok(facts) if facts.permissions().mode() & 0o022 != 0 => Finding::bad(
            CHECK,
            format!("{shown} can be written by others, whose code the server would run"),
            format!("run `chmod 700 {shown}`, and remove what is in it: it is made again"),
        ),
        Ok(_) => match tempfile::tempfile_in(dir) {
            Ok(_removed_at_once) => Finding::good(CHECK, shown.to_string()),
            Err(error) => Finding::bad(
                CHECK,
                format!("{shown} can't be written: {error}"),
                "give it to the server's user, or remove it: it is made again",
            ),
        },
    }
}

/// What the machine gives the engine.
pub(super) fn engine(config: &Config) -> Vec<Finding> {
    let (pool, scan) = ("guests at once", "fresh memory");
    let facts = match Guests::look(&server::guest_config(config)) {
        Ok(facts) => facts,
        Err(error) => {
            let advice = "lower guest.instances or guest.max-memory-bytes, or raise `ulimit -v`";
            return vec![Finding::failed(pool, &error, advice)];
        }
    };
    let room = format!("address space for {} of {}", facts.instances, config.instances);
    let pool = if facts.instances < config.instances {
        let advice = "raise `ulimit -v`, or lower guest.max-memory-bytes or guest.instances";
        Finding::warning(pool, room, advice)
    } else {
        Finding::good(pool, room)
    };
    let scan = if facts.pagemap_scan {
        Finding::good(scan, "the kernel tells which pages were written (PAGEMAP_SCAN)")
    } else {
        let found = "the kernel can't tell which pages were written (PAGEMAP_SCAN), so fresh guests cost about \
                     twice as much";
        Finding::warning(scan, found, "use Linux 6.7 or newer")
    };
    vec![pool, scan]
}

/// Whether the control database answers, and whether its clock agrees.
pub(super) async fn control_database(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "control database";
    let url = server::control_url(config);
    let facts = match url.look().await {
        Ok(facts) => facts,
        Err(error) => {
            let advice = "check control.url, its password, and that the server runs; a damaged file is put back \
                          from a backup";
            return vec![Finding::failed(CHECK, &error, advice)];
        }
    };
    let what = match &facts.version {
        Some(version) => format!("{} {version} at {url}", facts.engine),
        None => format!("{}, made at the first start, at {url}", facts.engine),
    };
    let mut findings = vec![Finding::good(CHECK, what)];
    findings.extend(facts.clock.map(|there| skew(there, Timestamp::now())));
    findings
}

fn skew(there: Timestamp, here: Timestamp) -> Finding {
    const CHECK: &str = "clocks";
    let apart = there.0.abs_diff(here.0);
    let found = format!("{} ms between this machine and the control database's", apart / 1000);
    if apart > SKEW {
        return Finding::warning(CHECK, found, "let both take their time from a server (NTP)");
    }
    Finding::good(CHECK, found)
}

/// Whether the key of the data servers can be read. Nothing where none is needed yet.
pub(super) fn key(config: &Config) -> Option<Finding> {
    const CHECK: &str = "key of data servers";
    match secrets::find_key(&config.data_dir, config.key_file.as_deref()) {
        Ok(Some(path)) => Some(Finding::good(CHECK, path.display().to_string())),
        Ok(None) => None,
        Err(error) => Some(Finding::bad(
            CHECK,
            format!("{error:#}"),
            "put the key back from a backup: no site on a server can be opened without it",
        )),
    }
}

/// Whether every data server answers.
pub(super) async fn data_servers(config: &Config) -> Vec<Finding> {
    let answers = rowhouse_data::look_at_servers(&config.data_servers).await;
    let told = answers.into_iter().map(|(name, answer)| {
        let check = format!("data server {name}");
        let server = config.data_servers.iter().find(|server| server.name == name);
        match answer {
            Ok(()) => {
                let kind = server.map_or(String::new(), |server| {
                    format!("{}, isolation {}, answers", server.engine.as_str(), server.isolation)
                });
                Finding::good(check, kind)
            }
            Err(error) => {
                let advice = format!("check data-servers.{name}.url, its password, and that the server runs");
                Finding::failed(check, &error, &advice)
            }
        }
    });
    let embedded =
        config.data_servers.iter().filter(|server| server.engine == Dialect::Sqlite).map(|server| {
            // It is in the data folder, which was looked at.
            let found = format!("sqlite, isolation {}, in the data folder", server.isolation);
            Finding::good(format!("data server {}", server.name), found)
        });
    embedded.chain(told).collect()
}

/// Whether the bucket of sites' files answers. Nothing where files are in the data folder.
pub(super) async fn bucket(config: &Config) -> Option<Finding> {
    const CHECK: &str = "bucket of files";
    let settings = match server::bucket(config) {
        Ok(settings) => settings?,
        Err(error) => return Some(Finding::bad(CHECK, format!("{error:#}"), "give the server its key")),
    };
    let shown =
        format!("`{}` at {}", settings.name, settings.endpoint.as_deref().unwrap_or(&settings.region));
    Some(match rowhouse_data::look_at_bucket(&settings).await {
        Ok(()) => Finding::good(CHECK, format!("{shown} answers")),
        Err(error) => {
            let advice = "check files.bucket, files.endpoint, files.region and the key, and that the key may list, read, \
                          write and delete";
            Finding::failed(format!("{CHECK} {shown}"), &error, advice)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_folder_is_looked_at_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b/data");
        let (finding, runs) = data_folder(&data);
        assert!(finding.state == State::Good && !runs, "{finding:?}");
        assert!(!dir.path().join("a").exists());
        fs::create_dir_all(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(data_folder(&data).0.state, State::Warning);
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
        let lock = File::create(data.join("server.lock")).unwrap();
        assert!(!data_folder(&data).1);
        lock.lock().unwrap();
        let (finding, runs) = data_folder(&data);
        assert!(finding.state == State::Good && runs, "{finding:?}");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(data_folder(&file.join("data")).0.state, State::Bad);
    }

    #[test]
    fn compiled_code_that_others_could_write_is_bad() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("compiled");
        assert_eq!(compiled(&own).state, State::Good);
        fs::create_dir(&own).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o770)).unwrap();
        assert_eq!(compiled(&own).state, State::Bad);
        fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(compiled(&own).state, State::Good);
    }

    #[test]
    fn clocks_that_differ_are_told() {
        let now = Timestamp(1_800_000_000_000_000);
        assert_eq!(skew(now, Timestamp(now.0 + 1_000_000)).state, State::Good);
        assert_eq!(skew(now, Timestamp(now.0 - 3_000_000)).state, State::Warning);
    }

    #[test]
    fn an_engine_that_fits_nowhere_is_said_to_have_less_room() {
        let config = Config { instances: 8, ..Config::default() };
        let findings = engine(&config);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].found.contains("of 8"), "{findings:?}");
    }
}
