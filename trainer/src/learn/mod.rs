//! The training loop.

mod batch;
mod cells;
mod checkpoint;
mod choice;
mod examples;
pub mod history;
pub mod loss;
mod measure;
mod progress;
mod tensorboard;
mod train;
mod trainee;
mod whitening;

pub use batch::Batch;
pub use cells::{Tiles, TilesError};
pub use checkpoint::{Best, RunFolder, State};
pub use choice::{Candidate, Choice, InputChoice, MAX_IMAGES};
pub use examples::Examples;
pub use history::History;
pub use measure::{NotFinite, embed, measure};
pub use tensorboard::Events;
pub use train::{Trained, train};
pub use trainee::{Learning, Trainee};
pub use whitening::{Labels, Layer};
