//! Attacks on the processor: loops, recursion, traps, and sleeping for a long time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::exports::rowhouse::site::handler::{Request, Response};
use crate::{number, text, word};

/// Never calls the host and never ends.
pub(crate) fn spin_forever() -> Response {
    let mut turns = 0u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
        if turns == u64::MAX {
            return text("unreachable in this century\n");
        }
    }
}

/// Computes for `ms` milliseconds of wall time. It asks for the time once in many turns only.
pub(crate) fn spin(request: &Request) -> Response {
    let end = Instant::now() + Duration::from_millis(number(request, "ms", 10));
    let mut turns = 0u64;
    while Instant::now() < end {
        for _ in 0..10_000 {
            turns = black_box(turns.wrapping_add(1));
        }
    }
    text(&format!("{turns} turns\n"))
}

/// Uses up the stack: the engine's own (the default), or with `stack=memory` the one that the compiler
/// keeps in linear memory.
pub(crate) fn recurse_forever(request: &Request) -> Response {
    let depth =
        if word(request, "stack") == Some("memory") { deeper_in_memory(0) } else { deeper(black_box(0)) };
    text(&format!("{depth} deep\n"))
}

/// Keeps nothing in linear memory, and is no loop in disguise: its result is changed on the way back.
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    if depth == u64::MAX { depth } else { deeper(depth + 1).rotate_left(3) ^ depth }
}

#[expect(unconditional_recursion, reason = "the attack itself")]
fn deeper_in_memory(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    black_box(deeper_in_memory(depth + 1)) + black_box(frame)[3]
}

/// Runs the `unreachable` instruction.
pub(crate) fn trap() -> Response {
    std::arch::wasm32::unreachable()
}

/// Panics, with a message that must not reach the visitor.
#[expect(clippy::panic, reason = "the attack itself")]
pub(crate) fn panic() -> Response {
    panic!("the-panic-message-of-the-guest");
}

/// Sleeps for `ms` milliseconds in the host's clock, without computing.
pub(crate) fn sleep(request: &Request) -> Response {
    std::thread::sleep(Duration::from_millis(number(request, "ms", 1_000)));
    text("slept\n")
}
