//! Attacks on memory: taking all of it, and looking in it for what another instance left.

use std::arch::wasm32::{memory_grow, memory_size};
use std::hint::black_box;
use std::sync::Mutex;

use crate::exports::rowhouse::site::handler::{Request, Response};
use crate::verdict::Verdict;
use crate::{number, text};

const PAGE: usize = 64 * 1024;

/// The secret with every bit flipped, so that the module itself does not contain it.
const FLIPPED: [u8; 16] =
    [0x9c, 0x21, 0xe7, 0x58, 0x0d, 0xb3, 0x46, 0xfa, 0x71, 0xc8, 0x3e, 0x95, 0xaa, 0x17, 0x64, 0xd0];

/// Allocates and touches memory until the host ends it.
pub(crate) fn bomb() -> Response {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![0xaa; 1024 * 1024]));
    }
}

/// Grows memory page by page and tells how many pages it got before the host refused.
pub(crate) fn grow() -> Response {
    let mut pages = 0usize;
    while memory_grow(0, 16) != usize::MAX {
        pages += 16;
    }
    text(&format!("{pages} pages\n"))
}

/// Fills `mib` MiB of memory with the secret and leaves it there.
pub(crate) fn canary_write(request: &Request) -> Response {
    let mib = usize::try_from(number(request, "mib", 16)).unwrap_or(16);
    let mut bytes = Vec::with_capacity(mib * 1024 * 1024);
    while bytes.len() < mib * 1024 * 1024 {
        bytes.extend(black_box(FLIPPED).map(|byte| !byte));
    }
    std::mem::forget(black_box(bytes));
    text("written\n")
}

/// Grows memory by 16 MiB, then looks for the secret in all of it. What is found counts as accepted.
pub(crate) fn canary_scan() -> Response {
    memory_grow(0, 256);
    let length = memory_size(0) * PAGE;
    let base = black_box(std::ptr::null::<u8>());
    // Hidden from the optimiser, which would otherwise put the secret itself into the module.
    let flipped = black_box(FLIPPED);
    let mut verdict = Verdict::default();
    let mut found = 0usize;
    // Address 0 is a valid address of linear memory but not of Rust: begin at 16.
    for start in 16..length - FLIPPED.len() {
        // SAFETY: linear memory is readable from 0 to `length`, bytes have no invalid values, and
        // volatile reads ask nothing of the allocator.
        let byte = |offset: usize| unsafe { base.wrapping_add(start + offset).read_volatile() };
        if flipped.iter().enumerate().all(|(offset, flipped)| byte(offset) == !flipped) {
            found += 1;
        }
    }
    let attempt = format!("find the secret in {length} bytes");
    verdict.note(&attempt, if found > 0 { Ok(()) } else { Err("not there") });
    verdict.into_response()
}

/// Everything this instance was ever asked to remember, this request's word last, one a line.
pub(crate) fn remember(request: &Request) -> Response {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut seen = SEEN.lock().expect("one thread");
    seen.push(request.query.clone().unwrap_or_default());
    text(&seen.join("\n"))
}
