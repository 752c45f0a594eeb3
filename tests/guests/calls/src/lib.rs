//! One SELECT, run as often as the path says: `/CALLS/ROWS`.
//!
//! It shows what a call of the host's SQL costs. The benchmarks compare it with native servers that run the same
//! statement as often and answer the same. It never says that an answer may be kept, so that every request asks the
//! database.

use rowhouse_bench_page::calls::{Checksum, Entry, QUERY, schema};
use rowhouse_sdk::prelude::*;

fn read(_request: &Request, calls: u32, rows: u32) -> Result {
    let mut checksum = Checksum::default();
    for _ in 0..calls {
        let entries: Vec<Entry> = sql::query_as(QUERY, params![rows])?;
        checksum.add(&entries);
    }
    Ok(Response::text(checksum.answer()))
}

/// The site.
pub struct Calls;

impl Site for Calls {
    fn routes() -> Router {
        Router::new().get("/{calls}/{rows}", read)
    }

    fn migrations() -> Vec<Migration> {
        let (own, other) = (schema("INTEGER"), schema("BIGINT"));
        vec![Migration::new(1, "create entries").sqlite(own).postgresql(other.clone()).mysql(other)]
    }
}

rowhouse_sdk::export!(Calls);
