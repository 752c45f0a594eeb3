//! What the machine gives a process: a port, file descriptors, the time.

use super::Finding;
use crate::config::Config;
use rowhouse_base::Timestamp;
use rowhouse_control::types::rfc3339;
use rowhouse_data::Dialect;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// A server on this machine answers a connection at once.
const CONNECT: Duration = Duration::from_secs(2);
/// Descriptors of an open SQLite database: the file, its log, the log's index.
const PER_FILE: u64 = 3;
/// Descriptors of the process itself: standard streams, the poller, compiled code, files that guests hold.
const OWN: u64 = 128;
/// 2026-01-01T00:00:00Z in microseconds: no server of this kind ran before.
const OLDEST: Timestamp = Timestamp(1_767_225_600_000_000);

/// Whether the port is free; whether it answers where the server runs.
pub(super) async fn address(listen: SocketAddr, server_runs: bool) -> Finding {
    if server_runs {
        let answered = tokio::time::timeout(CONNECT, TcpStream::connect(listen)).await;
        return match answered {
            Ok(Ok(_stream)) => Finding::good("listen", format!("{listen} answers")),
            _ => Finding::warning(
                "listen",
                format!("a server runs on the data folder, and nothing answers at {listen}"),
                "give doctor the --config and --listen that the server was started with",
            ),
        };
    }
    match TcpListener::bind(listen).await {
        Ok(_listener) => Finding::good("listen", format!("{listen} is free")),
        Err(error) => Finding::bad(
            "listen",
            format!("{listen}: {error}"),
            "choose another address with --listen, or stop who has it",
        ),
    }
}

/// Whether all connections that are allowed can be open at once.
pub(super) fn descriptors(config: &Config) -> Finding {
    let servers: usize = config
        .data_servers
        .iter()
        .filter(|server| server.engine != Dialect::Sqlite)
        .map(|server| server.connections)
        .fold(0, usize::saturating_add);
    let many = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let needed = many(config.connections)
        .saturating_add(many(config.open_connections).saturating_mul(PER_FILE))
        .saturating_add(many(servers))
        .saturating_add(config.control_connections.into())
        .saturating_add(OWN);
    let text = match fs::read_to_string("/proc/self/limits") {
        Ok(text) => text,
        Err(error) => {
            return Finding::warning(
                "file descriptors",
                format!("read the limit: {error}"),
                "check `ulimit -n`",
            );
        }
    };
    match open_files(&text) {
        Some(limit) if limit < needed => Finding::warning(
            "file descriptors",
            format!("{limit} are allowed, {needed} may be needed"),
            format!(
                "raise the limit (`ulimit -n {needed}`, or LimitNOFILE={needed} in systemd), or lower \
                 server.connections and data.open-connections"
            ),
        ),
        Some(limit) => {
            Finding::good("file descriptors", format!("{limit} are allowed, {needed} may be needed"))
        }
        None => Finding::good("file descriptors", format!("no limit, {needed} may be needed")),
    }
}

/// The soft limit of open files; none where it is unlimited.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Whether the clock can be right.
pub(super) fn clock() -> Finding {
    told(Timestamp::now())
}

fn told(now: Timestamp) -> Finding {
    let shown = rfc3339(now);
    if now < OLDEST {
        return Finding::bad(
            "clock",
            format!("{shown}, which is before this server was made"),
            "set the clock: sessions, trash and certificates count by it",
        );
    }
    Finding::good("clock", shown)
}

/// Whether errors are made slow. Nothing where they are not.
pub(super) fn backtrace() -> Option<Finding> {
    let value = |name| std::env::var(name).ok();
    traced(value("RUST_LIB_BACKTRACE").as_deref(), value("RUST_BACKTRACE").as_deref())
}

/// The library's variable counts before the general one, and `0` means off.
fn traced(library: Option<&str>, general: Option<&str>) -> Option<Finding> {
    let (name, value) = match (library, general) {
        (Some(value), _) => ("RUST_LIB_BACKTRACE", value),
        (None, Some(value)) => ("RUST_BACKTRACE", value),
        (None, None) => return None,
    };
    (value != "0").then(|| {
        Finding::warning(
            "backtraces",
            format!("{name}={value}: the engine collects a backtrace with every error"),
            "unset it for a server that visitors use",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn the_limit_of_open_files_is_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max processes             63428                63428                processes\n\
                    Max open files            1024                 1048576              files\n";
        assert_eq!(open_files(text), Some(1024));
        assert_eq!(
            open_files("Max open files            unlimited            unlimited            files"),
            None
        );
        let many = Config { connections: usize::MAX, ..Config::default() };
        assert_eq!(descriptors(&many).state, State::Warning);
        let few = Config { connections: 1, open_connections: 1, ..Config::default() };
        assert_eq!(descriptors(&few).state, State::Good);
    }

    #[test]
    fn a_clock_before_this_server_is_wrong() {
        assert_eq!(told(Timestamp(0)).state, State::Bad);
        assert_eq!(told(OLDEST.after(Duration::from_secs(1))).state, State::Good);
    }

    #[test]
    fn backtraces_are_told_where_they_are_on() {
        assert_eq!(traced(None, None), None);
        assert_eq!(traced(None, Some("0")), None);
        assert_eq!(traced(Some("0"), Some("1")), None);
        assert!(traced(None, Some("1")).unwrap().found.contains("RUST_BACKTRACE=1"));
        assert!(traced(Some("full"), Some("0")).unwrap().found.contains("RUST_LIB_BACKTRACE=full"));
    }

    #[tokio::test]
    async fn a_port_is_free_or_taken() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address_of = taken.local_addr().unwrap();
        assert_eq!(address(address_of, false).await.state, State::Bad);
        assert_eq!(address(address_of, true).await.state, State::Good);
        assert_eq!(address(([127, 0, 0, 1], 0).into(), false).await.state, State::Good);
    }
}
