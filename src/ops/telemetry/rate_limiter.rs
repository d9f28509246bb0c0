//! Limits the log lines that clients can cause: a flood of requests must not become a flood of lines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The most lines in a second. Further lines are counted and reported later.
const LINES: u64 = 50;

/// Limits log lines per second. With concurrent threads, the counts may be off by a few.
pub struct RateLimiter {
    start: Instant,
    /// The current second, counted from the start.
    second: AtomicU64,
    lines: AtomicU64,
}

/// Whether a line may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It may be written.
    Write {
        /// Lines suppressed since the last one.
        suppressed: u64,
    },
    /// It is suppressed.
    Suppress,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl RateLimiter {
    /// Creates a limiter whose first second begins now.
    pub fn new() -> Self {
        Self { start: Instant::now(), second: AtomicU64::new(0), lines: AtomicU64::new(0) }
    }

    /// Requests permission for one line.
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
    fn each_second_has_a_limit_and_the_next_reports_suppressed_lines() {
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
