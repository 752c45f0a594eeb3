//! Attacks by number: host calls, random bytes and log lines without end, or `n` of them.

use std::hint::black_box;

use crate::exports::rowhouse::site::handler::{Request, Response};
use crate::rowhouse::host::{sql, tenant};
use crate::{number, text, word};

/// Calls the host `n` times: `call=tenant` (cheap, the default) or `call=sql` (one row each).
pub(crate) fn host_calls(request: &Request) -> Response {
    let count = number(request, "n", u64::MAX);
    let mut errors = 0u64;
    let mut last = String::new();
    for _ in 0..count {
        if word(request, "call") == Some("sql") {
            if let Err(error) = sql::query("SELECT 1", &[]) {
                errors += 1;
                last = format!("{error:?}");
            }
        } else {
            black_box(tenant::current());
        }
    }
    text(&format!("{count} calls, {errors} errors, the last {last}\n"))
}

/// Asks `n` times for `mib` MiB of random bytes at once.
pub(crate) fn random(request: &Request) -> Response {
    let length = number(request, "mib", 64) * 1024 * 1024;
    let count = number(request, "n", u64::MAX);
    for _ in 0..count {
        black_box(wasip2::random::random::get_random_bytes(length));
    }
    text(&format!("{count} times {length} bytes\n"))
}

/// Writes `n` lines of 1 KiB to standard error.
#[expect(clippy::print_stderr, reason = "the attack itself")]
pub(crate) fn stderr(request: &Request) -> Response {
    let line = "flood ".repeat(170);
    let count = number(request, "n", u64::MAX);
    for _ in 0..count {
        eprintln!("{line}");
    }
    text(&format!("{count} lines\n"))
}
