//! The page of data servers.

use super::Frame;
use crate::types::DataServerView;
use askama::Template;

/// A data server in the list.
#[derive(Clone, Debug)]
pub(in crate::console) struct DataServerRow {
    pub name: String,
    pub engine: String,
    pub isolation: String,
    pub reachable: bool,
    pub is_default: bool,
    pub tenants: u64,
    pub connections: u64,
    /// None for files, which have no such limit.
    pub limit: Option<u64>,
}

impl From<DataServerView> for DataServerRow {
    fn from(server: DataServerView) -> Self {
        Self {
            name: server.name,
            engine: server.engine,
            isolation: server.isolation,
            reachable: server.reachable,
            is_default: server.default,
            tenants: server.tenants,
            connections: server.connections,
            limit: server.connection_limit,
        }
    }
}

/// All data servers.
#[derive(Debug, Template)]
#[template(path = "console/data-servers.html")]
pub(in crate::console) struct DataServersPage {
    pub frame: Frame,
    pub rows: Vec<DataServerRow>,
}
