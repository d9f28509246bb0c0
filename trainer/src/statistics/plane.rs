//! Embeddings on paper.

use rayon::prelude::*;
use siamese_core::score::Embedding;

/// Iterations of either method; both have settled before.
const ROUNDS: usize = 150;

/// Places in a plane whose distances are as near to the embeddings' as a plane allows.
///
/// Metric scaling by majorisation (J. de Leeuw, *Applications of convex analysis to
/// multidimensional scaling*, 1977), begun at the first two principal components: no chance is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// A place for each embedding, in order, around 0.
    pub places: Vec<[f64; 2]>,
    /// What the plane could not show: the root of the squared errors of all distances over their squared
    /// lengths (Kruskal's stress 1). 0 is a faithful map; above 0.3 little is to be read from it.
    pub stress: f64,
}

impl Plane {
    /// Lays out embeddings of one width; every distance is looked at some hundred times.
    pub fn of(embeddings: &[&Embedding]) -> Self {
        let count = embeddings.len();
        let distances: Vec<Vec<f64>> = embeddings
            .par_iter()
            .map(|it| embeddings.iter().map(|other| it.distance(other).get()).collect())
            .collect();
        let mut places = principal(embeddings);
        for _ in 0..ROUNDS {
            places = (0..count)
                .into_par_iter()
                .map(|at| majorised(at, &places, &distances[at]))
                .collect();
        }
        let (mut wrong, mut whole) = (0.0, 0.0);
        for (at, own) in distances.iter().enumerate() {
            for (other, distance) in own.iter().enumerate() {
                wrong += (distance - apart(places[at], places[other])).powi(2);
                whole += distance.powi(2);
            }
        }
        let stress = if 0.0 < whole { (wrong / whole).sqrt() } else { 0.0 };
        Self { places, stress }
    }
}

/// Guttman's transform of one place.
fn majorised(at: usize, places: &[[f64; 2]], distances: &[f64]) -> [f64; 2] {
    let mut moved = [0.0; 2];
    for (other, distance) in distances.iter().enumerate().filter(|(it, _)| *it != at) {
        let on_paper = apart(places[at], places[other]);
        // Two that coincide pull nowhere.
        let ratio = if on_paper < 1e-12 { 0.0 } else { distance / on_paper };
        for axis in 0..2 {
            moved[axis] += ratio * (places[at][axis] - places[other][axis]);
        }
    }
    moved.map(|it| it / real(places.len()))
}

/// The first two principal components, by power iteration from a fixed start.
fn principal(embeddings: &[&Embedding]) -> Vec<[f64; 2]> {
    let width = embeddings.first().map_or(0, |it| it.width());
    let count = real(embeddings.len().max(1));
    let mut rows: Vec<Vec<f64>> = embeddings
        .iter()
        .map(|it| it.coordinates().iter().map(|it| f64::from(*it)).collect())
        .collect();
    for axis in 0..width {
        let mean = rows.iter().map(|it| it[axis]).sum::<f64>() / count;
        for row in &mut rows {
            row[axis] -= mean;
        }
    }
    let mut places = vec![[0.0; 2]; rows.len()];
    for component in 0..2 {
        // Uneven, so that no component of real data is missed for being at right angles.
        let mut direction: Vec<f64> = (0..width).map(|it| 1.0 / (1.0 + real(it))).collect();
        for _ in 0..ROUNDS {
            let mut next = vec![0.0; width];
            for row in &rows {
                let along = dot(row, &direction);
                next.iter_mut().zip(row).for_each(|(next, it)| *next += along * it);
            }
            let length = dot(&next, &next).sqrt();
            if length < 1e-12 {
                break;
            }
            direction = next.into_iter().map(|it| it / length).collect();
        }
        let squared = dot(&direction, &direction).max(1e-12);
        for (row, place) in rows.iter_mut().zip(&mut places) {
            let along = dot(row, &direction) / squared.sqrt();
            place[component] = along;
            row.iter_mut().zip(&direction).for_each(|(it, d)| *it -= along * d / squared.sqrt());
        }
    }
    places
}

fn apart(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[expect(clippy::cast_precision_loss, reason = "no one draws 2^53 pictures")]
fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(points: &[&[f32]]) -> Plane {
        let points: Vec<_> =
            points.iter().map(|it| Embedding::new(*it).expect("a point")).collect();
        Plane::of(&points.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_lies_in_a_plane_keeps_its_distances() {
        // A rectangle of 3 by 4, turned into five dimensions.
        let corner = |x: f32, y: f32| [0.6 * x, 7.0, 0.8 * x, y, -2.0];
        let corners = [corner(0.0, 0.0), corner(3.0, 0.0), corner(3.0, 4.0), corner(0.0, 4.0)];
        let Plane { places, stress } = plane(&corners.each_ref().map(<[f32; 5]>::as_slice));
        assert!(stress < 1e-6, "{stress}");
        assert!((apart(places[0], places[2]) - 5.0).abs() < 1e-5, "{places:?}");
        assert!((apart(places[0], places[1]) - 3.0).abs() < 1e-5, "{places:?}");
    }

    #[test]
    fn a_line_and_a_point_are_drawn_too() {
        assert!(plane(&[&[1.0], &[3.0], &[9.0]]).stress < 1e-6);
        assert_eq!(plane(&[&[1.0, 2.0]]).places, [[0.0, 0.0]]);
        assert!(plane(&[&[1.0], &[1.0]]).stress.abs() < 1e-12);
    }

    #[test]
    fn more_dimensions_than_two_cost_some_truth() {
        let corners: [&[f32]; 4] =
            [&[0.0; 3], &[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0]];
        let stress = plane(&corners).stress;
        assert!((0.01..0.3).contains(&stress), "{stress}");
    }
}
