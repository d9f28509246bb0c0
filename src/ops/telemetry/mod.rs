//! The log. Nobody's picture or embedding ever stands in it, and nobody's text can break a line of it.

mod flood;
mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use siamese_core::picture;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

pub use flood::{Flood, Line};
pub use queue::{Rest, dropped_lines, say_last};

use queue::Queue;

/// The most characters of a text in the log that is made of what a client sent, or of a library's words on it.
const TEXT: usize = 500;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a terminal.
    Text,
    /// For machines.
    Json,
}

/// Starts logging to standard error, where a command's user reads it; what is logged is set by `RUST_LOG`, by default from
/// `level` up.
pub fn start(format: LogFormat, level: &str) {
    log_to(std::io::stderr, format, level);
    let standard = panic::take_hook();
    log_panics(standard);
}

/// The same for a server, which goes on where nobody reads its log: see [`dropped_lines`].
pub fn start_queued(format: LogFormat, level: &str) -> Rest {
    let (queue, rest) = Queue::start();
    log_to(queue.clone(), format, level);
    log_panics(move |panic| {
        // Not by the standard hook, which waits for whoever reads the log.
        let line = format!("siamese: a panic: {}\n", one_line(said(panic)));
        let _ = queue.make_writer().write_all(line.as_bytes());
    });
    rest
}

fn log_to<W>(writer: W, format: LogFormat, level: &str)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // It would be told on standard error, which is what has failed: and panic there.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        // The one span is the request's: a list of spans would tell it twice.
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}

/// Makes a panic one line of the log, with the request's id where it is in a request: the standard words on it are
/// several lines, and no JSON. Where the log leaves errors out, it is told `otherwise`.
fn log_panics(otherwise: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static) {
    let flood = Flood::new();
    panic::set_hook(Box::new(move |panic| {
        // A decoder's is told with its request.
        if picture::catches(panic) {
            return;
        }
        let Line::Write { left_out } = flood.line() else { return };
        if !tracing::enabled!(tracing::Level::ERROR) {
            return otherwise(panic);
        }
        if 0 < left_out {
            tracing::warn!(left_out, "panics came faster than the log has lines for");
        }
        let at = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::capture();
        let backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        let said = bounded(said(panic));
        tracing::error!(said, at, backtrace, thread = thread::current().name(), "a panic");
    }));
}

fn said<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    panic.payload_as_str().unwrap_or("no word of why")
}

/// A text as far as a line of the log has room for it.
pub fn bounded(text: &str) -> &str {
    text.char_indices().nth(TEXT).map_or(text, |(end, _)| &text[..end])
}

fn one_line(text: &str) -> String {
    bounded(text).chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// A time as a line of the log has it: a number, where the standard library's own would be written as text.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_has_its_limit() {
        assert_eq!(bounded("short"), "short");
        assert_eq!(bounded(&"é".repeat(TEXT)), "é".repeat(TEXT));
        assert_eq!(bounded(&"é".repeat(TEXT + 1)), "é".repeat(TEXT));
        assert_eq!(one_line("a\nb"), "a b");
    }
}
