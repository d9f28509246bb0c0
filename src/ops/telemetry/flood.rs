//! How much the log says of what strangers bring about: who floods the service with it must not flood the log too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lines in a second; others are counted, and told of by a line of their own.
const LINES: u64 = 50;

/// Lets so many lines a second into the log. Counts that many threads touch at once may be off by a few.
pub struct Flood {
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
        left_out: u64,
    },
    /// It is left out.
    LeaveOut,
}

impl Default for Flood {
    fn default() -> Self {
        Self::new()
    }
}

impl Flood {
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
            Line::Write { left_out: before.saturating_sub(LINES) }
        } else {
            Line::LeaveOut
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_the_next_tells_what_it_left_out() {
        let flood = Flood::new();
        let at = |seconds| flood.line_at(Duration::from_secs_f64(seconds));
        for _ in 0..LINES {
            assert_eq!(at(0.5), Line::Write { left_out: 0 });
        }
        for _ in 0..7 {
            assert_eq!(at(0.9), Line::LeaveOut);
        }
        assert_eq!(at(3.0), Line::Write { left_out: 7 });
        assert_eq!(at(3.1), Line::Write { left_out: 0 });
        assert_eq!(at(4.0), Line::Write { left_out: 0 });
    }
}
