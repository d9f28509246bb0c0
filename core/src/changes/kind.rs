//! What happened in a region: something was added, removed or altered.

use serde::Serialize;

use super::distances::Layout;
use crate::preprocessing::{Colour, Photograph};

/// What happened in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ChangeKind))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The second image has detail where the first is plain.
    Added,
    /// The first image has detail where the second is plain.
    Removed,
    /// Both have detail, or both are plain.
    Altered,
}

impl Kind {
    /// `added`, `removed` or `altered`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Altered => "altered",
        }
    }
}

/// Two images of one size, in grey.
pub(super) struct Grey {
    size: [usize; 2],
    planes: [Vec<u8>; 2],
}

/// How many times more detail an image must have where something was added to it.
const MORE: f64 = 3.0;

/// The standard deviation of plain pixels, in 255ths: that of noise and of a compressed image.
const PLAIN: f64 = 4.0;

impl Grey {
    pub(super) fn of(images: [&Photograph; 2]) -> Self {
        let [width, height] = images[0].size().map(|side| side as usize);
        Self {
            size: [width, height],
            planes: images.map(|image| image.planes(image.size(), Colour::Grey)),
        }
    }

    /// What happened in some cells of a layout. Detail is the standard deviation of their pixels.
    pub(super) fn kind(&self, cells: &[usize], layout: &Layout) -> Kind {
        let [before, after] =
            self.planes.each_ref().map(|plane| self.deviation(plane, cells, layout) + PLAIN);
        if MORE * before <= after {
            Kind::Added
        } else if MORE * after <= before {
            Kind::Removed
        } else {
            Kind::Altered
        }
    }

    fn deviation(&self, plane: &[u8], cells: &[usize], layout: &Layout) -> f64 {
        let [width, height] = self.size;
        let (mut count, mut sum, mut squares) = (0_u64, 0_u64, 0_u64);
        for cell in cells {
            let [rows, columns] = [(cell / layout.columns, height), (cell % layout.columns, width)]
                .map(|(place, length)| layout.pixels(place, length));
            for row in rows {
                for byte in &plane[row * width..][columns.clone()] {
                    let value = u64::from(*byte);
                    (count, sum, squares) = (count + 1, sum + value, squares + value * value);
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "sums over an image are below 2^53")]
        let [count, sum, squares] = [count.max(1), sum, squares].map(|number| number as f64);
        (squares / count - (sum / count).powi(2)).max(0.0).sqrt()
    }
}
