//! A linear layer computed in closed form: directions that vary within identities get small weights.
//!
//! The computation itself knows feature vectors and their identities.

mod apply;

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::config::Whitening;
use crate::data::Gallery;

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
    /// - `rows`: `[n][features]`
    ///
    /// # Panics
    ///
    /// If there are no rows, or fewer features than `width`.
    pub fn fit(&self, rows: &[Vec<f32>], labels: &Labels, width: usize) -> Layer {
        Whitened::of(*self, &Principal::of(rows, width), labels, width).layer()
    }
}

/// Rows whose variance within identities is 1 in each direction, but for the shrinkage.
pub(in crate::learn) struct Whitened {
    /// `[features, components]`.
    weights: DMatrix<f64>,
    bias: DVector<f64>,
    /// `[n, components]`.
    rows: DMatrix<f64>,
}

impl Whitened {
    /// Normalises the first `components` principal components.
    pub(in crate::learn) fn of(
        whitening: Whitening,
        principal: &Principal,
        labels: &Labels,
        components: usize,
    ) -> Self {
        let directions = principal.directions.columns(0, components);
        let projected = principal.projected.columns(0, components).into_owned();
        let mut within = labels.within(&projected);
        let shrinkage = whitening.shrinkage * within.trace() / count(components);
        for direction in 0..components {
            within[(direction, direction)] += shrinkage;
        }
        let eigen = SymmetricEigen::new(within);
        // The variance is 0 if all images are equal.
        let scale = eigen
            .eigenvalues
            .map(|eigenvalue| if eigenvalue < LEAST { 0.0 } else { 1.0 / eigenvalue.sqrt() });
        let normalised = eigen.eigenvectors * DMatrix::from_diagonal(&scale);
        let weights = directions * &normalised;
        let bias = -weights.tr_mul(&principal.mean);
        Self { weights, bias, rows: projected * normalised }
    }

    /// Returns the layer from features to components.
    pub(in crate::learn) fn layer(&self) -> Layer {
        Layer {
            weights: self.weights.transpose().iter().map(|value| single(*value)).collect(),
            bias: self.bias.iter().map(|value| single(*value)).collect(),
        }
    }

    /// Returns the layer from components to the `width` directions in which the means of identities vary most. Together with
    /// the whitening this is a linear discriminant analysis (R. Fisher, *The use of multiple measurements in taxonomic
    /// problems*, 1936).
    ///
    /// # Panics
    ///
    /// If there are fewer components than `width`.
    pub(in crate::learn) fn discriminant(&self, labels: &Labels, width: usize) -> Layer {
        let directions = if labels.n_means() <= width {
            largest(self.rows.transpose() * &self.rows, width)
        } else {
            largest(labels.between(&self.rows), width)
        };
        Layer {
            weights: directions.transpose().iter().map(|value| single(*value)).collect(),
            bias: vec![0.0; width],
        }
    }
}

/// The principal components of some rows.
pub(in crate::learn) struct Principal {
    mean: DVector<f64>,
    /// `[features, components]`, the direction of the largest variance first.
    directions: DMatrix<f64>,
    /// `[n, components]`: the centred rows in these directions.
    projected: DMatrix<f64>,
}

impl Principal {
    /// Finds the first `components` principal components.
    ///
    /// # Panics
    ///
    /// If there are no rows, or fewer features than `components`.
    pub(in crate::learn) fn of(rows: &[Vec<f32>], components: usize) -> Self {
        let n_features = rows[0].len();
        assert!(components <= n_features, "{n_features} features have no {components} directions");
        let mut centred =
            DMatrix::from_fn(rows.len(), n_features, |row, column| f64::from(rows[row][column]));
        let mean = centred.row_mean();
        for mut row in centred.row_iter_mut() {
            row -= &mean;
        }
        let directions = if components < rows.len() && rows.len() < n_features {
            // The eigenvectors of a smaller matrix give the same directions.
            let of_rows = largest(&centred * centred.transpose(), components);
            let mut directions = centred.transpose() * of_rows;
            for mut direction in directions.column_iter_mut() {
                let length = direction.norm();
                direction.scale_mut(if length < LEAST { 0.0 } else { 1.0 / length });
            }
            directions
        } else {
            largest(centred.transpose() * &centred, components)
        };
        let projected = centred * &directions;
        Self { mean: mean.transpose(), directions, projected }
    }
}

/// Returns the eigenvectors of the `count` largest eigenvalues, as columns.
fn largest(symmetric: DMatrix<f64>, count: usize) -> DMatrix<f64> {
    let eigen = SymmetricEigen::new(symmetric);
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    eigen.eigenvectors.select_columns(&order[..count])
}

/// Which rows are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// The identity of each row.
    Identities(Vec<usize>),
    /// Pairs of rows that are the same.
    Pairs(Vec<[usize; 2]>),
}

impl Labels {
    /// Returns the labels of the samples of a gallery.
    pub(in crate::learn) fn of(gallery: &Gallery) -> Self {
        match gallery.listing() {
            Some(listing) => {
                let same = listing.pairs().iter().filter(|pair| pair.is_same);
                Self::Pairs(same.map(|pair| [pair.left, pair.right]).collect())
            }
            None => {
                Self::Identities(gallery.samples().iter().map(|sample| sample.identity).collect())
            }
        }
    }

