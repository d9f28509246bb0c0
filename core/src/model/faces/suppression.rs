//! Combines the candidates of a detector that show the same face.

use crate::preprocessing::Point;

/// How much of two boxes must be in both for them to show the same face: intersection over union. As in `MediaPipe`.
const SAME_FACE: f64 = 0.3;

/// The most candidates that are compared: each is compared with all others.
const MAX_CANDIDATES: usize = 400;

/// A place where a detector sees a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    /// 0 to 1.
    pub(super) score: f32,
    pub(super) shape: Shape,
}

/// A box and points of a face, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) centre: Point,
    pub(super) size: [f64; 2],
    /// The eyes from left to right, the nose and the mouth.
    pub(super) points: [Point; 4],
}

impl Shape {
    /// All numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = f64> {
        [self.centre, self.size].into_iter().chain(self.points).flatten()
    }

    /// The longer side of the box.
    pub(super) fn longer(&self) -> f64 {
        self.size[0].max(self.size[1])
    }

    /// The angle of the line from eye to eye, clockwise, in radians.
    pub(super) fn angle(&self) -> f64 {
        let [left, right, ..] = self.points;
        (right[1] - left[1]).atan2(right[0] - left[0])
    }

    /// The area of the box.
    pub(super) fn area(&self) -> f64 {
        self.size[0] * self.size[1]
    }

    /// Whether two boxes show the same face.
    pub(super) fn shows_face_of(&self, other: &Self) -> bool {
        SAME_FACE < self.overlap(other)
    }

    /// Intersection over union of the boxes.
    fn overlap(&self, other: &Self) -> f64 {
        let common = |axis: usize| {
            let start = |shape: &Self| shape.centre[axis] - shape.size[axis] / 2.0;
            let end = |shape: &Self| shape.centre[axis] + shape.size[axis] / 2.0;
            (end(self).min(end(other)) - start(self).max(start(other))).max(0.0)
        };
        let intersection = common(0) * common(1);
        intersection / (self.area() + other.area() - intersection)
    }

    /// The mean of shapes, weighted.
    fn mean(weighted: &[(f64, Self)]) -> Self {
        let total: f64 = weighted.iter().map(|(weight, _)| weight).sum();
        let mean = |part: &dyn Fn(&Self) -> Point| {
            [0, 1].map(|axis| {
                weighted.iter().map(|(weight, shape)| weight * part(shape)[axis]).sum::<f64>()
                    / total
            })
        };
        Self {
            centre: mean(&|shape| shape.centre),
            size: mean(&|shape| shape.size),
            points: [0, 1, 2, 3].map(|index| mean(&|shape| shape.points[index])),
        }
    }
}

/// One candidate for each face: it has the highest score of those that overlap it, and their mean shape.
pub(super) fn combine(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|one, other| other.score.total_cmp(&one.score));
    candidates.truncate(MAX_CANDIDATES);
    let mut faces = Vec::new();
    while let Some(best) = candidates.first().copied() {
        let (same, rest): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|other| *other == best || best.shape.shows_face_of(&other.shape));
        candidates = rest;
        let weighted: Vec<_> =
            same.iter().map(|face| (f64::from(face.score), face.shape)).collect();
        faces.push(Candidate { score: best.score, shape: Shape::mean(&weighted) });
    }
    faces
}

/// One candidate for each face: the one with the highest score, unchanged.
pub(super) fn distinct(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|one, other| other.score.total_cmp(&one.score));
    let mut faces: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if !faces.iter().any(|face| face.shape.shows_face_of(&candidate.shape)) {
            faces.push(candidate);
        }
    }
    faces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(score: f32, x: f64) -> Candidate {
        let shape = Shape { centre: [x, 10.0], size: [10.0; 2], points: [[x, 8.0]; 4] };
        Candidate { score, shape }
    }

    #[test]
    fn overlapping_candidates_are_one_face() {
        let found = combine(vec![candidate(0.6, 11.0), candidate(0.9, 50.0), candidate(0.8, 10.0)]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], candidate(0.9, 50.0));
        assert!((found[1].score, found[1].shape.centre[1]) == (0.8, 10.0));
        let mean = (0.6_f32 * 11.0 + 0.8 * 10.0) / 1.4;
        assert!((found[1].shape.centre[0] - f64::from(mean)).abs() < 1e-5);
    }

    #[test]
    fn the_surest_of_overlapping_candidates_is_kept() {
        let found =
            distinct(vec![candidate(0.6, 11.0), candidate(0.9, 50.0), candidate(0.8, 10.0)]);
        assert_eq!(found, [candidate(0.9, 50.0), candidate(0.8, 10.0)]);
    }

    #[test]
    fn a_crowd_is_bounded() {
        let crowd = (0..5_000_u32).map(|index| candidate(0.9, f64::from(index) * 20.0));
        assert_eq!(combine(crowd.collect()).len(), MAX_CANDIDATES);
    }
}
