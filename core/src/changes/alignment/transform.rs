//! Affine transforms of the plane.

use crate::preprocessing::Point;

/// Maps `[x, y, 1]` by a matrix of two rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::changes) struct Transform(pub(in crate::changes) [[f64; 3]; 2]);

impl Transform {
    pub(super) const IDENTITY: Self = Self::shift([0.0, 0.0]);

    pub(super) const fn shift([x, y]: Point) -> Self {
        Self([[1.0, 0.0, x], [0.0, 1.0, y]])
    }

    pub(in crate::changes) fn apply(&self, [x, y]: Point) -> Point {
        self.0.map(|[a, b, shift]| a * x + b * y + shift)
    }

    /// First `first`, then `self`.
    pub(super) fn after(&self, first: &Self) -> Self {
        let [x, y, origin] =
            [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]].map(|point| self.apply(first.apply(point)));
        Self([0, 1].map(|axis| [x[axis] - origin[axis], y[axis] - origin[axis], origin[axis]]))
    }

    /// `None` if it maps the plane to less than a plane.
    pub(super) fn inverse(&self) -> Option<Self> {
        let [[a, b, right], [c, d, below]] = self.0;
        let determinant = a * d - b * c;
        let rows = [[d, -b], [-c, a]].map(|row| row.map(|part| part / determinant));
        let inverse = Self(rows.map(|[x, y]| [x, y, -(x * right + y * below)]));
        let is_sound =
            determinant.is_normal() && inverse.0.as_flattened().iter().all(|part| part.is_finite());
        is_sound.then_some(inverse)
    }

    /// The same transform between scaled images: `from` and `to` are the lengths that a pixel becomes in the image that
    /// is mapped and in the other, along columns and rows.
    pub(in crate::changes) fn scaled(&self, from: [f64; 2], to: [f64; 2]) -> Self {
        Self([0, 1].map(|axis| {
            let [a, b, shift] = self.0[axis];
            [a / from[0] * to[axis], b / from[1] * to[axis], shift * to[axis]]
        }))
    }

    /// How long a length of 1 becomes in the directions where it becomes longest and shortest. The second is negative
    /// if the transform mirrors.
    pub(in crate::changes) fn stretches(&self) -> [f64; 2] {
        let [[a, b, _], [c, d, _]] = self.0;
        let mean = (a + d).hypot(c - b) / 2.0;
        let difference = (a - d).hypot(c + b) / 2.0;
        [mean + difference, mean - difference]
    }

    /// The share of an image of this size that it maps into another image, from 0 to 1. Each row of pixels counts by its
    /// middle.
    pub(super) fn cover(&self, [width, height]: [u32; 2], other: [f64; 2]) -> f64 {
        let width = f64::from(width);
        let covered = |row: u32| {
            let mut span = [0.0, width];
            for ([slope, down, shift], side) in self.0.into_iter().zip(other) {
                let start = down * (f64::from(row) + 0.5) + shift;
                if slope == 0.0 {
                    // The row runs along the side.
                    span = if (0.0..=side).contains(&start) { span } else { [0.0; 2] };
                    continue;
                }
                let ends = [-start / slope, (side - start) / slope];
                span = [span[0].max(ends[0].min(ends[1])), span[1].min(ends[0].max(ends[1]))];
            }
            (span[1] - span[0]).max(0.0)
        };
        let covered: f64 = (0..height).map(covered).sum();
        covered / (width * f64::from(height))
    }

    /// How far it is from another transform at most, over an image of this size, in pixels.
    pub(super) fn distance(&self, other: &Self, [width, height]: [f64; 2]) -> f64 {
        let corners = [[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]];
        let distance = |corner: Point| {
            let [here, there] = [self.apply(corner), other.apply(corner)];
            (here[0] - there[0]).hypot(here[1] - there[1])
        };
        corners.into_iter().map(distance).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Transform = Transform([[1.2, -0.5, 3.0], [0.4, 0.9, -7.0]]);

    #[test]
    fn an_inverse_undoes_a_transform() {
        let inverse = TURN.inverse().expect("an inverse");
        assert!(inverse.after(&TURN).distance(&Transform::IDENTITY, [100.0, 50.0]) < 1e-9);
        assert_eq!(Transform([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]]).inverse(), None);
    }

    #[test]
    fn a_transform_holds_between_scaled_images() {
        let scaled = TURN.scaled([0.5, 0.25], [2.0, 4.0]);
        let [expected, found] = [TURN.apply([8.0, 12.0]), scaled.apply([4.0, 3.0])];
        assert!((0..2).all(|axis| (found[axis] - expected[axis] * [2.0, 4.0][axis]).abs() < 1e-9));
    }

    #[test]
    fn the_cover_is_the_common_area() {
        for (transform, expected) in [
            (Transform::IDENTITY, 0.5),
            (Transform::shift([-2.0, 1.0]), 0.5 * 0.9),
            (Transform::shift([1.0, -1.0]), 0.4 * 0.9),
            (Transform::shift([0.0, 10.0]), 0.0),
            (Transform([[0.0, -1.0, 10.0], [1.0, 0.0, 0.0]]), 0.5),
            (Transform([[0.5, 0.5, 0.0], [-0.5, 0.5, 0.0]]), 0.25),
        ] {
            let cover = transform.cover([10, 10], [5.0, 10.0]);
            assert!((cover - expected).abs() < 1e-9, "{transform:?}: {cover}");
        }
    }

    #[test]
    fn stretches_are_the_singular_values() {
        let [longest, shortest] = Transform([[0.0, -3.0, 1.0], [2.0, 0.0, 1.0]]).stretches();
        assert!((longest - 3.0).abs() < 1e-12 && (shortest - 2.0).abs() < 1e-12);
        let [_, mirrored] = Transform([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]).stretches();
        assert!(mirrored < 0.0);
    }
}
