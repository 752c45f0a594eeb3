//! File descriptors: how many this process may have, and how many its settings may need.

use crate::config::Config;
use rowhouse_data::Dialect;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors of an open SQLite database: the file, its log, the log's index.
const PER_FILE: u64 = 3;
/// Descriptors of the process itself: standard streams, the poller, compiled code, files that guests hold.
const OWN: u64 = 128;

/// How many the process may raise its limit to; none where there is no limit.
pub(crate) fn allowed() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Raises the limit to what is allowed. Shells and services begin with 1024 for the sake of old programs that
/// use select(2).
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) =
            setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// Descriptors where everything is open that may be at once.
pub(crate) fn needed(config: &Config) -> u64 {
    beside_files(config).saturating_add(many(config.open_connections).saturating_mul(PER_FILE))
}

/// Tenant databases of the embedded engine that may be open at once: as many as configured, and no more than there
/// are descriptors for beside everything else; half of all descriptors where that is little, as it seldom comes together.
pub(crate) fn affordable(config: &Config, allowed: Option<u64>) -> usize {
    let Some(allowed) = allowed else { return config.open_connections };
    let left = allowed.saturating_sub(beside_files(config)).max(allowed / 2) / PER_FILE;
    config.open_connections.min(usize::try_from(left).unwrap_or(usize::MAX)).max(1)
}

/// Visitors, connections to servers, and the process itself.
fn beside_files(config: &Config) -> u64 {
    let servers: usize = config
        .data_servers
        .iter()
        .filter(|server| server.engine != Dialect::Sqlite)
        .map(|server| server.connections)
        .fold(0, usize::saturating_add);
    many(config.connections)
        .saturating_add(many(servers))
        .saturating_add(config.control_connections.into())
        .saturating_add(OWN)
}

fn many(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_take_what_is_left() {
        let config = Config { connections: 500, open_connections: 500, ..Config::default() };
        assert_eq!(affordable(&config, None), 500);
        assert_eq!(affordable(&config, Some(needed(&config))), 500);
        assert_eq!(affordable(&config, Some(needed(&config) - 300)), 400);
        assert_eq!(affordable(&config, Some(900)), 150);
        assert_eq!(affordable(&config, Some(0)), 1);
    }
}
