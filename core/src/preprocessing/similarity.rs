//! Similarities: the transforms of the plane that keep proportions and angles.

use super::photograph::Point;

/// A scaling, rotation and shift of the plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Similarity {
    /// The first column of the matrix `[[a, -b], [b, a]]`.
    a: f64,
    b: f64,
    shift: Point,
}

impl Similarity {
    /// Maps the square from 0 to `side` to one with this centre and half side, turned clockwise by an angle in radians.
    pub(super) fn onto(centre: Point, half: f64, angle: f64, side: f64) -> Self {
        let scale = 2.0 * half / side;
        let (a, b) = (scale * angle.cos(), scale * angle.sin());
        let middle = Self { a, b, shift: [0.0; 2] }.apply([side / 2.0; 2]);
        Self { a, b, shift: [0, 1].map(|axis| centre[axis] - middle[axis]) }
    }

    /// The similarity that maps `from` to `to` with the least sum of squared distances (S. Umeyama, *Least-squares
    /// estimation of transformation parameters between two point patterns*, 1991, without reflections). `None` if it
    /// has no inverse.
    pub(super) fn between(from: &[Point; 4], to: &[Point; 4]) -> Option<Self> {
        let [from_centre, to_centre] = [from, to].map(centre);
        // The sums over all points of their squares, products and cross products, relative to the centres.
        let (mut square, mut product, mut cross) = (0.0, 0.0, 0.0);
        for (from, to) in from.iter().zip(to) {
            let from = [0, 1].map(|axis| from[axis] - from_centre[axis]);
            let to = [0, 1].map(|axis| to[axis] - to_centre[axis]);
            square += from[0] * from[0] + from[1] * from[1];
            product += from[0] * to[0] + from[1] * to[1];
            cross += from[0] * to[1] - from[1] * to[0];
        }
        let (a, b) = (product / square, cross / square);
        let turned = Self { a, b, shift: [0.0; 2] }.apply(from_centre);
        let shift = [0, 1].map(|axis| to_centre[axis] - turned[axis]);
        let similarity = Self { a, b, shift };
        let is_sound = similarity.scale().is_normal() && shift.iter().all(|part| part.is_finite());
        is_sound.then_some(similarity)
    }

    pub(super) fn apply(&self, [x, y]: Point) -> Point {
        let Self { a, b, shift } = self;
        [a * x - b * y + shift[0], b * x + a * y + shift[1]]
    }

    /// Half of the side of the upright square around what a rectangle of this size becomes.
    pub(super) fn reach(&self, [width, height]: Point) -> f64 {
        let [a, b] = [self.a.abs(), self.b.abs()];
        (a * width + b * height).max(b * width + a * height) / 2.0
    }

    /// The length that a length of 1 becomes.
    pub(super) fn scale(&self) -> f64 {
        self.a.hypot(self.b)
    }
}

fn centre(points: &[Point; 4]) -> Point {
    [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [Point; 4] = [[2.0, 2.0], [6.0, 2.0], [4.0, 4.0], [4.0, 6.0]];

    #[test]
    fn a_square_is_mapped_onto_another() {
        let quarter = Similarity::onto([10.0, 20.0], 4.0, std::f64::consts::FRAC_PI_2, 2.0);
        for (from, to) in
            [([1.0, 1.0], [10.0, 20.0]), ([0.0, 0.0], [14.0, 16.0]), ([2.0, 0.0], [14.0, 24.0])]
        {
            let found = quarter.apply(from);
            assert!((0..2).all(|axis| (found[axis] - to[axis]).abs() < 1e-9), "{found:?}");
        }
        assert!((quarter.scale() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_similarity_is_found_again() {
        let known = Similarity { a: 1.5, b: -0.5, shift: [3.0, -7.0] };
        let moved = PLACES.map(|point| known.apply(point));
        let found = Similarity::between(&PLACES, &moved).expect("a similarity");
        assert!((found.a - 1.5).abs() < 1e-12 && (found.b + 0.5).abs() < 1e-12);
        assert!((found.shift[0] - 3.0).abs() < 1e-12 && (found.shift[1] + 7.0).abs() < 1e-12);
    }

    #[test]
    fn points_at_one_place_determine_nothing() {
        assert_eq!(Similarity::between(&[[1.0, 1.0]; 4], &PLACES), None);
        assert_eq!(Similarity::between(&PLACES, &[[1.0, 1.0]; 4]), None);
        assert_eq!(Similarity::between(&PLACES, &[[f64::NAN, 1.0]; 4]), None);
    }
}
