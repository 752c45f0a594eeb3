//! `/limits`: every limit of a tenant with its default, so that documentation and console show the same table.

use super::auth::Permit;
use super::{Answer, State};
use crate::types::{LimitTable, LimitView};
use axum::Json;
use axum::extract;

const DESCRIPTIONS: &[(&str, &str)] = &[
    ("cpu-ms", "guest CPU time of one request, in milliseconds; waiting in the host is not counted"),
    ("wall-ms", "wall time of one request, in milliseconds"),
    ("memory-bytes", "sum of all linear memories of one instance, in bytes"),
    ("table-elements", "sum of the elements of all tables of one instance"),
    ("resources", "open resources of one instance"),
    ("request-bytes", "body of one request, in bytes"),
    ("response-bytes", "body of one response, in bytes"),
    ("header-bytes", "all header fields of one request or response, in bytes"),
    ("concurrent-requests", "requests of one tenant served at the same time; others wait"),
    ("queued-requests", "requests of one tenant waiting; further ones get 503"),
    ("statements", "SQL statements of one request"),
    ("statement-ms", "time of one SQL statement, in milliseconds"),
    ("rows", "rows of one result"),
    ("result-bytes", "bytes of one result"),
    ("database-bytes", "size of a tenant's database, in bytes"),
    ("files-bytes", "size of a tenant's files, in bytes"),
    ("files-count", "number of a tenant's files and folders"),
    ("connections", "connections of one tenant to its database at the same time"),
    ("log-bytes", "bytes that one request may write to the log"),
    ("outbound-requests", "outbound HTTP requests of one request"),
    ("outbound-sent-bytes", "bytes that all outbound requests of one request may send"),
    ("outbound-received-bytes", "bytes that all answers to the outbound requests of one request may have"),
];

/// Every limit of a tenant.
#[utoipa::path(get, path = "/limits", tag = "server", responses((status = 200, body = LimitTable)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(_operator): Permit,
) -> Answer<Json<LimitTable>> {
    let values = serde_json::to_value(&control.config().limits).unwrap_or_default();
    let items = DESCRIPTIONS
        .iter()
        .filter_map(|(name, description)| {
            let value = values.get(name)?.as_u64()?;
            Some(LimitView { name: (*name).to_owned(), value, description: (*description).to_owned() })
        })
        .collect();
    Ok(Json(LimitTable { items }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_described() {
        let values = serde_json::to_value(rowhouse_base::Limits::default()).unwrap();
        let mut named: Vec<&str> = values.as_object().unwrap().keys().map(String::as_str).collect();
        let mut described: Vec<&str> = DESCRIPTIONS.iter().map(|(name, _)| *name).collect();
        named.sort_unstable();
        described.sort_unstable();
        assert_eq!(named, described);
    }
}
