//! How long the images of a request are searched for faces.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The time of the searches for faces in the images of a request, which may be searched at once.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    /// Of the image that took longest, in nanoseconds.
    longest: AtomicU64,
}

impl Searches {
    /// The time of the image that took longest.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest.load(Ordering::Relaxed))
    }

    /// Records the time of all searches of one image so far.
    pub(super) fn took(&self, search: Duration) {
        let nanoseconds = u64::try_from(search.as_nanos()).unwrap_or(u64::MAX);
        self.longest.fetch_max(nanoseconds, Ordering::Relaxed);
    }
}
