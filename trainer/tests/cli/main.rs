//! Runs the trainer's program as people do.

mod bad_data;
mod calibrate;
mod evaluate;
mod export;
mod ground;
mod made;
mod resume;
mod shipped;
mod train;
