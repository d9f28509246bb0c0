//! What is known of a pair: which cells have changed, and in which boxes.

use siamese_core::changes::{Layout, connected};
use siamese_core::preprocessing::{Colour, Photograph};

use super::area::Area;
use crate::data::Corners;
use crate::statistics::real;

/// By how much a pixel in a box must differ to be a part of the change, of 255, in its most different channel.
const DIFFERENT: u8 = 100;

/// The share of a changed cell that has changed: one tenth.
const PARTS_OF_CELL: usize = 10;

/// What is known of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellTruth {
    /// A tenth of it or more has changed.
    Changed,
    /// It does not touch what has changed.
    Unchanged,
    /// Neither, or it is not compared. It counts for nothing.
    Unknown,
}

/// What is known of a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Row by row.
    cells: Vec<CellTruth>,
    /// Around each change, in pixels of the photograph of the second image; none if the pair is unchanged.
    boxes: Vec<Corners>,
}

/// For each pixel, whether it has changed, and for each cell, whether it touches a change.
struct Found {
    is_changed: Vec<bool>,
    is_touched: Vec<bool>,
    boxes: Vec<Corners>,
}

impl Truth {
    /// Finds the changed cells of a layout. `images` are aligned and have the same light. `is_compared` takes the index of a
    /// cell.
    pub(super) fn of(
        area: Area,
        images: &[Photograph; 2],
        layout: Layout,
        is_compared: impl Fn(usize) -> bool,
    ) -> Self {
        let size = images[1].size().map(|side| side as usize);
        let found = match area {
            Area::Boxes(boxes) => Found::in_boxes(boxes, images, layout),
            Area::Pixels(is_changed) => Found::of_pixels(is_changed, size[0], layout),
        };
        let cells = (0..layout.rows * layout.columns).map(|cell| {
            let pixels = pixels(cell, layout, size);
            let (all, changed) = pixels.fold((0, 0), |(all, changed), pixel| {
                (all + 1, changed + usize::from(found.is_changed[pixel]))
            });
            if !is_compared(cell) || all == 0 {
                CellTruth::Unknown
            } else if all <= PARTS_OF_CELL * changed {
                CellTruth::Changed
            } else if 0 < changed || found.is_touched[cell] {
                CellTruth::Unknown
            } else {
                CellTruth::Unchanged
            }
        });
        Self { cells: cells.collect(), boxes: found.boxes }
    }

    /// Returns what is known of each cell, row by row.
    pub fn cells(&self) -> &[CellTruth] {
        &self.cells
    }

    /// Returns the boxes around what has changed; none if the pair is unchanged.
    pub fn boxes(&self) -> &[Corners] {
        &self.boxes
    }

    /// Returns the indices of the unchanged cells that touch no changed cell, also not at a corner.
    pub fn away_from_changes(&self, columns: usize) -> Vec<usize> {
        let mut is_away: Vec<bool> =
            self.cells.iter().map(|cell| *cell == CellTruth::Unchanged).collect();
        let rows = self.cells.len() / columns;
        let changed = self.cells.iter().enumerate();
        for (cell, _) in changed.filter(|(_, truth)| **truth == CellTruth::Changed) {
            let (row, column) = (cell / columns, cell % columns);
            for row in row.saturating_sub(1)..(row + 2).min(rows) {
                let near = column.saturating_sub(1)..(column + 2).min(columns);
                is_away[row * columns..][near].fill(false);
            }
        }
        (0..is_away.len()).filter(|cell| is_away[*cell]).collect()
    }
}

impl Found {
    /// In each box, the pixels that differ; if there are none, all of it.
    fn in_boxes(boxes: Vec<Corners>, images: &[Photograph; 2], layout: Layout) -> Self {
        let [width, height] = images[1].size().map(|side| side as usize);
        let area = width * height;
        let [before, after] =
            images.each_ref().map(|image| image.planes(image.size(), Colour::Rgb));
        let differs = |pixel: usize| {
            let channels = (pixel..before.len()).step_by(area);
            channels.into_iter().any(|index| DIFFERENT < before[index].abs_diff(after[index]))
        };
        let mut is_changed = vec![false; area];
        let mut is_touched = vec![false; layout.rows * layout.columns];
        for [left, top, right, bottom] in &boxes {
            let columns = within(*left, *right, width);
            let rows = within(*top, *bottom, height);
            let inside =
                rows.flat_map(|row| columns.clone().map(move |column| row * width + column));
            let different: Vec<usize> = inside.clone().filter(|pixel| differs(*pixel)).collect();
            let mut change = |pixel: usize| is_changed[pixel] = true;
            if different.is_empty() {
                inside.for_each(&mut change);
            } else {
                different.into_iter().for_each(&mut change);
            }
            let cell = layout.cell;
            let columns = within(left / cell, right / cell, layout.columns);
            for row in within(top / cell, bottom / cell, layout.rows) {
                is_touched[row * layout.columns..][columns.clone()].fill(true);
            }
        }
        Self { is_changed, is_touched, boxes }
    }

