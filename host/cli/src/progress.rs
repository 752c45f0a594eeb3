//! Progress of long work: a bar that moves in a terminal, plain lines elsewhere, silence with `--json`.

use crate::screen::Screen;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io;
use std::time::Duration;

/// Shows how far a piece of work is. Clears its bar when dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Bytes on their way to the server.
    pub(crate) fn upload(screen: &mut Screen<'_>, what: &str, bytes: u64) -> io::Result<Self> {
        let bar = ProgressBar::with_draw_target(Some(bytes), target(screen));
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}") {
            bar.set_style(style);
        }
        Self::begin(screen, bar, what)
    }

    /// Items of a known number.
    pub(crate) fn items(screen: &mut Screen<'_>, what: &str, items: u64) -> io::Result<Self> {
        let bar = ProgressBar::with_draw_target(Some(items), target(screen));
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        Self::begin(screen, bar, what)
    }

    /// Work of unknown length.
    pub(crate) fn waiting(screen: &mut Screen<'_>, what: &str) -> io::Result<Self> {
        let bar = ProgressBar::with_draw_target(None, target(screen));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        if screen.can_animate && !screen.json {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self::begin(screen, bar, what)
    }

    fn begin(screen: &mut Screen<'_>, bar: ProgressBar, what: &str) -> io::Result<Self> {
        bar.set_message(what.to_owned());
        if !screen.can_animate && !screen.json {
            screen.note(&format!("{what} …"))?;
        }
        Ok(Self(bar))
    }

    /// Says how much is done by now.
    pub(crate) fn set(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Says what is being done.
    pub(crate) fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// Bytes on their way from the server, of unknown number.
    pub(crate) fn download(screen: &mut Screen<'_>, what: &str) -> io::Result<Self> {
        let bar = ProgressBar::with_draw_target(None, target(screen));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {bytes} {elapsed}") {
            bar.set_style(style);
        }
        Self::begin(screen, bar, what)
    }

    /// A handle that counts what is read through it.
    pub(crate) fn reading<R: io::Read>(&self, bytes: R) -> impl io::Read + use<R> {
        let bar = self.0.clone();
        bar.wrap_read(bytes)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn target(screen: &Screen<'_>) -> ProgressDrawTarget {
    if screen.can_animate && !screen.json {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}
