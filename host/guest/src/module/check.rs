//! Reads what a component imports and exports before anything is linked, and lists every fault at once.

use rowhouse_base::Digest;
use rowhouse_data::Migration;
use std::fmt;
use wasmtime::component::Component;

pub(crate) const HANDLER: &str = "rowhouse:site/handler@0.1";
pub(crate) const SCHEMA: &str = "rowhouse:site/schema@0.1";
pub(crate) const UPGRADE: &str = "rowhouse:site/upgrade@0.1";
const HTTP02: &str = "wasi:http/incoming-handler@0.2";
const HTTP03: &str = "wasi:http/handler@0.3";

/// What the linker has, by semver track. Kept beside the linker by a test.
const KNOWN_IMPORTS: &[&str] = &[
    "rowhouse:host/identity@0.1",
    "rowhouse:host/pages@0.1",
    "rowhouse:host/sql@0.1",
    "rowhouse:host/tenant@0.1",
    // Types only: a handler's or schema's records may be imported by name.
    "rowhouse:site/handler@0.1",
    "rowhouse:site/schema@0.1",
    "wasi:cli/environment@0.2",
    "wasi:cli/exit@0.2",
    "wasi:cli/stderr@0.2",
    "wasi:cli/stdin@0.2",
    "wasi:cli/stdout@0.2",
    "wasi:cli/terminal-input@0.2",
    "wasi:cli/terminal-output@0.2",
    "wasi:cli/terminal-stderr@0.2",
    "wasi:cli/terminal-stdin@0.2",
    "wasi:cli/terminal-stdout@0.2",
    "wasi:cli/environment@0.3",
    "wasi:cli/exit@0.3",
    "wasi:cli/stderr@0.3",
    "wasi:cli/stdin@0.3",
    "wasi:cli/stdout@0.3",
    "wasi:cli/terminal-input@0.3",
    "wasi:cli/terminal-output@0.3",
    "wasi:cli/terminal-stderr@0.3",
    "wasi:cli/terminal-stdin@0.3",
    "wasi:cli/terminal-stdout@0.3",
    "wasi:cli/types@0.3",
    "wasi:clocks/monotonic-clock@0.2",
    "wasi:clocks/wall-clock@0.2",
    "wasi:clocks/monotonic-clock@0.3",
    "wasi:clocks/system-clock@0.3",
    "wasi:clocks/types@0.3",
    "wasi:filesystem/preopens@0.2",
    "wasi:filesystem/types@0.2",
    "wasi:filesystem/preopens@0.3",
    "wasi:filesystem/types@0.3",
    "wasi:http/outgoing-handler@0.2",
    "wasi:http/types@0.2",
    "wasi:http/client@0.3",
    "wasi:http/types@0.3",
    "wasi:io/error@0.2",
    "wasi:io/poll@0.2",
    "wasi:io/streams@0.2",
    "wasi:random/insecure@0.2",
    "wasi:random/insecure-seed@0.2",
    "wasi:random/random@0.2",
    "wasi:random/insecure@0.3",
    "wasi:random/insecure-seed@0.3",
    "wasi:random/random@0.3",
    "wasi:sockets/instance-network@0.2",
    "wasi:sockets/ip-name-lookup@0.2",
    "wasi:sockets/network@0.2",
    "wasi:sockets/tcp@0.2",
    "wasi:sockets/tcp-create-socket@0.2",
    "wasi:sockets/udp@0.2",
    "wasi:sockets/udp-create-socket@0.2",
    "wasi:sockets/ip-name-lookup@0.3",
    "wasi:sockets/types@0.3",
];

/// How a module answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// `rowhouse:site/handler`.
    Fast,
    /// `wasi:http/incoming-handler@0.2`.
    Http02,
    /// `wasi:http/handler@0.3`.
    Http03,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Http02 => "http-0.2",
            Self::Http03 => "http-0.3",
        })
    }
}

/// Everything that is wrong with a component, in one list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Faults(pub Vec<String>);

