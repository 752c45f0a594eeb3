//! Lines for the operator's log, through standard error.
//!
//! The host adds tenant and request id. Nothing written here reaches a visitor. Called by
//! sites and by the SDK where it answers 500.

/// Writes one line.
#[expect(clippy::print_stderr, reason = "standard error is a guest's log")]
pub fn line(text: impl std::fmt::Display) {
    eprintln!("{text}");
}
