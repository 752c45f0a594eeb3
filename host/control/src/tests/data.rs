//! The data room's stand-in: databases are lists of texts on named servers, and an archive is their JSON.

use crate::ports::{
    ArchiveFacts, Counts, Kept, Migration, PortError, PortFuture, SchemaState, ServerState, StageError,
    StagedArchive, TableContent, TenantData,
};
use crate::stub::{Fault, Rooms, fingerprint};
use crate::tests::aside;
use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Digest, Subject};
use rowhouse_tenant::Tenant;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::sync::Arc;

/// One tenant's database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) version: u32,
    pub(crate) rows: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Archive {
    facts: ArchiveFacts,
    version: u32,
    rows: Vec<String>,
    files: Vec<String>,
}

/// An archive with the rooms it is loaded into.
struct Staged {
    rooms: Rooms,
    archive: Archive,
}

fn key(tenant: &Tenant) -> (TenantId, DataServerName) {
    (tenant.id, tenant.data_server.clone())
}

fn length(list: &[String]) -> u64 {
    u64::try_from(list.len()).unwrap()
}

impl Rooms {
    /// Writes rows and a file, as a guest would.
    pub(crate) fn write(&self, tenant: &Tenant, rows: &[&str]) {
        let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        self.databases.lock().get_mut(&key(tenant)).unwrap().rows = rows;
        self.files.lock().insert(tenant.id, vec!["logo.svg".to_owned()]);
    }

    /// What a guest would read: rows and files.
    pub(crate) fn read(&self, tenant: &Tenant) -> (Vec<String>, Vec<String>) {
        let rows = self.databases.lock().get(&key(tenant)).map(|database| database.rows.clone());
        (rows.unwrap_or_default(), self.files.lock().get(&tenant.id).cloned().unwrap_or_default())
    }

    fn kept(&self, tenant: &Tenant) -> Kept {
        match self.databases.lock().contains_key(&key(tenant)) {
            true => Kept { database_bytes: 4096, files: 2, file_bytes: 100 },
            false => Kept::default(),
        }
    }

    fn content_of(&self, tenant: &Tenant) -> Vec<TableContent> {
        let (mut rows, _files) = self.read(tenant);
        rows.sort();
        let hash = Digest::of(rows.join("\n").as_bytes()).to_string();
        vec![TableContent { name: "notes".into(), rows: length(&rows), hash }]
    }
}

impl TenantData for Rooms {
    fn provision<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()> {
        Box::pin(async move {
            self.databases.lock().entry(key(tenant)).or_default();
            self.step("provision", Fault::Provision).await
        })
    }

