//! [`TenantData`] over the data room.

use crate::ports::{Kept, Migration, PortError, PortFuture, SchemaState, TenantData};
use rowhouse_base::Chain;
use rowhouse_base::id::TenantId;
use rowhouse_data::Data;
use rowhouse_tenant::Tenant;
use std::error::Error;
use std::sync::Arc;

/// The data room as the control plane uses it.
#[derive(Clone)]
pub struct DataPort(pub Arc<Data>);

pub(super) fn port(error: &(dyn Error + 'static)) -> PortError {
    PortError(Chain(error).to_string())
}

/// A migration as the data room has it.
pub(super) fn theirs(ours: &Migration) -> rowhouse_data::Migration {
    rowhouse_data::Migration {
        version: ours.version,
        name: ours.name.clone(),
        sqlite: ours.sqlite.clone(),
        postgresql: ours.postgresql.clone(),
        mysql: ours.mysql.clone(),
    }
}

impl TenantData for DataPort {
    fn provision<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()> {
        Box::pin(async move { self.0.provision(tenant).await.map_err(|error| port(&error)) })
    }

    fn migrate<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        migrations: &'a [Migration],
    ) -> PortFuture<'a, SchemaState> {
        Box::pin(async move {
            let migrations: Vec<_> = migrations.iter().map(theirs).collect();
            let state = self.0.migrate(tenant, &migrations).await.map_err(|error| port(&error))?;
            Ok(SchemaState { version: state.version, fingerprint: state.fingerprint })
        })
    }

    fn remove(&self, id: TenantId) -> PortFuture<'_, Kept> {
        Box::pin(async move {
            // What it was, told apart; the removal itself counts everything as one.
            let was = self.0.usage(id).await.unwrap_or_default();
            self.0.remove(id).await.map_err(|error| port(&error))?;
            Ok(Kept {
                database_bytes: was.database_bytes,
                files: was.files_count,
                file_bytes: was.files_bytes,
            })
        })
    }

    fn rescan(&self, id: TenantId) -> PortFuture<'_, Kept> {
        Box::pin(async move {
            let left = self.0.rescan(id).await.map_err(|error| port(&error))?;
            Ok(Kept { database_bytes: 0, files: left.entries, file_bytes: left.bytes })
        })
    }

    fn usage(&self, id: TenantId) -> PortFuture<'_, Kept> {
        Box::pin(async move {
            let usage = self.0.usage(id).await.map_err(|error| port(&error))?;
            Ok(Kept {
                database_bytes: usage.database_bytes,
                files: usage.files_count,
                file_bytes: usage.files_bytes,
            })
        })
    }

    fn list_ids(&self) -> PortFuture<'_, Vec<TenantId>> {
        Box::pin(async move { self.0.list_ids().await.map_err(|error| port(&error)) })
    }
}
