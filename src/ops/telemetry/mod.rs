//! The log. It never contains an image or an embedding, and no client's text can break a line.

mod queue;
mod rate_limiter;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use siamese_core::preprocessing;
use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

pub use queue::{DropReports, Rest, dropped_lines, say_last};
pub use rate_limiter::{Line, RateLimiter};

use queue::Queue;

/// The most characters of a log text that comes from a client, or from a library's message about its data.
const TEXT: usize = 500;

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// For a terminal.
    Text,
    /// For machines.
    Json,
}

/// Which requests are logged at the level `info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LoggedRequests {
    /// Those that failed or were refused, within the limit of the rate limiter.
    Failures,
    /// Every request.
    All,
}

/// The text names no [`LoggedRequests`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the logged requests are `failures` or `all`")]
pub struct UnknownRequests;

/// The text names no [`LogFormat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a log format is `text` or `json`")]
pub struct UnknownFormat;

impl TryFrom<String> for LogFormat {
    type Error = UnknownFormat;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat),
        }
    }
}

impl TryFrom<String> for LoggedRequests {
    type Error = UnknownRequests;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "failures" => Ok(Self::Failures),
            "all" => Ok(Self::All),
            _ => Err(UnknownRequests),
        }
    }
}

/// Logs to standard error, for a command. `RUST_LOG` selects what is logged; the default is `level` and above.
pub fn start(format: LogFormat, level: &str) {
    log_to(std::io::stderr, format, level);
    let standard = panic::take_hook();
    log_panics(standard);
}

/// The same for a server, which must not wait for the log's reader: see [`dropped_lines`].
pub fn start_queued(format: LogFormat, level: &str) -> Rest {
    let (queue, rest) = Queue::start();
    log_to(queue.clone(), format, level);
    log_panics(move |panic| {
        // Not by the standard hook, which would wait for the log's reader.
        let line = format!("siamese: a panic: {}\n", one_line(panic_text(panic)));
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
        // Errors of the log would be written to standard error, which is what failed, and would panic.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        // The request's span is the only one; a list of spans would repeat it.
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}

/// Logs a panic as one line, with the request's id if there is one. The standard message has several lines and is not
/// JSON. If the log's level excludes errors, `otherwise` is called.
fn log_panics(otherwise: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static) {
    let rate_limiter = RateLimiter::new();
    panic::set_hook(Box::new(move |panic| {
        // A decoder's panic is logged with its request.
        if preprocessing::catches(panic) {
            return;
        }
        let Line::Write { suppressed } = rate_limiter.line() else { return };
        if !tracing::enabled!(tracing::Level::ERROR) {
            return otherwise(panic);
        }
        if 0 < suppressed {
            tracing::warn!(suppressed, "panics exceeded the rate limit of the log");
        }
        let at = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::capture();
        let backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        let cause = bounded(panic_text(panic));
        tracing::error!(cause, at, backtrace, thread = thread::current().name(), "a panic");
    }));
}

fn panic_text<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    panic.payload_as_str().unwrap_or("no message")
}

/// The beginning of a text, up to the limit of a log line.
pub fn bounded(text: &str) -> &str {
    text.char_indices().nth(TEXT).map_or(text, |(end, _)| &text[..end])
}

fn one_line(text: &str) -> String {
    bounded(text)
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}

/// A duration in milliseconds for the log. The standard library's type would be logged as text.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_text_is_shortened() {
        assert_eq!(bounded("short"), "short");
        assert_eq!(bounded(&"é".repeat(TEXT)), "é".repeat(TEXT));
        assert_eq!(bounded(&"é".repeat(TEXT + 1)), "é".repeat(TEXT));
        assert_eq!(one_line("a\nb"), "a b");
    }
}
