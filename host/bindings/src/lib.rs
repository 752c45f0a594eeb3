//! What `wasmtime::component::bindgen!` makes of `wit/0.1`, and nothing else.
//!
//! A crate of its own because generating bindings dominates the rebuild of whatever contains them, and
//! the contract changes rarely. Only the guest room uses it. The functions of `sql` are asynchronous on
//! the host; the others answer at once from what the store was built with.

/// `rowhouse:host`: what guests import.
pub mod host {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "rowhouse:site/imports",
        imports: {
            "rowhouse:host/tenant@0.1.0.current": trappable,
            "rowhouse:host/tenant@0.1.0.setting": trappable,
            "rowhouse:host/tenant@0.1.0.settings": trappable,
            "rowhouse:host/pages@0.1.0.tag": trappable,
            "rowhouse:host/pages@0.1.0.purge": trappable,
            "rowhouse:host/identity@0.1.0.current": trappable,
            "rowhouse:host/sql@0.1.0.current-dialect": trappable,
            default: async | trappable,
        },
    });

    pub use self::rowhouse::host::{identity, pages, sql, tenant};
}

/// `rowhouse:site`: what site modules export. Each export has a world of its own because exports are
/// found by presence.
pub mod site {
    /// The fast lane.
    pub mod handler {
        wasmtime::component::bindgen!({
            path: "../../wit/0.1",
            inline: "
                package rowhouse:lanes;
                world handler { export rowhouse:site/handler@0.1.0; }
            ",
            world: "rowhouse:lanes/handler",
            exports: { default: async },
        });
        pub use self::exports::rowhouse::site::handler::{Guest, GuestIndices, Header, Request, Response};
    }

    /// Migrations as data.
    pub mod schema {
        wasmtime::component::bindgen!({
            path: "../../wit/0.1",
            inline: "
                package rowhouse:lanes;
                world schema { export rowhouse:site/schema@0.1.0; }
            ",
            world: "rowhouse:lanes/schema",
            exports: { default: async },
        });
        pub use self::exports::rowhouse::site::schema::{Guest, GuestIndices, Migration};
    }

    /// Code run per tenant after its migrations.
    pub mod upgrade {
        wasmtime::component::bindgen!({
            path: "../../wit/0.1",
            inline: "
                package rowhouse:lanes;
                world upgrade { export rowhouse:site/upgrade@0.1.0; }
            ",
            world: "rowhouse:lanes/upgrade",
            exports: { default: async },
        });
        pub use self::exports::rowhouse::site::upgrade::{Guest, GuestIndices};
    }
}
