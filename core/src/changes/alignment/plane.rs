//! A plane of numbers.

use crate::preprocessing::Point;

/// Numbers `[height, width]`, row by row. Both sides are at least 1.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

impl Plane {
    pub(super) fn at(&self, column: usize, row: usize) -> f32 {
        self.values[row * self.width + column]
    }

    pub(super) fn size(&self) -> [f64; 2] {
        [self.width as f64, self.height as f64]
    }

    /// The value at a place, by bilinear interpolation: the centre of the first pixel is `[0.5, 0.5]`. `None` beyond the
    /// plane.
    pub(super) fn sample(&self, [x, y]: Point) -> Option<f32> {
        let [width, height] = self.size();
        if !(0.0 <= x && x <= width && 0.0 <= y && y <= height) {
            return None;
        }
        let [x, y] = [(x - 0.5).clamp(0.0, width - 1.0), (y - 0.5).clamp(0.0, height - 1.0)];
        let [column, row] = [x as usize, y as usize];
        let [right, below] = [x - column as f64, y - row as f64].map(|part| part as f32);
        let next_column = (column + 1).min(self.width - 1);
        let next_row = (row + 1).min(self.height - 1);
        let line = |row| self.at(column, row) * (1.0 - right) + self.at(next_column, row) * right;
        Some(line(row) * (1.0 - below) + line(next_row) * below)
    }

    /// The slopes along columns and rows at a pixel that is not at the edge.
    pub(super) fn slopes(&self, column: usize, row: usize) -> [f32; 2] {
        [
            (self.at(column + 1, row) - self.at(column - 1, row)) / 2.0,
            (self.at(column, row + 1) - self.at(column, row - 1)) / 2.0,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_lies_between_its_neighbours() {
        let plane = Plane { width: 2, height: 2, values: vec![0.0, 1.0, 2.0, 5.0] };
        for (place, expected) in [
            ([0.5, 0.5], Some(0.0)),
            ([1.0, 1.0], Some(2.0)),
            ([0.0, 0.0], Some(0.0)),
            ([2.0, 2.0], Some(5.0)),
            ([2.1, 1.0], None),
            ([f64::NAN, 1.0], None),
        ] {
            assert_eq!(plane.sample(place), expected, "{place:?}");
        }
    }
}