    /// Returns the covariance within identities. The difference of the two rows of a pair has twice this covariance.
    fn within(&self, rows: &DMatrix<f64>) -> DMatrix<f64> {
        match self {
            Self::Identities(identities) => {
                let mut rows = rows.clone();
                subtract_means(&mut rows, identities);
                rows.transpose() * &rows / count(rows.nrows())
            }
            Self::Pairs(pairs) => {
                let differences = DMatrix::from_fn(pairs.len(), rows.ncols(), |pair, column| {
                    let [left, right] = pairs[pair];
                    rows[(left, column)] - rows[(right, column)]
                });
                differences.transpose() * &differences / (2.0 * count(pairs.len()))
            }
        }
    }

    /// Returns the number of directions that the means of identities span, plus 1. Pairs have no means.
    fn n_means(&self) -> usize {
        match self {
            Self::Identities(identities) => identities.iter().max().map_or(0, |most| most + 1),
            Self::Pairs(_) => 0,
        }
    }

    /// Returns the covariance of the means of identities, each with the same weight; 0 for pairs.
    fn between(&self, rows: &DMatrix<f64>) -> DMatrix<f64> {
        let Self::Identities(identities) = self else {
            return DMatrix::zeros(rows.ncols(), rows.ncols());
        };
        let mut means = means(rows, identities);
        let mean = means.row_mean();
        for mut row in means.row_iter_mut() {
            row -= &mean;
        }
        means.transpose() * means
    }
}

/// Returns the mean of each identity's rows.
fn means(rows: &DMatrix<f64>, identities: &[usize]) -> DMatrix<f64> {
    let n_identities = identities.iter().max().map_or(0, |identity| identity + 1);
    let mut sums = DMatrix::zeros(n_identities, rows.ncols());
    let mut counts = vec![0_usize; n_identities];
    for (row, identity) in rows.row_iter().zip(identities) {
        let mut sum = sums.row_mut(*identity);
        sum += row;
        counts[*identity] += 1;
    }
    for (mut row, n_rows) in sums.row_iter_mut().zip(&counts) {
        row /= count((*n_rows).max(1));
    }
    sums
}

/// Subtracts each identity's mean from its rows.
fn subtract_means(rows: &mut DMatrix<f64>, identities: &[usize]) {
    let means = means(rows, identities);
    for (mut row, identity) in rows.row_iter_mut().zip(identities) {
        row -= means.row(*identity);
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
        let layer = Whitening { variations: 0, shrinkage: 1e-3 }.fit(
            &rows,
            &Labels::Identities(identities),
            2,
        );
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
        let layer = Whitening { variations: 0, shrinkage: 0.1 }.fit(
            &rows,
            &Labels::Identities(identities),
            1,
        );
        assert!(through(&layer, &[0.5, 0.0])[0].abs() < 1e-5);
    }

    #[test]
    fn equal_rows_give_finite_weights() {
        let layer = Whitening { variations: 0, shrinkage: 0.1 }.fit(
            &vec![vec![1.0; 3]; 4],
            &Labels::Identities(vec![0, 0, 1, 1]),
            2,
        );
        assert!(layer.weights.iter().chain(&layer.bias).all(|value| value.is_finite()));
    }

    #[test]
    fn the_first_discriminant_tells_identities_apart() {
        let (rows, identities) = rows();
        let labels = Labels::Identities(identities);
        let principal = Principal::of(&rows, 2);
        let whitening = Whitening { variations: 0, shrinkage: 1e-3 };
        let whitened = Whitened::of(whitening, &principal, &labels, 2);
        let first = whitened.discriminant(&labels, 1);
        let layer = whitened.layer();
        let place = |row: &[f32]| through(&first, &through(&layer, row))[0];
        let places: Vec<f32> = rows.iter().map(|row| place(row)).collect();
        let spread = (places[0] - places[2]).abs();
        assert!(20.0 * spread < (places[0] - places[3]).abs(), "{places:?}");
    }

    #[test]
    fn pairs_state_what_varies_within_identities() {
        let (rows, identities) = rows();
        let by_pairs = Labels::Pairs(vec![[0, 1], [1, 2], [0, 2], [3, 4], [4, 5], [3, 5]]);
        let whitening = Whitening { variations: 0, shrinkage: 1e-3 };
        let [of_pairs, of_identities] = [by_pairs, Labels::Identities(identities)]
            .map(|labels| whitening.fit(&rows, &labels, 2));
        let ratio = |layer: &Layer| {
            let [a, b, c] = [0, 2, 3].map(|row| through(layer, &rows[row]));
            let distance = |a: &[f32], b: &[f32]| {
                a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
            };
            distance(&a, &b) / distance(&a, &c)
        };
        let (of_pairs, of_identities) = (ratio(&of_pairs), ratio(&of_identities));
        assert!((of_pairs / of_identities - 1.0).abs() < 0.05, "{of_pairs} {of_identities}");
    }
}
