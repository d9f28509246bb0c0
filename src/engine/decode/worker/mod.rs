//! Decoding in processes of its own: what an upload may cost, whatever its decoder does with it.
//!
//! A *worker* is this program again, run as `decode-worker`. It reads an upload from a socket, writes back the
//! [`Planes`](siamese_core::picture::Planes) that a tower reads of it, and waits for the next. Before its first upload it gives
//! up all that it does not need: other descriptors, files, the network, new processes (`confine`). For each upload it
//! has an [`Allowance`] of CPU time and memory, and the system ends a worker that goes beyond it. Whoever waits for a
//! worker ends it by going away. So time, memory and memory errors of any decoder are bounded in one place, and a thread,
//! which nothing can end, is never lost to an upload.
//!
//! The planes come back over the socket and not through shared memory: they have the size of the tower's input, which is
//! some kilobytes, and a copy costs less than two processes that agree on who owns a page. Large uploads are handed over in
//! a file in memory, which takes one turn where a socket takes many.
//!
//! Knows preprocessing; no tower, no queue and no HTTP.

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
