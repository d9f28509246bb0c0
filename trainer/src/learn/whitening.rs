//! A linear layer computed in closed form: directions that vary within identities get small weights.
//!
//! This module knows feature vectors and their identities. It knows no images and no networks.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::config::Whitening;

/// A smaller variance counts as 0.
const LEAST: f64 = 1e-24;

/// A linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// `[features, width]`, row by row.
    pub weights: Vec<f32>,
    /// `[width]`.
    pub bias: Vec<f32>,
}

impl Whitening {
    /// Computes the layer: a principal component analysis that keeps `width` directions, followed by within-class
    /// covariance normalisation (A. Hatch, S. Kajarekar, A. Stolcke, *Within-class covariance normalization for SVM-based
    /// speaker recognition*, 2006).
    ///
    /// The variance within identities is then 1 in each direction. L2 distances of the outputs are Mahalanobis distances.
    ///
    /// # Shapes
    ///
    /// - `rows`: `[n][features]`, with the identity of each in `identities`
    ///
    /// # Panics
    ///
    /// If there are no rows, or fewer features than `width`.
    pub fn fit(&self, rows: &[Vec<f32>], identities: &[usize], width: usize) -> Layer {
        let n_features = rows[0].len();
        assert!(width <= n_features, "{n_features} features have no {width} directions");
        let mut centred =
            DMatrix::from_fn(rows.len(), n_features, |row, column| f64::from(rows[row][column]));
        let mean = centred.row_mean();
        for mut row in centred.row_iter_mut() {
            row -= &mean;
        }
        let directions = largest(centred.tr_mul(&centred), width);
        let mut within = &centred * &directions;
        subtract_means(&mut within, identities);
        let mut variance = within.tr_mul(&within) / count(rows.len());
        let shrinkage = self.shrinkage * variance.trace() / count(width);
        for direction in 0..width {
            variance[(direction, direction)] += shrinkage;
        }
        let eigen = SymmetricEigen::new(variance);
        // The variance is 0 if all images are equal.
        let scale = eigen
            .eigenvalues
            .map(|eigenvalue| if eigenvalue < LEAST { 0.0 } else { 1.0 / eigenvalue.sqrt() });
        let weights = directions * eigen.eigenvectors * DMatrix::from_diagonal(&scale);
        let bias: DVector<f64> = -weights.tr_mul(&mean.transpose());
        Layer {
            weights: weights.transpose().iter().map(|value| single(*value)).collect(),
            bias: bias.iter().map(|value| single(*value)).collect(),
        }
    }
}

/// Returns the eigenvectors of the `count` largest eigenvalues, as columns.
fn largest(symmetric: DMatrix<f64>, count: usize) -> DMatrix<f64> {
    let eigen = SymmetricEigen::new(symmetric);
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    eigen.eigenvectors.select_columns(&order[..count])
}

/// Subtracts each identity's mean from its rows.
fn subtract_means(rows: &mut DMatrix<f64>, identities: &[usize]) {
    let n_identities = identities.iter().max().map_or(0, |identity| identity + 1);
    let mut sums = DMatrix::zeros(n_identities, rows.ncols());
    let mut counts = vec![0_usize; n_identities];
    for (row, identity) in rows.row_iter().zip(identities) {
        let mut sum = sums.row_mut(*identity);
        sum += row;
        counts[*identity] += 1;
    }
    for (mut row, identity) in rows.row_iter_mut().zip(identities) {
        row -= sums.row(*identity) / count(counts[*identity]);
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn count(of: usize) -> f64 {
    of as f64
}

#[expect(clippy::cast_possible_truncation, reason = "models are in single precision")]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns two identities that differ by 1 along the first axis, and vary by 10 along the second.
    fn rows() -> (Vec<Vec<f32>>, Vec<usize>) {
        let row = |identity: u8, number: i8| {
            vec![f32::from(identity) + 0.01 * f32::from(number), 10.0 * f32::from(number)]
        };
        let of = |identity| (-1..=1).map(move |number| row(identity, number));
        (of(0).chain(of(1)).collect(), vec![0, 0, 0, 1, 1, 1])
    }

    fn through(layer: &Layer, row: &[f32]) -> Vec<f32> {
        let width = layer.bias.len();
        let output = |column: usize| {
            row.iter()
                .enumerate()
                .map(|(feature, value)| value * layer.weights[feature * width + column])
                .sum::<f32>()
        };
        (0..width).map(|column| output(column) + layer.bias[column]).collect()
    }

    #[test]
    fn directions_that_vary_within_identities_are_scaled_down() {
        let (rows, identities) = rows();
        let layer = Whitening { variations: 0, shrinkage: 1e-3 }.fit(&rows, &identities, 2);
        let distance = |a: usize, b: usize| {
            let [a, b] = [a, b].map(|row| through(&layer, &rows[row]));
            a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
        };
        // In the input, the distance of 0 and 2 is 20, and that of 0 and 3 is 1.
        assert!(distance(0, 2) < distance(0, 3), "{} {}", distance(0, 2), distance(0, 3));
    }

    #[test]
    fn the_mean_maps_to_the_origin() {
        let (rows, identities) = rows();
        let layer = Whitening { variations: 0, shrinkage: 0.1 }.fit(&rows, &identities, 1);
        assert!(through(&layer, &[0.5, 0.0])[0].abs() < 1e-5);
    }

    #[test]
    fn equal_rows_give_finite_weights() {
        let layer = Whitening { variations: 0, shrinkage: 0.1 }.fit(
            &vec![vec![1.0; 3]; 4],
            &[0, 0, 1, 1],
            2,
        );
        assert!(layer.weights.iter().chain(&layer.bias).all(|value| value.is_finite()));
    }
}
