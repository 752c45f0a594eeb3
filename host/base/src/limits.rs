//! Every limit a guest can hit, with its default. The documentation's table is made from this file.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Limits of one tenant. They hold per instance, per request or per tenant, as each field says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Guest CPU time of one request, in milliseconds. Time spent waiting in the host is not counted.
    pub cpu_ms: u32,
    /// Wall time of one request, in milliseconds.
    pub wall_ms: u32,
    /// Sum of all linear memories of one instance, in bytes.
    pub memory_bytes: u64,
    /// Sum of the elements of all tables of one instance.
    pub table_elements: u64,
    /// Open resources (streams, requests, cursors, transactions) of one instance.
    pub resources: u32,
    /// Body of one request, in bytes.
    pub request_bytes: u64,
    /// Body of one response, in bytes.
    pub response_bytes: u64,
    /// All header fields of one request or response, in bytes.
    pub header_bytes: u32,
    /// Requests of one tenant being served at the same time. Others wait.
    pub concurrent_requests: u32,
    /// Requests of one tenant waiting for their turn. Further ones get 503.
    pub queued_requests: u32,
    /// SQL statements of one request.
    pub statements: u32,
    /// Time of one SQL statement, in milliseconds.
    pub statement_ms: u32,
    /// Rows of one result.
    pub rows: u32,
    /// Bytes of one result.
    pub result_bytes: u64,
    /// Size of the tenant's database, in bytes.
    pub database_bytes: u64,
    /// Size of the tenant's files, in bytes.
    pub files_bytes: u64,
    /// Number of the tenant's files and folders.
    pub files_count: u64,
    /// Connections of one tenant to its database at the same time.
    pub connections: u32,
    /// Bytes that one request may write to the log.
    pub log_bytes: u32,
    /// Outbound HTTP requests of one request.
    pub outbound_requests: u32,
    /// Bytes that all outbound requests of one request may send, header fields included.
    pub outbound_sent_bytes: u64,
    /// Bytes that all answers to them may have, header fields included.
    pub outbound_received_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A page of the shipped site takes well under a millisecond of guest time.
            cpu_ms: 1_000,
            wall_ms: 15_000,
            // Python guests start at about 14 MiB; 128 MiB leaves room for work.
            memory_bytes: 128 << 20,
            // The largest table of a Python guest has 7,776 elements, and it has more than ten tables.
            table_elements: 100_000,
            resources: 1_000,
            request_bytes: 8 << 20,
            response_bytes: 16 << 20,
            header_bytes: 32 << 10,
            concurrent_requests: 32,
            queued_requests: 256,
            statements: 500,
            statement_ms: 2_000,
            rows: 10_000,
            result_bytes: 8 << 20,
            database_bytes: 1 << 30,
            files_bytes: 1 << 30,
            files_count: 100_000,
            connections: 4,
            log_bytes: 64 << 10,
            // A page that needs more services than this is waiting for the slowest of them.
            outbound_requests: 16,
            // As much as a visitor may send and a page may have.
            outbound_sent_bytes: 8 << 20,
            outbound_received_bytes: 16 << 20,
        }
    }
}

impl Limits {
    /// Guest CPU time of one request.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        Duration::from_millis(self.cpu_ms.into())
    }

    /// Wall time of one request.
    #[must_use]
    pub fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms.into())
    }

    /// Time of one SQL statement.
    #[must_use]
    pub fn statement(&self) -> Duration {
        Duration::from_millis(self.statement_ms.into())
    }
}
