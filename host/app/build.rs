//! Finds the shipped site module, which the binary carries inside.
//!
//! It is a guest of its own target and profile, so it is built by `cargo xtask guests` and not from
//! here: a build inside a build would wait for its own lock.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=ROWHOUSE_SITE_MODULE");
    let module = match std::env::var_os("ROWHOUSE_SITE_MODULE") {
        Some(path) => PathBuf::from(path),
        None => built_by_xtask(),
    };
    println!("cargo::rerun-if-changed={}", module.display());
    if !module.is_file() {
        println!(
            "cargo::error=the shipped site module is not built yet ({} is missing): run `cargo xtask guests` first",
            module.display()
        );
        return;
    }
    println!("cargo::rustc-env=ROWHOUSE_SITE_MODULE_FILE={}", module.display());
}

/// OUT_DIR is TARGET/PROFILE/build/rowhouse-HASH/out, the module is TARGET/guests/site.wasm.
fn built_by_xtask() -> PathBuf {
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    let target = out.ancestors().nth(4).unwrap_or(Path::new("target"));
    target.join("guests").join("site.wasm")
}
