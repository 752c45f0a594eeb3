//! What the machine gives a process: a port, file descriptors, the time.

use super::Finding;
use crate::config::Config;
use rowhouse_base::Timestamp;
use rowhouse_control::types::rfc3339;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// A server on this machine answers a connection at once.
const CONNECT: Duration = Duration::from_secs(2);
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
    told_descriptors(crate::descriptors::needed(config), crate::descriptors::allowed())
}

fn told_descriptors(needed: u64, allowed: Option<u64>) -> Finding {
    match allowed {
        Some(allowed) if allowed < needed => Finding::warning(
            "file descriptors",
            format!("{allowed} are allowed, {needed} may be needed"),
            format!(
                "raise the limit (`ulimit -Hn {needed}`, or LimitNOFILE={needed} in systemd), or lower \
                 server.connections and data.open-connections"
            ),
        ),
        Some(allowed) => {
            Finding::good("file descriptors", format!("{allowed} are allowed, {needed} may be needed"))
        }
        None => Finding::good("file descriptors", format!("no limit, {needed} may be needed")),
    }
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
    fn too_few_descriptors_are_told() {
        assert_eq!(told_descriptors(4_096, Some(4_095)).state, State::Warning);
        assert_eq!(told_descriptors(4_096, Some(4_096)).state, State::Good);
        assert_eq!(told_descriptors(4_096, None).state, State::Good);
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
