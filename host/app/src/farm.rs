//! What joins this server to others: how they are told, how they are heard, and what is shared with them.
//!
//! The data room is made with the voice, and the ear needs the data room, so the ear finds it in a place that
//! is filled a moment later; what is said before that is of no interest to a server that knows nothing yet.

use crate::config::Config;
use rowhouse_announce::{Heard, RedisAnnouncer};
use rowhouse_base::{Alone, Announce, Deaf};
use rowhouse_cache::{RedisLevel, RedisLevelSettings};
use rowhouse_control::Control;
use rowhouse_data::Data;
use std::sync::{Arc, OnceLock, Weak};

/// Those who act on what is heard. Weak: they hold the voice themselves.
#[derive(Clone, Default)]
pub(crate) struct Ears {
    data: Arc<OnceLock<Weak<Data>>>,
    control: Arc<OnceLock<Weak<Control>>>,
}

impl Ears {
    /// From now on the data room hears.
    pub(crate) fn give_data(&self, data: &Arc<Data>) {
        // A second time changes nothing: there is one data room.
        let _first = self.data.set(Arc::downgrade(data));
    }

    /// From now on the control plane hears.
    pub(crate) fn give_control(&self, control: &Arc<Control>) {
        let _first = self.control.set(Arc::downgrade(control));
    }

    fn control(&self) -> Option<Arc<Control>> {
        self.control.get()?.upgrade()
    }

    fn data(&self) -> Option<Arc<Data>> {
        self.data.get()?.upgrade()
    }

    fn heard(&self) -> Heard {
        let (moved, generation, gap) = (self.clone(), self.clone(), self.clone());
        Heard {
            on_data_moved: Box::new(move |tenant| {
                if let Some(data) = moved.data() {
                    data.doubt(tenant);
                }
            }),
            on_generation: Box::new(move |number| {
                if let Some(control) = generation.control() {
                    control.hint(number);
                }
            }),
            on_gap: Box::new(move || {
                if let Some(data) = gap.data() {
                    data.doubt_all();
                }
                if let Some(control) = gap.control() {
                    control.doubt();
                }
            }),
        }
    }
}

/// How this server tells others what it changed.
pub(crate) struct Voice {
    pub(crate) announce: Arc<dyn Announce>,
    /// The same, where it speaks over Redis and counts.
    pub(crate) redis: Option<Arc<RedisAnnouncer>>,
}

/// How this server tells others what it changed.
pub(crate) fn announcer(config: &Config, ears: &Ears) -> Voice {
    match &config.redis_url {
        Some(url) => {
            let namespace = config.redis_namespace.clone();
            let redis = Arc::new(RedisAnnouncer::start(url.clone(), namespace, ears.heard()));
            Voice { announce: Arc::clone(&redis) as _, redis: Some(redis) }
        }
        None if config.is_alone() => Voice { announce: Arc::new(Alone), redis: None },
        None => Voice { announce: Arc::new(Deaf), redis: None },
    }
}

/// What the cache shares with other servers.
pub(crate) fn second_level(config: &Config) -> Option<Arc<RedisLevel>> {
    let url = config.redis_url.as_ref()?;
    let settings = RedisLevelSettings {
        max_value_bytes: usize::try_from(config.cache_page_bytes).unwrap_or(usize::MAX),
        ..RedisLevelSettings::default()
    };
    Some(Arc::new(RedisLevel::start(url.clone(), config.redis_namespace.clone(), settings)))
}
