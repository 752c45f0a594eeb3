//! [`SiteModules`] over the guest room.

use super::data::port;
use crate::ports::{CheckError, Migration, ModuleFacts, PortFuture, SiteModules};
use bytes::Bytes;
use rowhouse_base::Digest;
use rowhouse_guest::Guests;
use rowhouse_tenant::Tenant;
use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The guest room as the control plane uses it.
#[derive(Clone)]
pub struct GuestPort(pub Arc<Guests>);

fn ours(theirs: rowhouse_data::Migration) -> Migration {
    Migration {
        version: theirs.version,
        name: theirs.name,
        sqlite: theirs.sqlite,
        postgresql: theirs.postgresql,
        mysql: theirs.mysql,
    }
}

impl SiteModules for GuestPort {
    fn check(&self, bytes: Bytes) -> PortFuture<'_, ModuleFacts, CheckError> {
        Box::pin(async move {
            let facts = self.0.check(bytes).await.map_err(|faults| CheckError::Faults(faults.0))?;
            Ok(ModuleFacts {
                lane: facts.lane.to_string(),
                exports: facts.exports,
                imports: facts.imports,
                has_upgrade: facts.has_upgrade,
                fingerprint: rowhouse_data::fingerprint(&facts.migrations),
                migrations: facts.migrations.into_iter().map(ours).collect(),
            })
        })
    }

    fn prepare(&self, digest: Digest, bytes: Bytes) -> PortFuture<'_, ()> {
        Box::pin(async move { self.0.prepare(digest, bytes).await.map_err(|error| port(&error)) })
    }

    fn is_ready(&self, digest: &Digest) -> bool {
        self.0.is_ready(digest)
    }

    fn load_cached(&self, digest: Digest) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(self.0.load_cached(digest))
    }

    fn expect(&self, digest: &Digest) {
        self.0.expect(digest);
    }

    fn give_up(&self, digest: &Digest) {
        self.0.give_up(digest);
    }

    fn upgrade<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        digest: &'a Digest,
        from: Option<&'a str>,
        to: &'a str,
    ) -> PortFuture<'a, ()> {
        Box::pin(async move { self.0.upgrade(tenant, digest, from, to).await.map_err(|error| port(&error)) })
    }

    fn retire(&self, keep: &HashSet<Digest>) {
        self.0.retire(keep);
    }
}
