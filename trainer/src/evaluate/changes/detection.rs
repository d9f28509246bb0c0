//! What a threshold finds: boxes that are found, and regions that are false.

use std::ops::{AddAssign, Mul};

use siamese_core::changes::Layout;
use siamese_core::preprocessing::Point;
use siamese_core::score::Threshold;

use super::MeasuredPair;
use crate::data::Corners;
use crate::statistics::{real, real64};

/// How far from a box a region may be and still belong to it, in pixels of the photographs.
const SLACK: f64 = 8.0;

/// What a threshold finds in some pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// The boxes that have changed.
    pub boxes: u64,
    /// Those of them that a cell of a region intersects.
    pub found: u64,
    /// The regions.
    pub regions: u64,
    /// Those of them without a cell that intersects a box enlarged by 8 pixels.
    pub false_regions: u64,
    /// The pairs in which nothing has changed.
    pub unchanged_pairs: u64,
    /// The regions in these.
    pub regions_in_unchanged: u64,
    /// Those of the unchanged pairs that have a region.
    pub alarmed_pairs: u64,
}

impl Detection {
    /// Returns the share of boxes that are found; `None` without a box.
    pub fn recall(&self) -> Option<f64> {
        share(self.found, self.boxes)
    }

    /// Returns the share of regions that are not false; `None` without a region.
    pub fn precision(&self) -> Option<f64> {
        share(self.regions - self.false_regions, self.regions)
    }

    /// Returns the number of regions in an unchanged pair, on average; `None` without such a pair.
    pub fn false_per_unchanged(&self) -> Option<f64> {
        share(self.regions_in_unchanged, self.unchanged_pairs)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (0 < whole).then(|| real64(part) / real64(whole))
}

impl AddAssign for Detection {
    fn add_assign(&mut self, other: Self) {
        self.boxes += other.boxes;
        self.found += other.found;
        self.regions += other.regions;
        self.false_regions += other.false_regions;
        self.unchanged_pairs += other.unchanged_pairs;
        self.regions_in_unchanged += other.regions_in_unchanged;
        self.alarmed_pairs += other.alarmed_pairs;
    }
}

/// The same pairs, some times over.
impl Mul<u64> for Detection {
    type Output = Self;

    fn mul(self, copies: u64) -> Self {
        Self {
            boxes: copies * self.boxes,
            found: copies * self.found,
            regions: copies * self.regions,
            false_regions: copies * self.false_regions,
            unchanged_pairs: copies * self.unchanged_pairs,
            regions_in_unchanged: copies * self.regions_in_unchanged,
            alarmed_pairs: copies * self.alarmed_pairs,
        }
    }
}

impl MeasuredPair {
    /// Returns what a threshold finds in the pair.
    pub fn detection(&self, threshold: Threshold) -> Detection {
        let layout = self.distances.layout();
        let regions = self.distances.groups(threshold);
        let meets = |cells: &[usize], [left, top, right, bottom]: Corners| {
            cells.iter().any(|cell| {
                let [x, y] = corner(*cell, layout);
                x < right && left < x + layout.cell && y < bottom && top < y + layout.cell
            })
        };
        let boxes = self.truth.boxes();
        let is_found = |corners: &&Corners| regions.iter().any(|cells| meets(cells, **corners));
        let is_false =
            |cells: &&Vec<usize>| !boxes.iter().any(|corners| meets(cells, enlarged(*corners)));
        let is_unchanged = self.is_unchanged();
        let of_unchanged = |count: usize| if is_unchanged { number(count) } else { 0 };
        Detection {
            boxes: number(boxes.len()),
            found: number(boxes.iter().filter(is_found).count()),
            regions: number(regions.len()),
            false_regions: number(regions.iter().filter(is_false).count()),
            unchanged_pairs: of_unchanged(1),
            regions_in_unchanged: of_unchanged(regions.len()),
            alarmed_pairs: of_unchanged(regions.len().min(1)),
        }
    }
}

/// The upper left corner of a cell, in pixels.
fn corner(cell: usize, layout: Layout) -> Point {
    [cell % layout.columns, cell / layout.columns].map(|place| real(place) * layout.cell)
}

fn enlarged([left, top, right, bottom]: Corners) -> Corners {
    [left - SLACK, top - SLACK, right + SLACK, bottom + SLACK]
}

fn number(count: usize) -> u64 {
    count.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_need_something_to_count() {
        let none = Detection::default();
        assert_eq!(
            (none.recall(), none.precision(), none.false_per_unchanged()),
            (None, None, None)
        );
        let mut some = Detection { boxes: 4, found: 3, regions: 5, false_regions: 1, ..none };
        some += Detection { unchanged_pairs: 2, regions_in_unchanged: 1, ..none } * 2;
        assert_eq!((some.recall(), some.precision()), (Some(0.75), Some(0.8)));
        assert_eq!((some.false_per_unchanged(), some.unchanged_pairs), (Some(0.5), 4));
    }
}
