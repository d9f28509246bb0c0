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
    /// A cell is larger than the image.
    #[error("cells can be at most {most:.0} pixels wide for these images")]
    CellTooLarge {
        /// The longest side of the image.
        most: f64,
    },
    /// The images differ in size, and no alignment is wanted.
    #[error(
        "the first image has {}x{} pixels and the second {}x{}: without an alignment, both must have one size",
        before[0], before[1], after[0], after[1]
    )]
    SizesDiffer {
        /// Columns and rows of the first image.
        before: [u32; 2],
        /// Columns and rows of the second image.
        after: [u32; 2],
    },
    /// All pixels are ignored, or the images do not overlap.
    #[error(
        "nothing is left to compare: all of the image is ignored, or less than a tenth of it is inside the other image"
    )]
    Nothing,
}
