//! Regions: changed cells that touch each other.

use serde::Serialize;

use super::distances::Distances;
use super::kind::{Grey, Kind};
use super::outline::outline;
use crate::preprocessing::{Photograph, Point};
use crate::score::Threshold;

/// The share of the threshold that the cells around a changed one must exceed to belong to its region.
const EXTENT: f64 = 0.75;

/// Changed cells that touch each other, also at their corners.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Region {
    /// The smallest rectangle that contains it: left, top, width, height, in pixels of the second image.
    #[serde(rename = "box")]
    pub bounds: [f64; 4],
    /// Its outline without holes, clockwise, in pixels of the second image. If its cells touch only at corners, the outline
    /// passes through these corners.
    pub polygon: Vec<[f64; 2]>,
    /// The area of its cells, in pixels of the second image.
    pub area: f64,
    /// The distances of its cells.
    pub distance: RegionDistance,
    /// What happened there, where it can be told.
    pub kind: Kind,
    /// The indices of its cells, row by row.
    #[serde(skip)]
    pub cells: Vec<usize>,
}

/// The distances of the cells of a region.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegionDistance {
    /// Their mean.
    pub mean: f64,
    /// That of the most different cell.
    pub greatest: f64,
}

impl Region {
    /// The same region in an image whose sides are this many times longer.
    #[must_use]
    pub fn enlarged(self, [across, down]: [f64; 2]) -> Self {
        let [left, top, width, height] = self.bounds;
        Self {
            bounds: [left * across, top * down, width * across, height * down],
            polygon: self.polygon.into_iter().map(|[x, y]| [x * across, y * down]).collect(),
            area: self.area * across * down,
            ..self
        }
    }
}

impl Distances {
    /// The regions above a threshold, the most different first. `images` are those that were compared.
    ///
    /// # Panics
    ///
    /// If the images differ in size.
    pub fn regions(&self, threshold: Threshold, images: [&Photograph; 2]) -> Vec<Region> {
        let groups = self.groups(threshold);
        if groups.is_empty() {
            return Vec::new();
        }
        let layout = self.layout();
        let size = images[1].size().map(f64::from);
        let grey = Grey::of(images);
        let regions = groups.into_iter().map(|cells| {
            let kind = grey.kind(&cells, &layout);
            self.region(cells, kind, size)
        });
        let mut regions: Vec<Region> = regions.collect();
        regions.sort_by(|one, other| other.distance.greatest.total_cmp(&one.distance.greatest));
        regions
    }

    /// The cells of each region: connected cells of which one is above the threshold, and all are above three quarters of it.
    pub fn groups(&self, threshold: Threshold) -> Vec<Vec<usize>> {
        let above = |share: f64| {
            let threshold = share * threshold.get();
            move |index: usize| threshold < f64::from(self.values()[index])
        };
        let (is_peak, is_part) = (above(1.0), above(EXTENT));
        let columns = self.layout().columns;
        let mut is_open: Vec<bool> = (0..self.values().len()).map(is_part).collect();
        let mut groups = Vec::new();
        for index in 0..is_open.len() {
            if is_open[index] {
                groups.push(connected(index, columns, &mut is_open));
            }
        }
        groups.retain(|cells| cells.iter().copied().any(&is_peak));
        groups
    }

    fn region(&self, cells: Vec<usize>, kind: Kind, [width, height]: Point) -> Region {
        let layout = self.layout();
        let place = |column: usize, row: usize| {
            let [x, y] = [column, row].map(|cells| float(cells) * layout.cell);
            [x.min(width), y.min(height)]
        };
        let mut bounds = [f64::INFINITY, f64::INFINITY, 0.0, 0.0];
        let (mut area, mut sum, mut greatest) = (0.0, 0.0, 0.0_f64);
        for index in &cells {
            let (row, column) = (index / layout.columns, index % layout.columns);
            let [[left, top], [right, bottom]] = [place(column, row), place(column + 1, row + 1)];
            bounds = [
                bounds[0].min(left),
                bounds[1].min(top),
                bounds[2].max(right),
                bounds[3].max(bottom),
            ];
            area += (right - left) * (bottom - top);
            let distance = f64::from(self.values()[*index]);
            sum += distance;
            greatest = greatest.max(distance);
        }
        let [left, top, right, bottom] = bounds;
        let corners = outline(&cells, layout.columns);
        Region {
            bounds: [left, top, right - left, bottom - top],
            polygon: corners.into_iter().map(|[column, row]| place(column, row)).collect(),
            area,
            distance: RegionDistance { mean: sum / float(cells.len()), greatest },
            kind,
            cells,
        }
    }
}

/// Closes the place at an index and all open places connected with it, also at corners, and returns them in order. Places
/// are row by row.
///
/// # Panics
///
/// If there is no such place, or there are no columns.
pub fn connected(first: usize, columns: usize, is_open: &mut [bool]) -> Vec<usize> {
    let rows = is_open.len() / columns;
    let mut found = vec![first];
    is_open[first] = false;
    let mut next = 0;
    while let Some(index) = found.get(next) {
        let (row, column) = (index / columns, index % columns);
        for row in row.saturating_sub(1)..(row + 2).min(rows) {
            for column in column.saturating_sub(1)..(column + 2).min(columns) {
                let index = row * columns + column;
                if std::mem::take(&mut is_open[index]) {
                    found.push(index);
                }
            }
        }
        next += 1;
    }
    found.sort_unstable();
    found
}

/// A number of cells.
fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("an image has at most as many cells as pixels"))
}
