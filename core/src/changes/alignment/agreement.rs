//! How well two images agree after a transform, tile by tile.

use super::plane::Plane;
use super::transform::Transform;

/// The variance of a relief that counts as full detail.
const DETAILED: f64 = 0.15;

/// The detail that must be seen, in tiles. With less, the agreement may be chance.
const ENOUGH: f64 = 6.0;

/// How well tiles of `after` agree with `before`.
pub(super) struct Agreement {
    /// All tiles in order. `None` where `before` covers less than a half.
    tiles: Vec<Option<Tile>>,
}

#[derive(Clone, Copy)]
struct Tile {
    /// How much there is to see in either image, from 0 to 1.
    detail: f64,
    /// From -1 to 1.
    correlation: f64,
}

impl Agreement {
    /// Compares two reliefs. `transform` maps `after` to `before`.
    pub(super) fn of(before: &Plane, after: &Plane, transform: &Transform) -> Self {
        let side = (after.width.min(after.height) / 8).clamp(8, 32);
        let rows = (0..after.height).step_by(side);
        let tiles = rows.flat_map(|row| {
            let columns = (0..after.width).step_by(side);
            columns.map(move |column| Tile::of(before, after, transform, [column, row], side))
        });
        Self { tiles: tiles.collect() }
    }

    /// The mean correlation of all detail, from 0 to 1.
    pub(super) fn mean(&self) -> f64 {
        self.over_detail(|correlation| correlation.max(0.0))
    }

    /// The share of the detail that agrees, from 0 to 1. Noise lowers a correlation, but hardly this share.
    pub(super) fn share(&self) -> f64 {
        self.over_detail(|correlation| ((correlation - 0.2) / 0.4).clamp(0.0, 1.0))
    }

    /// How much more the tiles agree than those of another transform, in standard errors of the mean.
    pub(super) fn gain(&self, other: &Self) -> f64 {
        let both = self.tiles.iter().zip(&other.tiles);
        let differences = both.filter_map(|(one, other)| {
            let [one, other] = [(*one)?, (*other)?];
            let difference = one.correlation.max(0.0) - other.correlation.max(0.0);
            Some((one.detail.max(other.detail), difference))
        });
        let (mut weights, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for (weight, difference) in differences {
            weights += weight;
            sum += weight * difference;
            squares += weight * difference * difference;
        }
        if weights < ENOUGH {
            return 0.0;
        }
        let mean: f64 = sum / weights;
        let variance = (squares / weights - mean * mean).max(1e-9);
        mean / (variance / weights).sqrt()
    }

    fn over_detail(&self, value: impl Fn(f64) -> f64) -> f64 {
        let (mut sum, mut details) = (0.0, 0.0);
        for tile in self.tiles.iter().flatten() {
            sum += tile.detail * value(tile.correlation);
            details += tile.detail;
        }
        sum / details.max(ENOUGH)
    }
}

impl Tile {
    /// The tile with this first column and row.
    fn of(
        before: &Plane,
        after: &Plane,
        transform: &Transform,
        [left, top]: [usize; 2],
        side: usize,
    ) -> Option<Self> {
        let columns = left..(left + side).min(after.width);
        let rows = top..(top + side).min(after.height);
        let area = columns.len() * rows.len();
        let mut sums = Sums::default();
        for row in rows {
            for column in columns.clone() {
                let place = transform.apply([column as f64 + 0.5, row as f64 + 0.5]);
                if let Some(there) = before.sample(place) {
                    sums.add(f64::from(after.at(column, row)), f64::from(there));
                }
            }
        }
        (area as f64 <= 2.0 * sums.count).then(|| sums.tile())
    }
}

#[derive(Default)]
struct Sums {
    count: f64,
    here: f64,
    there: f64,
    here_square: f64,
    there_square: f64,
    product: f64,
}

impl Sums {
    fn add(&mut self, here: f64, there: f64) {
        self.count += 1.0;
        self.here += here;
        self.there += there;
        self.here_square += here * here;
        self.there_square += there * there;
        self.product += here * there;
    }

    fn tile(&self) -> Tile {
        /// Far less than the variance of visible detail.
        const FLAT: f64 = 0.01;
        let [here, there] = [self.here, self.there].map(|sum| sum / self.count);
        let here_variance = (self.here_square / self.count - here * here).max(0.0);
        let there_variance = (self.there_square / self.count - there * there).max(0.0);
        let covariance = self.product / self.count - here * there;
        Tile {
            detail: (here_variance.max(there_variance) / DETAILED).min(1.0),
            correlation: covariance / ((here_variance * there_variance).sqrt() + FLAT),
        }
    }
}
