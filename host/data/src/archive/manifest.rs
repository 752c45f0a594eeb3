//! The first and the last member: what an archive claims to hold, and the sums over what it held.
//!
//! The manifest comes first so that a reader can refuse before it unpacks anything; sums are known only
//! when all is written, so they come last. An archive without its last member is no archive.

use super::content::TableContent;
use super::{ArchiveError, ArchiveFacts, VERSION};
use crate::Dialect;
use crate::transfer::TableShape;
use rowhouse_base::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Name of the first member.
pub(super) const MANIFEST: &str = "manifest.json";

/// Name of the last member.
pub(super) const SUMS: &str = "checksums.json";

/// Bytes of the manifest at most: room for the columns that [`MOST_COLUMNS`] allows.
pub(super) const MOST_MANIFEST: u64 = 64 << 20;

/// Bytes that each member may take in the last one: a name of a few hundred, a sum, a size.
pub(super) const SUM_BYTES: u64 = 512;

/// Tables and columns in all; a manifest with more describes no database that the engines would make.
const MOST_COLUMNS: usize = 100_000;

const FORMAT: &str = "rowhouse-archive";

/// The first member.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: String,
    pub(super) version: u32,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub(super) created_at: Timestamp,
    /// The engine it came from.
    pub(super) engine: String,
    /// The newest migration in the tenant's ledger.
    pub(super) schema_version: u32,
    pub(super) tenant: ArchiveFacts,
    /// Referenced ones first.
    pub(super) tables: Vec<ArchivedTable>,
    /// Tables and files that are not in the archive.
    pub(super) left_out: Vec<String>,
}

/// A table in the manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ArchivedTable {
    #[serde(flatten)]
    pub(super) shape: TableShape,
    /// The highest key it ever had, where the engine never uses one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<i64>,
}

/// The last member.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sums {
    /// In the manifest's order.
    pub(super) tables: Vec<TableContent>,
    /// All other members, in the archive's order.
    pub(super) members: Vec<MemberSum>,
}

/// One member: a folder has the size 0 and no sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberSum {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) sha256: Option<Digest>,
}

#[derive(Deserialize)]
struct Claim {
    format: String,
    version: u32,
}

impl Manifest {
    pub(super) fn new(
        dialect: Dialect,
        schema_version: u32,
        tenant: ArchiveFacts,
        tables: Vec<ArchivedTable>,
        left_out: Vec<String>,
    ) -> Self {
        let engine = match dialect {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgresql => "postgresql",
            Dialect::Mysql => "mysql",
        };
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            created_at: Timestamp::now(),
            engine: engine.to_owned(),
            schema_version,
            tenant,
            tables,
            left_out,
        }
    }

    /// Reads it; the version is looked at before anything that may differ by version.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let invalid = |error: serde_json::Error| ArchiveError::refused(MANIFEST, error.to_string());
        let claim: Claim = serde_json::from_slice(bytes).map_err(invalid)?;
        if claim.format != FORMAT {
            return Err(ArchiveError::refused(MANIFEST, format!("its format is not `{FORMAT}`")));
        }
        if claim.version != VERSION {
            return Err(ArchiveError::Version(claim.version));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(invalid)?;
        manifest.check().map_err(|reason| ArchiveError::refused(MANIFEST, reason))?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        let mut tables = HashSet::new();
        let mut columns = 0;
        for ArchivedTable { shape, .. } in &self.tables {
            if !tables.insert(shape.name.as_str()) {
                return Err(format!("table {} comes twice", shape.name));
            }
            let mut names = HashSet::new();
            if let Some(twice) = shape.columns.iter().find(|column| !names.insert(column.name.as_str())) {
                return Err(format!("column {} of table {} comes twice", twice.name, shape.name));
            }
            columns += 1 + shape.columns.len();
        }
        if columns > MOST_COLUMNS {
            return Err(format!("it has more than {MOST_COLUMNS} tables and columns"));
        }
        Ok(())
    }
}

/// The name of a part of a table, from 1: `tables/page.ndjson`, `tables/page.2.ndjson`. Letters that mean
/// something in a path are escaped, the dot included.
pub(super) fn table_member(table: &str, part: usize) -> String {
    let mut escaped = String::with_capacity(table.len());
    for byte in table.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    if part > 1 { format!("tables/{escaped}.{part}.ndjson") } else { format!("tables/{escaped}.ndjson") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_never_collide() {
        assert_eq!(table_member("page", 1), "tables/page.ndjson");
        assert_eq!(table_member("page", 2), "tables/page.2.ndjson");
        assert_eq!(table_member("page.2", 1), "tables/page%2E2.ndjson");
        assert_eq!(table_member("../ä", 1), "tables/%2E%2E%2F%C3%A4.ndjson");
        assert_eq!(table_member("", 1), "tables/.ndjson");
    }

    #[test]
    fn refuses_other_formats_and_later_versions() {
        for text in ["", "{}", "[]", r#"{"format":"zip","version":1}"#] {
            assert!(matches!(Manifest::read(text.as_bytes()), Err(ArchiveError::Refused { .. })), "{text}");
        }
        let later = r#"{"format":"rowhouse-archive","version":2,"tables":"of another shape"}"#;
        assert!(matches!(Manifest::read(later.as_bytes()), Err(ArchiveError::Version(2))));
    }
}
