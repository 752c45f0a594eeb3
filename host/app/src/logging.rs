//! Where log lines go: standard error, for people or for programs.

use crate::config::{LogConfig, LogFormat};
use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// Starts logging. Once per process.
pub(crate) fn start(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.filter).with_context(|| {
        format!("read the log filter `{}`: write it like `info,access=info`", config.filter)
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("start logging: {error}"))
}
