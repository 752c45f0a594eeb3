//! Cargo's extra commands: found, else built once into a folder that outlives `cargo clean`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::process::{cargo, find, root, run};

/// The path of `cargo-NAME` at `version` or whichever is installed; built where there is none.
pub(crate) fn cargo_command(name: &str, version: &str) -> Result<PathBuf> {
    let binary = format!("cargo-{name}");
    if let Some(path) = find(&binary) {
        return Ok(path);
    }
    let folder = cache()?.join(format!("{binary}-{version}"));
    let path = folder.join("bin").join(&binary);
    if !path.is_file() {
        println!("    {binary} is not installed: building {version} once, in {}", folder.display());
        // Unoptimised: it takes a fraction of the time to build and a second longer to run.
        let mut command = cargo(&["install", "--locked", "--debug", &binary, "--version", version]);
        run(command
            .arg("--root")
            .arg(&folder)
            .env("CARGO_TARGET_DIR", folder.join("build"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("RUSTFLAGS"))?;
        // The intermediate files are ten times the size of the program.
        let _ = std::fs::remove_dir_all(folder.join("build"));
    }
    Ok(path)
}

/// Where tools are kept: XDG_CACHE_HOME, else ~/.cache, else the repository's own target folder.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(|| root().join("target"));
    let folder = base.join("rowhouse").join("tools");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// The path of `wasmtime` at `version`, optimised, with `serve` and as little else as that needs.
pub(crate) fn wasmtime(version: &str) -> Result<PathBuf> {
    let folder = cache()?.join(format!("wasmtime-{version}"));
    let path = folder.join("bin").join("wasmtime");
    if !path.is_file() {
        println!(
            "    building wasmtime {version} once, in {}: this takes a quarter of an hour",
            folder.display()
        );
        let mut command = cargo(&["install", "--locked", "wasmtime-cli", "--version", version]);
        run(command
            .args(["--no-default-features", "--features", WASMTIME_FEATURES, "--root"])
            .arg(&folder)
            .env("CARGO_TARGET_DIR", folder.join("build"))
            .env_remove("RUSTFLAGS"))?;
        let _ = std::fs::remove_dir_all(folder.join("build"));
    }
    Ok(path)
}

/// `serve` alone does not name the crates it needs: `run` brings wasmtime-wasi.
const WASMTIME_FEATURES: &str =
    "run,serve,component-model-async,cranelift,parallel-compilation,pooling-allocator";
