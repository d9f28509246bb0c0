//! Waits of tests. Each has a limit, by the machine's clock, and says what it waited for.
//!
//! Two rules keep a busy machine from failing a test. What must happen has [`PATIENCE`]. A time-out that a test sets so that the
//! server soon gives something up is [`WINDOW`] where the test must do something before.

#![allow(dead_code, reason = "each test binary has use for a part")]

pub(crate) mod clock;
pub(crate) mod process;

use std::time::{Duration, Instant};

/// Longer than anything here takes; whoever waits so long waits for ever.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The least time in which a busy machine surely does something small, in milliseconds, as settings are.
pub(crate) const WINDOW: &str = "2000";

/// Between two looks, so that whoever looks leaves the processor to what it waits for.
const PAUSE: Duration = Duration::from_millis(1);

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(within: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    eventually_some(within, what, || is_so().then_some(()));
}

/// Waits until there is something, and gives it.
#[track_caller]
pub(crate) fn eventually_some<T>(
    within: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    clock::watch();
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}
