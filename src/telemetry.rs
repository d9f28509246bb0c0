//! The log. Nobody's picture or embedding ever stands in it, and nobody's text can break a line of it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::panic;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use siamese_core::picture;
use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a terminal.
    Text,
    /// For machines.
    Json,
}

/// Starts logging to standard error; what is logged is set by `RUST_LOG`, by default from `level` up.
pub fn start(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // It would be told on standard error, which is what has failed: and panic there.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        // The one span is the request's: a list of spans would tell it twice.
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    log_panics();
}

/// Makes a panic one line of the log, with the request's id where it is in a request: the standard words on it are
/// several lines, and no JSON.
fn log_panics() {
    let standard = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if picture::catches(panic) {
            return;
        }
        if !tracing::enabled!(tracing::Level::ERROR) {
            return standard(panic);
        }
        let said = panic.payload_as_str().unwrap_or("no word of why");
        let at = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::capture();
        let backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(said, at, backtrace, thread = thread::current().name(), "a panic");
    }));
}

/// A time as a line of the log has it: a number, where the standard library's own would be written as text.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
