//! Answers of the API as far as people are shown them. Unknown fields are ignored and missing ones
//! are empty, so that an older command line works with a newer server.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads `value` as a view; anything that doesn't fit gives an empty one.
pub(crate) fn view<T: for<'de> Deserialize<'de> + Default>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_default()
}

/// The items of a list.
pub(crate) fn items<T: for<'de> Deserialize<'de> + Default>(list: &Value) -> Vec<T> {
    let items = list.get("items").and_then(Value::as_array);
    items.into_iter().flatten().map(view).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tenant {
    pub id: String,
    pub name: String,
    pub title: String,
    pub state: String,
    pub addresses: Vec<String>,
    pub url_prefix: bool,
    pub urls: Vec<String>,
    pub locale: String,
    pub time_zone: String,
    pub settings: BTreeMap<String, String>,
    pub outbound: Vec<String>,
    pub release: Option<ReleaseLabel>,
    pub previous_release: Option<ReleaseLabel>,
    pub schema_version: Option<i64>,
    pub revision: u64,
    pub created_at: String,
    pub trash_until: Option<String>,
    pub data_server: String,
    pub operation: Option<String>,
}

/// A release as a name, or as a record that has one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum ReleaseLabel {
    Name(String),
    Record {
        name: String,
        #[serde(default)]
        digest: String,
    },
}

impl ReleaseLabel {
    /// NAME@VERSION and, where it is known, the beginning of the digest.
    pub(crate) fn with_digest(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Record { name, digest } if digest.is_empty() => name.clone(),
            Self::Record { name, digest } => format!("{name} ({})", short(digest)),
        }
    }

    /// NAME@VERSION.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Name(name) | Self::Record { name, .. } => name.clone(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Usage {
    pub data_server: String,
    pub database_bytes: u64,
    pub file_bytes: u64,
    pub files: u64,
    pub database_limit: u64,
    pub file_bytes_limit: u64,
    pub files_limit: u64,
    pub tables: Option<Vec<TableRows>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TableRows {
    pub name: String,
    pub rows: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DataServer {
    pub name: String,
    pub engine: String,
    pub isolation: String,
    pub reachable: bool,
    pub tenants: u64,
    pub connections: u64,
    /// None for files, which have no such limit.
    pub connection_limit: Option<u64>,
    pub default: bool,
}

/// Counts of the output cache, of one site where it is named.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CacheCounts {
    pub tenant: String,
    pub hits: u64,
    pub misses: u64,
    pub fills: u64,
    pub evictions: u64,
    pub entries: u64,
    pub bytes: u64,
}

