//! Why two images can't be compared place by place.

use thiserror::Error;

/// Why two images can't be compared place by place.
#[derive(Clone, Debug, Error)]
pub enum NotCompared {
    /// The images can't be aligned.
    #[error(
        "the images could not be aligned (confidence {confidence:.2}): they may show different scenes; send images of one \
         scene, or set align=none"
    )]
    NotAligned {
        /// How certain the best alignment is, 0 to 1.
        confidence: f64,
    },
    /// The cells are smaller than the model can see, or too many.
    #[error("cells must be at least {least:.0} pixels wide for these images and this model")]
    CellTooSmall {
        /// The least side of a cell.
        least: f64,
    },
    /// All pixels are ignored, or the images do not overlap.
    #[error("nothing is left to compare: all of the image is ignored, or outside the other image")]
    Nothing,
}
