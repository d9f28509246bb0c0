//! A two-dimensional map of embeddings.

use nalgebra::{DMatrix, SymmetricEigen};
use rayon::prelude::*;
use siamese_core::score::Embedding;

/// The number of iterations; the method converges earlier.
const ROUNDS: usize = 150;

/// Points in a plane whose distances approximate those of the embeddings.
///
/// The method is metric multidimensional scaling by majorisation (J. de Leeuw, *Applications of convex analysis to
/// multidimensional scaling*, 1977). It starts at the first two principal components, so it is deterministic.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// A point for each embedding, in order, centred on 0.
    pub places: Vec<[f64; 2]>,
    /// The error of the map: the root of the sum of squared errors of all distances, divided by the sum of their squares
    /// (Kruskal's stress 1). 0 is an exact map; above 0.3 the map says little.
    pub stress: f64,
}

impl Plane {
    /// Computes the map. The embeddings must have the same width.
    pub fn of(embeddings: &[&Embedding]) -> Self {
        let count = embeddings.len();
        let distances: Vec<Vec<f64>> = embeddings
            .par_iter()
            .map(|embedding| {
                embeddings.iter().map(|other| embedding.distance(other).get()).collect()
            })
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

/// Computes Guttman's transform of one point.
fn majorised(at: usize, places: &[[f64; 2]], distances: &[f64]) -> [f64; 2] {
    let mut moved = [0.0; 2];
    for (other, distance) in distances.iter().enumerate().filter(|(it, _)| *it != at) {
        let on_paper = apart(places[at], places[other]);
        // Two equal points have no direction.
        let ratio = if on_paper < 1e-12 { 0.0 } else { distance / on_paper };
        for axis in 0..2 {
            moved[axis] += ratio * (places[at][axis] - places[other][axis]);
        }
    }
    moved.map(|sum| sum / as_f64(places.len()))
}

/// Computes the first two principal components.
fn principal(embeddings: &[&Embedding]) -> Vec<[f64; 2]> {
    let width = embeddings.first().map_or(0, |embedding| embedding.width());
    let mut rows = DMatrix::from_fn(embeddings.len(), width, |row, axis| {
        f64::from(embeddings[row].coordinates()[axis])
    });
    if rows.is_empty() {
        return vec![[0.0; 2]; embeddings.len()];
    }
    let mean = rows.row_mean();
    for mut row in rows.row_iter_mut() {
        row -= &mean;
    }
    // Rows and columns give the same principal components; the smaller matrix is faster.
    let by_row = rows.nrows() < rows.ncols();
    let products = if by_row { &rows * rows.transpose() } else { rows.tr_mul(&rows) };
    let SymmetricEigen { eigenvalues, eigenvectors } = SymmetricEigen::new(products);
    let mut order: Vec<usize> = (0..eigenvalues.len()).collect();
    order.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
    let mut places = vec![[0.0; 2]; rows.nrows()];
    for (component, at) in order.into_iter().take(2).enumerate() {
        let vector = eigenvectors.column(at);
        let along = if by_row { vector * eigenvalues[at].max(0.0).sqrt() } else { &rows * vector };
        // A vector and its opposite are the same component; the sign is fixed by the largest coordinate.
        let sign = along[along.iamax()].signum();
        for (place, value) in places.iter_mut().zip(&along) {
            place[component] = sign * value;
        }
    }
    places
}

fn apart(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[expect(clippy::cast_precision_loss, reason = "no one draws 2^53 images")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(points: &[&[f32]]) -> Plane {
        let points: Vec<_> =
            points.iter().map(|values| Embedding::new(*values).expect("a point")).collect();
        Plane::of(&points.iter().collect::<Vec<_>>())
    }

    #[test]
    fn points_in_a_plane_keep_their_distances() {
        // A rectangle of 3 by 4, turned into five dimensions.
        let corner = |x: f32, y: f32| [0.6 * x, 7.0, 0.8 * x, y, -2.0];
        let corners = [corner(0.0, 0.0), corner(3.0, 0.0), corner(3.0, 4.0), corner(0.0, 4.0)];
        let Plane { places, stress } = plane(&corners.each_ref().map(<[f32; 5]>::as_slice));
        assert!(stress < 1e-6, "{stress}");
        assert!((apart(places[0], places[2]) - 5.0).abs() < 1e-5, "{places:?}");
        assert!((apart(places[0], places[1]) - 3.0).abs() < 1e-5, "{places:?}");
    }

    #[test]
    fn principal_components_are_the_same_by_rows_and_by_columns() {
        let embeddings = |width: usize| -> Vec<Embedding> {
            let long = |at: u8| {
                let mut point = vec![0.0; width];
                point[..3].copy_from_slice(&[
                    f32::from(at),
                    3.0 * f32::from(at % 3),
                    0.1 * f32::from(at % 2),
                ]);
                Embedding::new(point).expect("a point")
            };
            (0..5).map(long).collect()
        };
        let [few, many] = [3, 40].map(|width| {
            let embeddings = embeddings(width);
            principal(&embeddings.iter().collect::<Vec<_>>())
        });
        for (few, many) in few.iter().zip(&many) {
            assert!(apart(*few, *many) < 1e-9, "{few:?} {many:?}");
        }
        let reach = |axis: usize| few.iter().map(|place| place[axis].powi(2)).sum::<f64>();
        assert!(reach(1) < reach(0), "{few:?}");
    }

    #[test]
    fn a_line_and_a_point_have_a_map_too() {
        assert!(plane(&[&[1.0], &[3.0], &[9.0]]).stress < 1e-6);
        assert_eq!(plane(&[&[1.0, 2.0]]).places, [[0.0, 0.0]]);
        assert!(plane(&[&[1.0], &[1.0]]).stress.abs() < 1e-12);
    }

    #[test]
    fn more_than_two_dimensions_give_stress() {
        let corners: [&[f32]; 4] =
            [&[0.0; 3], &[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0]];
        let stress = plane(&corners).stress;
        assert!((0.01..0.3).contains(&stress), "{stress}");
    }
}