/// What is known of a component that passed the check.
#[derive(Clone, Debug)]
pub struct ModuleFacts {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// How it answers requests.
    pub lane: Lane,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Names of its imports.
    pub imports: Vec<String>,
    /// Whether it has code to run per tenant after migrations.
    pub has_upgrade: bool,
    /// Its tables, as steps.
    pub migrations: Vec<Migration>,
}

/// Names of a component's imports and exports.
pub(crate) struct Names {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

impl Names {
    pub(crate) fn of(component: &Component) -> Self {
        let engine = component.engine();
        let kind = component.component_type();
        Self {
            imports: kind.imports(engine).map(|(name, _)| name.to_owned()).collect(),
            exports: kind.exports(engine).map(|(name, _)| name.to_owned()).collect(),
        }
    }

    pub(crate) fn imports_track(&self, wanted: &str) -> bool {
        self.imports.iter().any(|name| track(name) == wanted)
    }

    pub(crate) fn exports_track(&self, wanted: &str) -> bool {
        self.exports.iter().any(|name| track(name) == wanted)
    }

    /// The lane a module is served by: the cheapest of those it has.
    pub(crate) fn lane(&self) -> Option<Lane> {
        [(HANDLER, Lane::Fast), (HTTP03, Lane::Http03), (HTTP02, Lane::Http02)]
            .into_iter()
            .find(|(name, _)| self.exports_track(name))
            .map(|(_, lane)| lane)
    }

    /// All faults, empty where there is none.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.imports.iter().filter_map(|name| import_fault(name)).collect();
        if self.lane().is_none() {
            let found = if self.exports.is_empty() { "nothing".to_owned() } else { self.exports.join(", ") };
            faults.push(format!(
                "exports {found}, but a site module needs one of rowhouse:site/handler@0.1.0, \
                 wasi:http/incoming-handler@0.2.x or wasi:http/handler@0.3.x"
            ));
        }
        faults
    }
}

fn import_fault(name: &str) -> Option<String> {
    let wanted = track(name);
    if KNOWN_IMPORTS.contains(&wanted) {
        return None;
    }
    let nearest = KNOWN_IMPORTS
        .iter()
        .map(|known| (strsim::levenshtein(known, wanted), known))
        .min()
        .filter(|(distance, _)| *distance <= wanted.len() / 3)
        .map_or(String::new(), |(_, known)| format!("; the nearest it has is {known}"));
    Some(format!("imports {name}, which this host does not have{nearest}"))
}

/// `wasi:http/types@0.2.12` is on the track `wasi:http/types@0.2`, `a:b/c@1.4.0` on `a:b/c@1`.
fn track(name: &str) -> &str {
    let Some((_, version)) = name.split_once('@') else { return name };
    let mut parts = version.split('.');
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else { return name };
    let kept =
        if major == "0" { major.len().saturating_add(1).saturating_add(minor.len()) } else { major.len() };
    let end = name.len().saturating_sub(version.len()).saturating_add(kept);
    name.get(..end).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks() {
        assert_eq!(track("wasi:http/types@0.2.12"), "wasi:http/types@0.2");
        assert_eq!(track("a:b/c@1.4.0"), "a:b/c@1");
        assert_eq!(track("plain"), "plain");
    }

    #[test]
    fn lists_every_fault_with_the_nearest_name() {
        let names = Names {
            imports: vec![
                "rowhouse:host/sqll@0.1.0".into(),
                "wasi:http/types@0.2.9".into(),
                "x:y/z@3.0.0".into(),
            ],
            exports: vec!["wasi:cli/run@0.2.0".into()],
        };
        let faults = names.faults();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults.iter().any(|text| text.contains("nearest it has is rowhouse:host/sql@0.1")));
        assert!(faults.iter().any(|text| text.contains("wasi:cli/run@0.2.0")));
    }

    #[test]
    fn the_cheapest_lane_wins() {
        let names = Names {
            imports: vec![],
            exports: vec!["wasi:http/incoming-handler@0.2.0".into(), "rowhouse:site/handler@0.1.0".into()],
        };
        assert_eq!(names.lane(), Some(Lane::Fast));
    }
}
