//! Writes a component of the fast lane whose one module has eight memories and grows each of them
//! until the host refuses, then answers with the number of pages it got.
//!
//! A limit that counts each memory by itself lets it have eight times what it should. It is a native
//! program, because no Rust compiler makes a module of several memories: it puts `guest.wat` into a
//! component and validates it. `cargo xtask guests` runs it with the path of the file to write.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WORLD: &str = "
    package rowhouse-tests:multi-memory;
    world multi-memory {
        export rowhouse:site/handler@0.1.0;
    }
";

fn main() -> Result<()> {
    let output = std::env::args_os().nth(1).map(PathBuf::from).context("name the file to write")?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut module = wat::parse_file(here.join("guest.wat")).context("assemble guest.wat")?;

    let mut resolve = Resolve::default();
    resolve.push_dir(here.join("../../../wit/0.1")).context("read the WIT")?;
    let package = resolve.push_str("multi-memory.wit", WORLD).context("read the world")?;
    let world = resolve.select_world(&[package], None).context("find the world")?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .context("describe the module's world")?;

    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .context("take the module")?
        .encode()
        .context("make the component")?;
    std::fs::write(&output, component).with_context(|| format!("write {}", output.display()))
}
