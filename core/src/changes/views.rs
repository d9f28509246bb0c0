//! From an overlay to the images that a model sees.

use super::overlay::Overlay;
use crate::preprocessing::Photograph;

impl Overlay {
    /// Both photographs. Where the earlier one does not reach, it has the pixels of the later one, so that a model sees no
    /// difference there.
    ///
    /// # Panics
    ///
    /// If the sides are longer than those of a photograph.
    pub fn photographs(self) -> [Photograph; 2] {
        let Self { size, mut before, after, covered, .. } = self;
        let area = covered.len();
        for (before, after) in before.chunks_exact_mut(area).zip(after.chunks_exact(area)) {
            let pixels = before.iter_mut().zip(after).zip(&covered);
            for ((before, after), _) in pixels.filter(|(_, is_covered)| !**is_covered) {
                *before = *after;
            }
        }
        let size = size
            .map(|side| u32::try_from(side).expect("a photograph has at most 2080 pixels a side"));
        [before, after].map(|planes| Photograph::of_planes(planes, size))
    }
}
