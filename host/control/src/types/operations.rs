//! What operators do with whole tenants, and where tenants keep their data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a tenant made from an archive differs from the one in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportTenant {
    /// The slug; the archive's where nothing is said.
    pub name: Option<String>,
    /// The data server; the default one where nothing is said.
    pub data_server: Option<String>,
    /// Whether it takes the archive's addresses too; yes where nothing is said.
    pub addresses: Option<bool>,
    /// Whether it is served at once; it is suspended where nothing is said.
    pub resume: Option<bool>,
}

/// A tenant to make from another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloneTenant {
    /// The slug of the new one.
    pub name: String,
    /// The title; the other one's where nothing is said.
    pub title: Option<String>,
    /// The data server; the other one's where nothing is said.
    pub data_server: Option<String>,
    /// Whether it is served at once; it is suspended where nothing is said.
    pub resume: Option<bool>,
}

/// Where to move a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveTenant {
    /// The data server.
    pub data_server: String,
}

/// What a tenant keeps, and how much it may keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// The data server its database is on.
    pub data_server: String,
    /// Size of the database.
    pub database_bytes: u64,
    /// Size of the files.
    pub file_bytes: u64,
    /// Number of files.
    pub files: u64,
    /// The most the database may have.
    pub database_limit: u64,
    /// The most bytes the files may have.
    pub file_bytes_limit: u64,
    /// The most files and folders.
    pub files_limit: u64,
    /// What each table holds, where it was asked for.
    pub tables: Option<Vec<TableView>>,
}

/// A table of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableView {
    /// As the site module calls it.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
}

/// A data server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DataServerView {
    /// As in the configuration.
    pub name: String,
    /// sqlite, postgresql or mysql.
    pub engine: String,
    /// database or prefix.
    pub isolation: String,
    /// Whether it answers.
    pub reachable: bool,
    /// Tenants on it, in any state.
    pub tenants: u64,
    /// Open connections to it.
    pub connections: u64,
    /// Connections that this server's process may open to it at once; none for the embedded engine.
    pub connection_limit: Option<u64>,
    /// Connections to tenants' databases that this server's process opened since it began.
    pub opened: u64,
    /// Whether tenants are made there where nothing is said.
    pub default: bool,
}

/// All data servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DataServerList {
    /// In the order of the configuration.
    pub items: Vec<DataServerView>,
}
