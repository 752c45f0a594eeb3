//! Where the programs, the guests and the working folder are.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// What `cargo xtask bench` has built and found.
pub(crate) struct Places {
    /// Databases, configurations and results.
    pub(crate) work: PathBuf,
    target: PathBuf,
    pub(crate) wrk: PathBuf,
    pub(crate) h2load: PathBuf,
    pub(crate) nginx: PathBuf,
    pub(crate) varnish: PathBuf,
    pub(crate) haproxy: PathBuf,
    pub(crate) redis: PathBuf,
    /// The library that gives a program another clock.
    pub(crate) faketime: PathBuf,
    pub(crate) wasmtime: PathBuf,
}

impl Places {
    /// From the environment; all that is missing is named at once.
    pub(crate) fn find() -> Result<Self> {
        let mut missing = Vec::new();
        let mut take = |name: &'static str| match std::env::var_os(name) {
            Some(value) => PathBuf::from(value),
            None => {
                missing.push(name);
                PathBuf::new()
            }
        };
        let target = take("ROWHOUSE_BENCH_TARGET");
        let places = Self {
            work: target.join("bench"),
            target,
            wrk: take("ROWHOUSE_BENCH_WRK"),
            h2load: take("ROWHOUSE_BENCH_H2LOAD"),
            nginx: take("ROWHOUSE_BENCH_NGINX"),
            varnish: take("ROWHOUSE_BENCH_VARNISH"),
            haproxy: take("ROWHOUSE_BENCH_HAPROXY"),
            redis: take("ROWHOUSE_BENCH_REDIS"),
            faketime: take("ROWHOUSE_BENCH_FAKETIME"),
            wasmtime: take("ROWHOUSE_BENCH_WASMTIME"),
        };
        if !missing.is_empty() {
            bail!("run `cargo xtask bench`, which sets {}", missing.join(", "));
        }
        std::fs::create_dir_all(&places.work).with_context(|| format!("make {}", places.work.display()))?;
        Ok(places)
    }

    /// The server under test, built in release mode.
    pub(crate) fn rowhouse(&self) -> PathBuf {
        self.target.join("release").join("rowhouse")
    }

    /// The native rivals.
    pub(crate) fn rival(&self) -> PathBuf {
        self.target.join("release").join("rowhouse-rival")
    }

    /// A guest by its name.
    pub(crate) fn guest(&self, name: &str) -> PathBuf {
        self.target.join("guests").join(format!("{name}.wasm"))
    }

    /// An empty folder of this name.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let folder = self.work.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(folder)
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}

/// Writes a file and gives its path.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let file = folder.join(name);
    std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    Ok(file)
}
