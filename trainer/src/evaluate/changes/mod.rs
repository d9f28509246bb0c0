//! Change detection by place: lists that tell where the second image of a pair differs from the first.
//!
//! The core aligns the images of a pair and computes the distances of their cells, as it does for the server. The list
//! gives the [`Truth`](crate::data::Truth). What a threshold finds is compared with it by cell, by box and by region.

mod calibrate;
mod detection;
mod evaluation;
mod measured;
mod pictures;
mod prepared;
mod unchanged;

pub use calibrate::{
    CalibrateChangesError, CalibratedChanges, ChangeCalibrationRequest, DEFAULT_FNMR_IMAGES,
};
pub use detection::Detection;
pub use evaluation::{AtThreshold, ChangeEvaluation, WithInterval};
pub use measured::{MeasureError, MeasuredChanges, MeasuredPair, Measuring, OneKindOfCells};
pub use pictures::Pictures;
pub use prepared::ModelFailed;
pub use unchanged::UnchangedImages;
