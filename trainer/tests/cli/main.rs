//! Runs the trainer's program as people do.

mod adopt;
mod bad_data;
mod calibrate;
mod duplicates;
mod evaluate;
mod export;
mod ground;
mod made;
mod report;
mod resume;
mod shipped;
mod train;
