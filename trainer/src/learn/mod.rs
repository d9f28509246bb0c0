//! The loop: batches in, a trained network out.

mod batch;
mod checkpoint;
mod compute;
mod draws;
pub mod history;
mod measure;
mod progress;
mod run;
mod schedule;
mod sparkline;
mod supply;
mod trainee;
mod whitening;

pub use batch::{Batch, Sampling};
pub use checkpoint::{Best, RunFolder, State};
pub use compute::{BuiltWithout, Compute, Unusable};
pub use history::History;
pub use measure::{NotFinite, embed, measure};
pub use run::{Outcome, run};
pub use schedule::Schedule;
pub use trainee::{Learning, Trainee};
pub use whitening::{Layer, Whitening};
