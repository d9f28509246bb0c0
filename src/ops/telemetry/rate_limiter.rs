//! How much the log says of what strangers bring about: who floods the service with it must not flood the log too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lines in a second; others are counted, and told of by a line of their own.
const LINES: u64 = 50;

/// Lets so many lines a second into the log. Counts that many threads touch at once may be off by a few.
pub struct RateLimiter {
    start: Instant,
    /// The second that is counted, from the start.
    second: AtomicU64,
    lines: AtomicU64,
}

/// Whether a line may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It may; before it, so many were left out.
    Write {
        /// Lines left out.
        suppressed: u64,
    },
    /// It is left out.
    Suppress,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl RateLimiter {
    /// One whose first second begins now.
    pub fn new() -> Self {
        Self { start: Instant::now(), second: AtomicU64::new(0), lines: AtomicU64::new(0) }
    }

    /// Asks for one line.
    pub fn line(&self) -> Line {
        self.line_at(self.start.elapsed())
    }

    fn line_at(&self, elapsed: Duration) -> Line {
        let second = elapsed.as_secs();
        let is_first = self.second.swap(second, Ordering::Relaxed) != second;
        let before = if is_first { self.lines.swap(0, Ordering::Relaxed) } else { 0 };
        let so_far = self.lines.fetch_add(1, Ordering::Relaxed);
        if so_far < LINES {
            Line::Write { suppressed: before.saturating_sub(LINES) }
        } else {
            Line::Suppress
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_the_next_tells_what_it_left_out() {
        let rate_limiter = RateLimiter::new();
        let at = |seconds| rate_limiter.line_at(Duration::from_secs_f64(seconds));
        for _ in 0..LINES {
            assert_eq!(at(0.5), Line::Write { suppressed: 0 });
        }
        for _ in 0..7 {
            assert_eq!(at(0.9), Line::Suppress);
        }
        assert_eq!(at(3.0), Line::Write { suppressed: 7 });
        assert_eq!(at(3.1), Line::Write { suppressed: 0 });
        assert_eq!(at(4.0), Line::Write { suppressed: 0 });
    }
}
