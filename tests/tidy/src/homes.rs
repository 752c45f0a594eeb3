//! Where a library or a call has its home.
//!
//! A thing that must be done in one way (reading the clock, starting a task, talking to a database) is
//! done in few places, so that there is one place to change and to audit. The table is the list of
//! those places, each with its reason. Tests may do all of it but the unbounded channels.

use proc_macro2::TokenStream;

use crate::Fault;
use crate::source::Source;
use crate::tokens::{NamedPath, paths, without_tests};

/// A thing with a home.
struct Rule {
    /// Parts of a path that name it; each list is a way to name it.
    names: &'static [&'static [&'static str]],
    /// Where it may be named: beginnings of paths, each with its reason.
    homes: &'static [(&'static str, &'static str)],
    /// What others do instead.
    instead: &'static str,
    /// Whether tests must keep to it too.
    tests_too: bool,
}

const RULES: &[Rule] = &[
    Rule {
        names: &[&["sqlx"]],
        homes: &[
            ("host/control/src/store", "the control database"),
            ("host/data/src/mysql", "tenants' databases"),
            ("host/data/src/postgres", "tenants' databases"),
        ],
        instead: "control SQL lives in control/store, tenants' SQL in the folder of its engine",
        tests_too: false,
    },
    Rule {
        names: &[&["sqlparser"]],
        homes: &[("host/data/src/guard", "checks and rewrites tenants' SQL")],
        instead: "ask the guard of rowhouse-data",
        tests_too: false,
    },
    Rule {
        names: &[&["rusqlite"]],
        homes: &[
            ("host/data/", "tenants' databases"),
            ("sdk/rust/src/testing/", "tests of a site run natively on a database in memory"),
        ],
        instead: "open a tenant's database through rowhouse-data",
        tests_too: false,
    },
    Rule {
        // Parts of the library, here and below, because two rooms name a file of their own as it is named.
        names: &[
            &["redis", "cluster"],
            &["redis", "sentinel"],
            &["redis", "Client"],
            &["redis", "ConnectionAddr"],
            &["redis", "ConnectionInfo"],
            &["redis", "IntoConnectionInfo"],
            &["redis", "RedisConnectionInfo"],
            &["redis", "TlsMode"],
        ],
        homes: &[("host/redis/", "makes connections from the URL")],
        instead: "get a connection from rowhouse_redis::Connector",
        tests_too: false,
    },
    Rule {
        names: &[
            &["redis", "aio"],
            &["redis", "cluster_async"],
            &["redis", "Cmd"],
            &["redis", "cmd"],
            &["redis", "pipe"],
            &["redis", "Value"],
            &["redis", "RedisError"],
            &["redis", "AsyncCommands"],
        ],
        homes: &[
            ("host/announce/src/redis.rs", "the channel of a farm"),
            ("host/cache/src/redis.rs", "the second level of the cache"),
            ("host/redis/", "makes the connections that those two speak over"),
        ],
        instead: "announce through rowhouse-announce, keep pages through rowhouse-cache",
        tests_too: false,
    },
    Rule {
        names: &[&["wasmtime"], &["wasmtime_wasi"], &["wasmtime_wasi_http"], &["wasmtime_wasi_io"]],
        homes: &[("host/guest/", "runs guests"), ("host/bindings/", "generated from wit/")],
        instead: "ask rowhouse-guest",
        tests_too: false,
    },
    Rule {
        names: &[&["cap_std"]],
        homes: &[
            ("host/data/", "the tenant's folder"),
            ("host/guest/", "hands that folder to wasi:filesystem"),
        ],
        instead: "ask rowhouse-data for the tenant's folder",
        tests_too: false,
    },
    Rule {
        names: &[&["object_store"]],
        homes: &[("host/data/src/objects", "the bucket of tenants' files")],
        instead: "ask the bucket of rowhouse-data, which makes keys from a tenant's id",
        tests_too: false,
    },
    Rule {
        names: &[&["anyhow"]],
        homes: &[
            ("host/app/", "the composition root prints what ends it"),
            ("host/cli/", "a client prints what ends it"),
            ("host/guest/", "the engine's host calls and traps carry it: wasmtime's error type"),
        ],
        instead: "a room speaks in its own small error enum",
        tests_too: false,
    },
    Rule {
        names: &[&["std", "env"]],
        homes: &[
            ("host/app/", "reads the configuration, whole, once"),
            ("host/cli/", "reads the client's address and token"),
            ("host/data/src/testing.rs", "tests are told where the real servers are"),
            ("sdk/rust/src/files.rs", "run natively, a test's /files is a temporary folder"),
        ],
        instead: "take the value as a parameter",
        tests_too: false,
    },
    Rule {
        names: &[&["std", "fs"], &["tokio", "fs"]],
        homes: &[
            ("host/app/", "makes the data folder, reads the configuration"),
            ("host/cli/", "reads modules and token files, writes man pages"),
            ("host/data/", "places a tenant's database inside its folder"),
            ("host/guest/", "keeps compiled modules"),
            ("host/control/", "keeps the bytes of releases"),
            ("sdk/rust/src/files.rs", "in a guest it is wasi:filesystem, and all of it is /files"),
        ],
        instead: "files belong to data, to the releases, or to the composition root",
        tests_too: false,
    },
    Rule {
        names: &[&["SystemTime", "now"], &["UNIX_EPOCH"]],
        homes: &[
            ("host/base/src/clock.rs", "the wall clock"),
            ("host/cache/src/date.rs", "reads and writes HTTP dates, which are counted from then"),
            ("sdk/rust/", "the guest's own clock, behind the SDK's types"),
        ],
        instead: "use Timestamp::now, or take the time as a parameter",
        tests_too: false,
    },
    Rule {
        names: &[&["tokio", "spawn"], &["task", "spawn"], &["Handle", "spawn"]],
        homes: &[
            ("host/base/src/tasks.rs", "names every task and logs how it ends"),
            ("host/front/src/server.rs", "a task per connection, counted and waited for when draining"),
            (
                "host/guest/src/invoke/streamed.rs",
                "a guest goes on after its response began, within its limits",
            ),
        ],
        instead: "use rowhouse_base::tasks::spawn, which names the task",
        tests_too: false,
    },
    Rule {
        names: &[&["thread", "spawn"], &["thread", "Builder"], &["spawn_blocking"]],
        homes: &[
            ("host/data/src/sqlite/threads.rs", "SQL runs on a bounded pool of its own"),
            ("host/guest/src/cpu.rs", "the epoch ticker must not depend on the async workers"),
            ("host/guest/src/nudge.rs", "one for each core, tied to it"),
            ("host/data/src/data.rs", "provisioning and removal, which control does few of at a time"),
            ("host/guest/src/guests/prepare.rs", "compiling and loading code, once a release"),
            (
                "host/control/src/kept.rs",
                "writes the snapshot to disk, one at a time, and reads it at the start",
            ),
            ("host/identity/src/password.rs", "argon2 takes 50 ms of a processor"),
            ("host/cache/src/cache.rs", "codes a stored body, two at a time"),
        ],
        instead: "use a pool that has a bound",
        tests_too: false,
    },
    Rule {
        names: &[
            &["unbounded_channel"],
            &["UnboundedSender"],
            &["mpsc", "unbounded"],
            &["std", "sync", "mpsc", "channel"],
        ],
        homes: &[],
        instead: "a channel has a bound, and its sender a plan for when it is full",
        tests_too: true,
    },
];

/// Every name that is used away from its home.
pub(crate) fn check(source: &Source, tokens: &TokenStream) -> Vec<Fault> {
    let all = paths(tokens);
    let product = if source.is_test() { Vec::new() } else { paths(&without_tests(tokens)) };
    let mut faults = Vec::new();
    for rule in RULES {
        if rule.homes.iter().any(|(home, _)| source.path.starts_with(home)) {
            continue;
        }
        let named = if rule.tests_too { &all } else { &product };
        for path in named.iter().filter(|path| names(rule, path)) {
            let text = format!("`{}` has its home elsewhere: {}", path.parts.join("::"), rule.instead);
            faults.push(Fault::new(&source.path, path.line, text));
        }
    }
    faults
}

fn names(rule: &Rule, path: &NamedPath) -> bool {
    rule.names.iter().any(|name| path.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> usize {
        let source = Source::new(path, text);
        check(&source, &source.tokens().unwrap_or_default()).len()
    }

    #[test]
    fn every_rule_can_fail_away_from_home_and_not_at_home() {
        for rule in RULES {
            for name in rule.names {
                let text = format!("fn f() {{ let x = {}; }}", name.join("::"));
                assert!(faults("host/nowhere/src/lib.rs", &text) > 0, "{name:?} away from home");
                for (home, _) in rule.homes {
                    let path =
                        if home.ends_with(".rs") { (*home).to_owned() } else { format!("{home}src/lib.rs") };
                    assert_eq!(faults(&path, &text), 0, "{name:?} in {home}");
                }
            }
        }
    }

    #[test]
    fn every_home_has_a_reason() {
        assert!(RULES.iter().flat_map(|rule| rule.homes).all(|(_, reason)| reason.len() > 10));
    }

    #[test]
    fn a_nested_use_is_seen() {
        assert_eq!(faults("host/tenant/src/lib.rs", "use std::{fmt, env};"), 1);
    }

    #[test]
    fn tests_may_but_for_unbounded_channels() {
        assert_eq!(faults("host/tenant/src/lib.rs", "#[cfg(test)] mod tests { use std::fs; }"), 0);
        assert_eq!(faults("host/tenant/tests/all.rs", "use std::fs;"), 0);
        assert_eq!(faults("tests/harness/src/lib.rs", "fn f() { tokio::spawn(async {}); }"), 0);
        let text = "#[cfg(test)] mod tests { fn f() { tokio::sync::mpsc::unbounded_channel::<u8>(); } }";
        assert_eq!(faults("host/tenant/src/lib.rs", text), 1);
    }
}
