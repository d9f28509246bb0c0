//! A cloud of points: its mean, and the linear map that makes it round.

/// How far the covariances of different measurements are reduced. With few images they are partly chance.
const SHRINKAGE: f64 = 0.3;

/// The least variance of a measurement: that of about one step of a byte, whose measurements are between 0 and 1.
const LEAST_VARIANCE: f64 = 1e-5;

/// The mean of points and the inverse Cholesky factor of their covariance.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cloud {
    /// One number for each dimension.
    pub(super) mean: Vec<f32>,
    /// A lower triangular matrix, row by row.
    pub(super) whitening: Vec<f32>,
}

impl Cloud {
    /// Fits at least one point; all have the same number of dimensions.
    pub(super) fn fit(points: &[Vec<f64>]) -> Self {
        let dimensions = points[0].len();
        let share = 1.0 / super::fit::as_f64(points.len());
        let mut mean = vec![0.0; dimensions];
        for point in points {
            mean.iter_mut().zip(point).for_each(|(mean, value)| *mean += share * value);
        }
        let mut covariance = vec![vec![0.0; dimensions]; dimensions];
        for point in points {
            let centred: Vec<_> =
                point.iter().zip(&mean).map(|(value, mean)| value - mean).collect();
            for (row, a) in covariance.iter_mut().zip(&centred) {
                row.iter_mut().zip(&centred).for_each(|(sum, b)| *sum += share * a * b);
            }
        }
        for (at, row) in covariance.iter_mut().enumerate() {
            for (column, value) in row.iter_mut().enumerate() {
                *value =
                    if at == column { *value + LEAST_VARIANCE } else { (1.0 - SHRINKAGE) * *value };
            }
        }
        let whitening = inverse(&cholesky(covariance)).into_iter().flatten().map(single).collect();
        Self { mean: mean.into_iter().map(single).collect(), whitening }
    }

    pub(super) fn dimensions(&self) -> usize {
        self.mean.len()
    }

    /// The squared Mahalanobis distance of a point from the mean.
    pub(super) fn unusual(&self, point: &[f64]) -> f64 {
        let centred: Vec<_> =
            point.iter().zip(&self.mean).map(|(value, mean)| value - f64::from(*mean)).collect();
        let mut rest = self.whitening.as_slice();
        let mut sum = 0.0;
        for at in 0..centred.len() {
            let (row, after) = rest.split_at(at + 1);
            let value: f64 = row.iter().zip(&centred).map(|(a, b)| f64::from(*a) * b).sum();
            sum += value * value;
            rest = after;
        }
        sum
    }
}

/// The lower triangular factor of a positive definite matrix: the rows up to the diagonal.
fn cholesky(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for at in 0..matrix.len() {
        for column in 0..=at {
            let known: f64 = (0..column).map(|k| matrix[at][k] * matrix[column][k]).sum();
            let rest = matrix[at][column] - known;
            // Rounding must not make the variance of a row negative.
            matrix[at][column] = if at == column {
                rest.max(LEAST_VARIANCE / 2.0).sqrt()
            } else {
                rest / matrix[column][column]
            };
        }
        matrix[at].truncate(at + 1);
    }
    matrix
}

/// The inverse of a lower triangular matrix, which is lower triangular too.
fn inverse(lower: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut inverse: Vec<Vec<f64>> = Vec::with_capacity(lower.len());
    for (at, row) in lower.iter().enumerate() {
        let mut values = vec![0.0; at + 1];
        for (column, value) in values.iter_mut().enumerate() {
            let unit = if at == column { 1.0 } else { 0.0 };
            let known: f64 = (column..at).map(|k| row[k] * inverse[k][column]).sum();
            *value = (unit - known) / row[at];
        }
        inverse.push(values);
    }
    inverse
}

#[expect(clippy::cast_possible_truncation, reason = "stored in single precision")]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_standard_deviations() {
        // Standard deviations of 3 and 0.5, uncorrelated.
        let points: Vec<_> = [[3.0, 0.5], [3.0, -0.5], [-3.0, 0.5], [-3.0, -0.5]]
            .map(|[x, y]| vec![x + 10.0, y])
            .into();
        let cloud = Cloud::fit(&points);
        assert!(cloud.unusual(&[10.0, 0.0]) < 1e-9);
        assert!((cloud.unusual(&[16.0, 0.0]) - 4.0).abs() < 1e-3);
        assert!((cloud.unusual(&[10.0, 1.5]) - 9.0).abs() < 1e-2);
    }

    #[test]
    fn a_point_against_the_correlation_is_more_unusual_than_one_along_it() {
        let points: Vec<_> = (-20..=20_i32)
            .map(|at| vec![f64::from(at), f64::from(at) + f64::from(at % 3) / 10.0])
            .collect();
        let cloud = Cloud::fit(&points);
        let [along, against] = [[10.0, 10.0], [10.0, -10.0]].map(|point| cloud.unusual(&point));
        assert!(3.0 * along < against, "{along} and {against}");
    }

    #[test]
    fn a_measurement_without_variance_has_finite_distances() {
        let cloud = Cloud::fit(&[vec![1.0, 7.0], vec![2.0, 7.0], vec![4.0, 7.0]]);
        assert!(cloud.unusual(&[2.0, 7.0]) < 1.0);
        let far = cloud.unusual(&[2.0, 8.0]);
        assert!(far.is_finite() && 1e4 < far, "{far}");
    }
}