    fn migrate<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        migrations: &'a [Migration],
    ) -> PortFuture<'a, SchemaState> {
        Box::pin(async move {
            self.step("migrate", Fault::Migrate).await?;
            if self.faults.lock().contains(&Fault::MigrateOf(tenant.name.to_string())) {
                return Err(PortError::lasting("syntax error near `TABEL`"));
            }
            let version = migrations.last().map_or(0, |migration| migration.version);
            self.databases.lock().get_mut(&key(tenant)).unwrap().version = version;
            Ok(SchemaState { version, fingerprint: fingerprint(migrations) })
        })
    }

    fn remove<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Kept> {
        Box::pin(async move {
            self.step("remove", Fault::Remove).await?;
            let was = self.kept(tenant);
            self.databases.lock().remove(&key(tenant));
            self.files.lock().remove(&tenant.id);
            Ok(was)
        })
    }

    fn remove_database<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()> {
        Box::pin(async move {
            self.step("remove-database", Fault::RemoveDatabase).await?;
            self.databases.lock().remove(&key(tenant));
            Ok(())
        })
    }

    fn rescan<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Kept> {
        Box::pin(async move {
            let left = self.faults.lock().contains(&Fault::Leftover)
                || self.databases.lock().keys().any(|(id, _)| *id == tenant.id)
                || self.files.lock().contains_key(&tenant.id);
            Ok(if left { Kept { files: 1, ..Kept::default() } } else { Kept::default() })
        })
    }

    fn usage<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Kept> {
        Box::pin(async move { Ok(self.kept(tenant)) })
    }

    fn list_ids(&self) -> PortFuture<'_, Vec<TenantId>> {
        Box::pin(async move { Ok(self.databases.lock().keys().map(|(id, _)| *id).collect()) })
    }

    fn sweep(&self, id: TenantId) -> PortFuture<'_, ()> {
        Box::pin(async move {
            self.databases.lock().retain(|(other, _), _| *other != id);
            self.files.lock().remove(&id);
            Ok(())
        })
    }

    fn export<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        facts: ArchiveFacts,
        mut to: Box<dyn Write + Send>,
    ) -> PortFuture<'a, Counts> {
        Box::pin(async move {
            let (rows, files) = self.read(tenant);
            let version = self.databases.lock().get(&key(tenant)).unwrap().version;
            let counts = Counts { tables: 1, rows: length(&rows), files: length(&files), file_bytes: 100 };
            let text = serde_json::to_vec(&Archive { facts, version, rows, files }).unwrap();
            let half = text.len() / 2;
            let (first, second) = (text[..half].to_vec(), text[half..].to_vec());
            let mut to = aside(move || to.write_all(&first).map(|()| to)).await;
            self.step("export", Fault::Export).await?;
            let write = move || {
                to.as_mut()
                    .map_err(|error| error.to_string())?
                    .write_all(&second)
                    .map_err(|e| e.to_string())?;
                to.map_err(|error| error.to_string())?.flush().map_err(|error| error.to_string())
            };
            aside(write).await.map_err(PortError::lasting)?;
            Ok(counts)
        })
    }

    fn stage(&self, mut from: Box<dyn Read + Send>) -> PortFuture<'_, Box<dyn StagedArchive>, StageError> {
        let rooms = self.clone();
        Box::pin(async move {
            let mut bytes = Vec::new();
            let read = move || from.read_to_end(&mut bytes).map(|_| bytes);
            let bytes = aside(read).await.map_err(|error| StageError::Faulty(error.to_string()))?;
            let archive = serde_json::from_slice(&bytes);
            let archive = archive.map_err(|error| StageError::Faulty(format!("it is damaged: {error}")))?;
            Ok(Box::new(Staged { rooms, archive }) as Box<dyn StagedArchive>)
        })
    }

    fn transfer<'a>(&'a self, from: &'a Arc<Tenant>, to: &'a Arc<Tenant>) -> PortFuture<'a, ()> {
        Box::pin(async move {
            let (rows, _files) = self.read(from);
            let put = |count: usize| {
                let rows = rows.iter().take(count).cloned().collect();
                self.databases.lock().get_mut(&key(to)).unwrap().rows = rows;
            };
            put(1);
            self.step("transfer", Fault::Transfer).await?;
            let lost = usize::from(self.faults.lock().contains(&Fault::Lossy));
            put(rows.len() - lost);
            Ok(())
        })
    }

    fn content<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Vec<TableContent>> {
        Box::pin(async move { Ok(self.content_of(tenant)) })
    }

    fn reset<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()> {
        Box::pin(async move {
            self.files.lock().remove(&tenant.id);
            self.step("reset", Fault::Reset).await?;
            self.databases.lock().insert(key(tenant), Database::default());
            Ok(())
        })
    }

    fn move_subjects<'a>(&'a self, tenant: &'a Arc<Tenant>, subjects: &'a [Subject]) -> PortFuture<'a, ()> {
        Box::pin(async move {
            self.step("move-subjects", Fault::Move).await?;
            let names: Vec<&str> = subjects.iter().map(Subject::as_str).collect();
            self.calls.lock().push(format!("moved {} {}", tenant.name, names.join(" ")));
            Ok(())
        })
    }

    fn servers(&self) -> PortFuture<'_, Vec<ServerState>> {
        let state = |name: &str, engine: &str, reachable| ServerState {
            name: name.parse().unwrap(),
            engine: engine.into(),
            isolation: "database".into(),
            reachable,
            connections: 3,
            limit: (engine != "sqlite").then_some(20),
            opened: 7,
        };
        Box::pin(async move { Ok(vec![state("local", "sqlite", true), state("other", "postgresql", false)]) })
    }
}

impl StagedArchive for Staged {
    fn facts(&self) -> &ArchiveFacts {
        &self.archive.facts
    }

    fn load(self: Box<Self>, tenant: &Arc<Tenant>) -> PortFuture<'_, Counts> {
        Box::pin(async move {
            let Archive { version, rows, files, .. } = self.archive;
            let put = |count: usize| {
                let mut databases = self.rooms.databases.lock();
                let database = databases.get_mut(&key(tenant)).unwrap();
                assert_eq!(database.version, version, "migrated to the archive's schema");
                database.rows = rows.iter().take(count).cloned().collect();
            };
            put(1);
            self.rooms.step("load", Fault::Load).await?;
            put(rows.len());
            let counts = Counts { tables: 1, rows: length(&rows), files: length(&files), file_bytes: 100 };
            self.rooms.files.lock().insert(tenant.id, files);
            Ok(counts)
        })
    }
}
