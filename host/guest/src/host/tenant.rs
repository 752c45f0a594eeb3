//! `rowhouse:host/tenant`: facts about the site being served.

use crate::store::GuestState;
use rowhouse_bindings::host::tenant::{Host, Info};

impl Host for GuestState {
    fn current(&mut self) -> wasmtime::Result<Info> {
        let tenant = &self.scope()?.tenant;
        Ok(Info {
            id: tenant.id.to_string(),
            name: tenant.name.to_string(),
            title: tenant.title.clone(),
            addresses: tenant.addresses.iter().map(ToString::to_string).collect(),
            release: tenant.release.as_ref().map(|release| release.name.to_string()).unwrap_or_default(),
            locale: tenant.locale.to_string(),
            time_zone: tenant.time_zone.to_string(),
        })
    }

    fn setting(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.scope()?.tenant.settings.get(&key).cloned())
    }

    fn settings(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        let settings = &self.scope()?.tenant.settings;
        Ok(settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}
