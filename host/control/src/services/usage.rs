//! What tenants keep, and the data servers they keep it on.

use crate::Control;
use crate::error::ControlError;
use crate::types::{DataServerList, DataServerView, TableView, UsageView};
use rowhouse_identity::Operator;

type Result<T> = std::result::Result<T, ControlError>;

impl Control {
    /// What a tenant keeps. With `tables` also what each table holds, for which all of them are read.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::Refused`].
    pub async fn usage(&self, _operator: &Operator, name: &str, tables: bool) -> Result<UsageView> {
        let row = self.row(name).await?;
        let tenant = self.seen(&row);
        let kept = self.data.usage(&tenant).await.map_err(ControlError::port("measure the tenant"))?;
        let content = match tables {
            true => Some(self.data.content(&tenant).await.map_err(ControlError::port("count the rows"))?),
            false => None,
        };
        let limits = &self.config.limits;
        Ok(UsageView {
            data_server: row.data_server.to_string(),
            database_bytes: kept.database_bytes,
            file_bytes: kept.file_bytes,
            files: kept.files,
            database_limit: limits.database_bytes,
            file_bytes_limit: limits.files_bytes,
            files_limit: limits.files_count,
            tables: content.map(|tables| {
                tables.into_iter().map(|table| TableView { name: table.name, rows: table.rows }).collect()
            }),
        })
    }

    /// The data servers, each asked whether it is there.
    ///
    /// # Errors
    /// [`ControlError::Database`], [`ControlError::Refused`].
    pub async fn data_servers(&self, _operator: &Operator) -> Result<DataServerList> {
        let counts = self.store.tenants_by_server().await?;
        let servers = self.data.servers().await.map_err(ControlError::port("ask the data servers"))?;
        let items = servers.into_iter().map(|server| DataServerView {
            default: server.name == self.config.default_server,
            tenants: counts.get(&server.name).copied().unwrap_or(0),
            name: server.name.to_string(),
            engine: server.engine,
            isolation: server.isolation,
            reachable: server.reachable,
            connections: server.connections,
            connection_limit: server.limit,
            opened: server.opened,
        });
        Ok(DataServerList { items: items.collect() })
    }
}
