//! The generated bindings of the world `rowhouse:site/site`, for WebAssembly only.
//!
//! Nothing here is written by hand; the canonical ABI's unsafe code is the generator's and stays in here. The rest of the SDK sees these types in `host/wasm.rs` and nowhere
//! else, so that a new version of the contract changes two files. Called by `host::wasm` and by the
//! `export!` macro.

wit_bindgen::generate!({
    path: "../../wit/0.1",
    world: "rowhouse:site/site",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_site",
    default_bindings_module: "rowhouse_sdk::bindings",
});
