//! Decodes uploads in worker processes, which limits the cost of any upload and any decoder.
//!
//! A *worker* is this program, run as `decode-worker`. It reads an upload from a socket, returns the
//! [`Decoded`](siamese_core::preprocessing::Decoded) of it, and waits for the next. Before its first upload it gives up
//! everything that it does not need: other descriptors, files, the network, new processes (`confine`). For each upload
//! it has an [`Allowance`] of CPU time and memory. The system ends a worker that exceeds it. If a caller stops
//! waiting, its worker is ended too. Time, memory and memory errors of all decoders are bounded in one place. A
//! thread, which nothing can end, is never lost to an upload.
//!
//! The planes return over the socket, not through shared memory. They have the size of the model's input, some
//! kilobytes, and a copy is cheaper than an agreement about shared pages. Large uploads are passed in a file in
//! memory, which takes one step instead of many writes to a socket.
//!
//! This module knows preprocessing, but no model, no queue and no HTTP.

mod allowance;
mod confine;
mod filter;
mod message;
mod pool;
mod process;

pub use allowance::Allowance;
pub(crate) use pool::COMMAND;
pub use pool::{End, Event, Pool, this_program};
pub use process::run;