    /// These pixels, with a box around each connected group of them.
    fn of_pixels(is_changed: Vec<bool>, width: usize, layout: Layout) -> Self {
        let mut is_open = is_changed.clone();
        let mut boxes = Vec::new();
        for pixel in 0..is_open.len() {
            if is_open[pixel] {
                boxes.push(around(&connected(pixel, width, &mut is_open), width));
            }
        }
        let is_touched = vec![false; layout.rows * layout.columns];
        Self { is_changed, is_touched, boxes }
    }
}

/// The pixels of a cell, as indices.
fn pixels(cell: usize, layout: Layout, [width, height]: [usize; 2]) -> impl Iterator<Item = usize> {
    let columns = layout.pixels(cell % layout.columns, width);
    let rows = layout.pixels(cell / layout.columns, height);
    rows.flat_map(move |row| columns.clone().map(move |column| row * width + column))
}

/// The whole units that a range touches.
fn within(start: f64, end: f64, length: usize) -> std::ops::Range<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let [first, end] =
        [start.floor(), end.ceil()].map(|place| (place.max(0.0) as usize).min(length));
    first..end.max(first)
}

/// The box around some pixels.
fn around(pixels: &[usize], width: usize) -> Corners {
    let mut corners = [f64::INFINITY, f64::INFINITY, 0.0, 0.0];
    for pixel in pixels {
        let [x, y] = [pixel % width, pixel / width].map(real);
        corners = [
            corners[0].min(x),
            corners[1].min(y),
            corners[2].max(x + 1.0),
            corners[3].max(y + 1.0),
        ];
    }
    corners
}

#[cfg(test)]
mod tests {
    use super::CellTruth::{Changed, Unchanged, Unknown};
    use super::*;

    /// 12 by 8 pixels in cells of 4: two rows of three.
    const LAYOUT: Layout = Layout { rows: 2, columns: 3, cell: 4.0 };

    fn images(changed: &[usize]) -> [Photograph; 2] {
        let mut after = vec![50; 96];
        for pixel in changed {
            after[*pixel] = 151;
        }
        [vec![50; 96], after].map(|planes| Photograph::of_planes(planes, [12, 8]))
    }

    fn truth(area: Area, changed: &[usize]) -> Truth {
        Truth::of(area, &images(changed), LAYOUT, |cell| cell != 5)
    }

    #[test]
    fn a_cell_has_changed_if_a_tenth_of_it_differs_inside_a_box() {
        // Two pixels of the first cell differ, one of the second, and one outside the box.
        let area = Area::Boxes(vec![[2.0, 0.0, 5.0, 2.0]]);
        let truth = truth(area, &[2, 3, 4, 60]);
        let unchanged = Unchanged;
        assert_eq!(truth.cells(), [Changed, Unknown, unchanged, unchanged, unchanged, Unknown]);
        assert_eq!(truth.boxes(), [[2.0, 0.0, 5.0, 2.0]]);
        assert_eq!(truth.away_from_changes(3), [2]);
    }

    #[test]
    fn a_box_without_a_difference_has_changed_as_a_whole() {
        let truth = truth(Area::Boxes(vec![[2.0, 0.0, 5.0, 2.0]]), &[60]);
        assert_eq!(truth.cells()[..3], [Changed, Changed, Unchanged]);
    }

    #[test]
    fn an_unchanged_pair_has_only_unchanged_cells() {
        let truth = truth(Area::Boxes(Vec::new()), &[2]);
        assert_eq!(truth.cells()[..5], [Unchanged; 5]);
        assert!(truth.boxes().is_empty());
    }

    #[test]
    fn a_mask_gives_a_box_around_each_group_of_its_pixels() {
        let mut pixels = vec![false; 96];
        // A group of three that touch at corners, and one pixel.
        for pixel in [0, 13, 14, 11] {
            pixels[pixel] = true;
        }
        let truth = truth(Area::Pixels(pixels), &[]);
        assert_eq!(truth.boxes(), [[0.0, 0.0, 3.0, 2.0], [11.0, 0.0, 12.0, 1.0]]);
        assert_eq!(truth.cells()[..4], [Changed, Unchanged, Unknown, Unchanged]);
    }
}
