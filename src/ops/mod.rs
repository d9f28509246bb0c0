//! What a program in operation needs beside its work: settings, the log, traces, keys, its stop.

pub mod blocking;
pub mod keys;
pub mod npy;
pub mod settings;
pub mod stop;
pub mod telemetry;
pub mod traces;
