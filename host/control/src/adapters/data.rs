//! [`TenantData`] over the data room.

use super::archive;
use crate::ports::{
    ArchiveFacts, Counts, Kept, Migration, PortError, PortFuture, SchemaState, ServerState, StageError,
    StagedArchive, TableContent, TenantData,
};
use rowhouse_base::id::TenantId;
use rowhouse_base::{Chain, Subject};
use rowhouse_data::{Data, ServerFacts, SqlError};
use rowhouse_tenant::Tenant;
use std::error::Error;
use std::io::{Read, Write};
use std::sync::Arc;

/// The data room as the control plane uses it.
#[derive(Clone)]
pub struct DataPort(pub Arc<Data>);

pub(super) fn port(error: &(dyn Error + 'static)) -> PortError {
    let (mut cause, mut passing) = (Some(error), false);
    while let Some(one) = cause {
        passing |= one.downcast_ref().is_some_and(SqlError::is_passing);
        cause = one.source();
    }
    PortError { text: Chain(error).to_string(), passing }
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

    fn remove<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Kept> {
        Box::pin(async move {
            // What it was, told apart; the removal itself counts everything as one.
            let was = self.0.usage(tenant).await.unwrap_or_default();
            self.0.remove(tenant).await.map_err(|error| port(&error))?;
            Ok(Kept {
                database_bytes: was.database_bytes,
                files: was.files_count,
                file_bytes: was.files_bytes,
            })
        })
    }

    fn remove_database<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()> {
        Box::pin(async move { self.0.remove_database(tenant).await.map_err(|error| port(&error)) })
    }

    fn rescan<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Kept> {
        Box::pin(async move {
            let left = self.0.rescan(tenant).await.map_err(|error| port(&error))?;
            Ok(Kept { database_bytes: 0, files: left.entries, file_bytes: left.bytes })
        })
    }

    fn usage<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Kept> {
        Box::pin(async move {
            let usage = self.0.usage(tenant).await.map_err(|error| port(&error))?;
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

    fn sweep(&self, id: TenantId) -> PortFuture<'_, ()> {
        Box::pin(async move { self.0.sweep(id).await.map(drop).map_err(|error| port(&error)) })
    }

    fn export<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        facts: ArchiveFacts,
        to: Box<dyn Write + Send>,
    ) -> PortFuture<'a, Counts> {
        Box::pin(async move {
            let facts = archive::theirs(tenant, &facts);
            let written = self.0.export(tenant, facts, to).await.map_err(|error| port(&error))?;
            if !written.left_out.is_empty() {
                tracing::warn!(tenant = %tenant.id, left_out = ?written.left_out, "export a tenant in part");
            }
            Ok(archive::counts(&written.tables, written.files, written.file_bytes))
        })
    }

    fn stage(&self, from: Box<dyn Read + Send>) -> PortFuture<'_, Box<dyn StagedArchive>, StageError> {
        Box::pin(async move {
            let staged = self.0.read_archive(from).await.map_err(archive::refused)?;
            Ok(Box::new(archive::Staged::new(Arc::clone(&self.0), staged)) as Box<dyn StagedArchive>)
        })
    }

    fn transfer<'a>(&'a self, from: &'a Arc<Tenant>, to: &'a Arc<Tenant>) -> PortFuture<'a, ()> {
        Box::pin(async move { self.0.transfer(from, to).await.map_err(|error| port(&error)) })
    }

    fn content<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Vec<TableContent>> {
        Box::pin(async move {
            let tables = self.0.content(tenant).await.map_err(|error| port(&error))?;
            let mut tables: Vec<TableContent> = tables.into_iter().map(archive::table).collect();
            // Engines list them in orders of their own, those that foreign keys lead to first.
            tables.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(tables)
        })
    }

    fn reset<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()> {
        Box::pin(async move { self.0.reset(tenant).await.map_err(|error| port(&error)) })
    }

    fn move_subjects<'a>(&'a self, tenant: &'a Arc<Tenant>, subjects: &'a [Subject]) -> PortFuture<'a, ()> {
        Box::pin(async move { self.0.move_subjects(tenant, subjects).await.map_err(|error| port(&error)) })
    }

    fn servers(&self) -> PortFuture<'_, Vec<ServerState>> {
        Box::pin(async move {
            let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
            let state = |facts: ServerFacts| ServerState {
                name: facts.server.name,
                engine: facts.server.engine.as_str().to_owned(),
                isolation: facts.server.isolation.as_str().to_owned(),
                reachable: facts.reachable,
                opened: facts.opened,
                connections: facts.connections.map_or(0, |used| count(used.open)),
                limit: facts.connections.map(|used| count(used.total)),
            };
            Ok(self.0.servers().await.into_iter().map(state).collect())
        })
    }
}
