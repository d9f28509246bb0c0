//! Tests of the trainer's command line.

mod adopt;
mod backbone;
mod bad_data;
mod calibrate;
mod cells;
mod changed_places;
mod changes;
mod choices;
mod duplicates;
mod each_image;
mod evaluate;
mod export;
mod ground;
mod labelled;
mod lists;
mod made;
mod manual;
#[path = "../../../tests/networks/mod.rs"]
mod networks;
mod outputs;
mod report;
mod resume;
mod shipped;
mod splits;
mod train;
#[path = "../../../tests/waits/mod.rs"]
mod waits;
