//! `siamese-trainer train`: from pictures to a tower's file.

mod check;
mod command;

pub use command::Train;