impl CacheCounts {
    /// Hits of all requests that might have been one, rounded down; a dash where there was none.
    pub(crate) fn ratio(&self) -> String {
        let asked = u128::from(self.hits) + u128::from(self.misses);
        match asked {
            0 => "-".to_owned(),
            asked => format!("{} %", u128::from(self.hits) * 100 / asked),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Flushed {
    pub flushed: String,
    pub addresses: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    pub id: String,
    pub name: String,
    pub version: String,
    pub state: String,
    pub applied: u64,
    pub behind: u64,
    pub started_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Receipt {
    pub tenant: String,
    pub name: String,
    pub removed: BTreeMap<String, Value>,
    pub found_after: BTreeMap<String, Value>,
    pub at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Member {
    #[serde(alias = "name")]
    pub user: String,
    pub email: Option<String>,
    pub roles: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Release {
    pub name: String,
    pub digest: String,
    pub size: u64,
    pub lane: String,
    pub exports: Vec<String>,
    pub imports: Vec<String>,
    pub schema_version: Option<i64>,
    pub has_upgrade: bool,
    #[serde(default)]
    pub reuse: Option<Reuse>,
    pub pushed_at: String,
    pub tenants: u64,
    pub ready_on: Vec<String>,
}

/// How an instance may be used again.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Reuse {
    /// Requests that one instance answers at most.
    pub requests: u32,
    /// How long it waits for the next one, in milliseconds.
    pub idle_ms: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Run {
    pub id: String,
    pub kind: String,
    pub release: Option<ReleaseLabel>,
    pub state: String,
    pub total: u64,
    pub moved: u64,
    pub failed: u64,
    pub gone: u64,
    pub left: u64,
    pub turns: u64,
    pub actor: String,
    pub rollback_of: Option<String>,
    pub started_at: String,
    pub ended_at: Option<String>,
}

impl Run {
    /// True while it goes on. A state that a newer server knows is over where the end has a time.
    pub(crate) fn is_open(&self) -> bool {
        self.ended_at.is_none() && !matches!(self.state.as_str(), "finished" | "failed")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RunItem {
    pub tenant: String,
    pub from: Option<String>,
    pub to: String,
    pub state: String,
    pub attempts: u64,
    pub error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub name: String,
    pub email: Option<String>,
    pub super_user: bool,
    pub disabled: bool,
    pub created_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Token {
    pub id: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub expires_at: Option<String>,
    pub created_at: String,
    pub last_used_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuditRow {
    pub at: String,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub detail: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub version: String,
    pub generation: u64,
    pub tenants: BTreeMap<String, u64>,
    pub default_release: Option<ReleaseLabel>,
}

/// The first 12 digits of a digest.
pub(crate) fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// An RFC 3339 time to the second, as people read it.
pub(crate) fn time(text: &str) -> String {
    let Some((date, rest)) = text.split_once('T') else { return text.to_owned() };
    let clock: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == ':').collect();
    let zone = if rest.ends_with('Z') || rest.ends_with("+00:00") { "Z" } else { "" };
    if clock.len() == 8 && (zone == "Z" || !rest.contains(['+', '-'])) {
        format!("{date} {clock}{zone}")
    } else {
        text.to_owned()
    }
}

/// A number of bytes in the unit that suits it.
#[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
pub(crate) fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut amount = count as f64 / 1024.0;
    let mut unit = "KiB";
    for next in units.into_iter().skip(1) {
        // 1023.95 would be shown as 1024.0.
        if amount < 1023.95 {
            break;
        }
        amount /= 1024.0;
        unit = next;
    }
    format!("{amount:.1} {unit}")
}

/// A JSON value on one line, without quotes around a plain text.
pub(crate) fn inline(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let pairs: Vec<_> = map.iter().map(|(key, value)| format!("{key}={}", inline(value))).collect();
            pairs.join(" ")
        }
        Value::Array(items) => items.iter().map(inline).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The numbers of a receipt as `name count`, those of bytes in a readable unit.
pub(crate) fn counts(map: &BTreeMap<String, Value>) -> String {
    let parts: Vec<_> = map
        .iter()
        .map(|(key, value)| match value.as_u64().filter(|_| key.ends_with("bytes")) {
            Some(count) => format!("{} {}", key.trim_end_matches("_bytes"), bytes(count)),
            None => format!("{key} {}", inline(value)),
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_times_read_well() {
        assert_eq!([bytes(0), bytes(1023), bytes(1024)], ["0 B", "1023 B", "1.0 KiB"]);
        assert_eq!([bytes(1 << 20), bytes((1 << 20) - 1)], ["1.0 MiB", "1.0 MiB"]);
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
        assert_eq!(time("2026-03-01T09:30:00.123456Z"), "2026-03-01 09:30:00Z");
        assert_eq!(time("2026-03-01T09:30:00+02:00"), "2026-03-01T09:30:00+02:00");
        assert_eq!(time("yesterday"), "yesterday");
    }

    #[test]
    fn a_view_ignores_what_it_does_not_know() {
        let raw = serde_json::json!({"items": [{"name": "club", "release": "site@1.0.0", "new_field": [1]}]});
        let tenants: Vec<Tenant> = items(&raw);
        let names: Vec<_> = tenants.iter().map(|t| t.release.as_ref().map(ReleaseLabel::name)).collect();
        assert_eq!(names, [Some("site@1.0.0".to_owned())]);
    }
}
