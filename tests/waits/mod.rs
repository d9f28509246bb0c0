//! Waits of tests. Each has a limit by the real clock, and names what it waited for.
//!
//! Two rules keep a busy machine from failing a test. Anything that must happen may take [`TEST_TIMEOUT`]. If a test
//! sets a short timeout for the server, but must do something before it expires, the timeout is [`SHORT_TIMEOUT_MS`].

#![allow(dead_code, reason = "each test binary has use for a part")]

pub(crate) mod clock;
pub(crate) mod process;

use std::time::{Duration, Instant};

/// Longer than anything in the tests takes: what has not happened by then will never happen.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_mins(2);

/// The shortest time in which a busy machine surely does something small, in milliseconds, as a settings value.
pub(crate) const SHORT_TIMEOUT_MS: &str = "2000";

/// The pause between two checks, which leaves the processor to the checked work.
const PAUSE: Duration = Duration::from_millis(1);

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn eventually(within: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    eventually_some(within, what, || is_so().then_some(()));
}

/// Waits until a value is available, and returns it.
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
