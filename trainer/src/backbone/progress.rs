//! The progress of a computation on many images.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use siamese_core::output::note;

/// The time between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// A progress bar on a terminal, or a line from time to time elsewhere.
pub(super) struct Progress {
    what: String,
    bar: ProgressBar,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Starts at 0 of `n_images` images.
    pub(super) fn new(what: String, n_images: usize) -> Self {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left")
            .expect("a template of indicatif's own fields");
        let n_images = n_images.try_into().unwrap_or(u64::MAX);
        let bar = ProgressBar::new(n_images).with_style(style).with_message(what.clone());
        // Shows the bar before the first image is done.
        bar.tick();
        Self { what, bar, last_line: Mutex::new(Instant::now()) }
    }

    /// Counts an image.
    pub(super) fn advance(&self) {
        self.bar.inc(1);
        let mut last_line = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bar.is_hidden() && BETWEEN_LINES <= last_line.elapsed() {
            *last_line = Instant::now();
            note(&format!(
                "{}: {} of {}",
                self.what,
                self.bar.position(),
                self.bar.length().unwrap_or(0)
            ));
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
