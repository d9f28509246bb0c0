//! Operations: settings, the log, traces, keys and shutdown.

pub mod blocking;
pub mod keys;
pub mod npy;
pub mod settings;
pub mod stop;
pub mod telemetry;
pub mod traces;
