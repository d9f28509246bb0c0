//! Views of an image (rotated, mirrored), whose embeddings a model averages.

use burn::tensor::{Tensor, TensorData};

use crate::data::vary::grid::{neighbours, single};

/// A view of an image: each of its pixels is a weighted sum of [`View::TAPS`] pixels of the image.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The indices in a channel of `height * width` pixels, `[taps, height * width]`.
    pub indices: Vec<usize>,
    /// Their weights, `[taps, height * width]`; those of a pixel sum to 1.
    pub weights: Vec<f32>,
}

impl View {
    /// The number of image pixels per pixel of a view.
    pub const TAPS: usize = 4;

    /// Returns all views except the image itself: rotated by each of `turns` (in degrees) in both directions, and with
    /// `mirror` the mirror image of each.
    pub fn others(sides: [usize; 2], turns: &[f32], mirror: bool) -> Vec<Self> {
        let either_way = turns.iter().flat_map(|turn| [*turn, -turn]);
        let angles: Vec<f32> = std::iter::once(0.0).chain(either_way).collect();
        let flips: &[bool] = if mirror { &[false, true] } else { &[false] };
        let all = flips.iter().flat_map(|flip| angles.iter().map(move |angle| (*angle, *flip)));
        all.skip(1).map(|(angle, flip)| Self::new(sides, angle, flip)).collect()
    }

    /// Makes a view with bilinear interpolation; beyond the border the nearest pixel is used.
    fn new(sides: [usize; 2], degrees: f32, flip: bool) -> Self {
        let [height, width] = sides;
        let middle = sides.map(|side| (single(side) - 1.0) / 2.0);
        let (sine, cosine) = degrees.to_radians().sin_cos();
        let pixels = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        let taps: Vec<_> = pixels
            .map(|(row, column)| {
                let (y, x) = (single(row) - middle[0], single(column) - middle[1]);
                let x = if flip { -x } else { x };
                taps(sides, sine * x + cosine * y + middle[0], cosine * x - sine * y + middle[1])
            })
            .collect();
        let each = |tap: usize| taps.iter().map(move |pixel| pixel[tap]);
        let (indices, weights) = (0..Self::TAPS).flat_map(each).unzip();
        Self { indices, weights }
    }

    /// Computes the view of images, `[n, channels, height, width]` in and out.
    pub(super) fn of(&self, images: &Tensor<4>) -> Tensor<4> {
        let [n, channels, height, width] = images.dims();
        let device = images.device();
        let shape = [1, 1, Self::TAPS, height * width];
        let indices =
            self.indices.iter().map(|index| i64::try_from(*index).expect("an image's pixel"));
        let indices = TensorData::new(indices.collect(), [self.indices.len()]);
        let weights = TensorData::new(self.weights.clone(), shape);
        images
            .clone()
            .reshape([n, channels, height * width])
            .select(2, Tensor::from_data(indices, &device))
            .reshape([n, channels, Self::TAPS, height * width])
            .mul(Tensor::from_data(weights, &device))
            .sum_dim(2)
            .reshape([n, channels, height, width])
    }
}

/// Returns the four pixels around a position, and their weights.
fn taps([height, width]: [usize; 2], row: f32, column: f32) -> [(usize, f32); View::TAPS] {
    let (top, below, down) = neighbours(row, height);
    let (left, beside, right) = neighbours(column, width);
    [
        (top * width + left, (1.0 - down) * (1.0 - right)),
        (top * width + beside, (1.0 - down) * right),
        (below * width + left, down * (1.0 - right)),
        (below * width + beside, down * right),
    ]
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    const PIXELS: [f32; 6] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];

    fn seen(view: &View, sides: [usize; 2]) -> Vec<f32> {
        let image = TensorData::new(PIXELS.to_vec(), [1, 1, sides[0], sides[1]]);
        let seen = view.of(&Tensor::from_data(image, &Device::flex()));
        assert_eq!(seen.dims(), [1, 1, sides[0], sides[1]]);
        seen.into_data().try_to_vec().expect("single precision")
    }

    fn check(view: &View, sides: [usize; 2], expected: [f32; 6]) {
        let seen = seen(view, sides);
        for (value, expected) in seen.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-5, "{seen:?}");
        }
    }

    #[test]
    fn without_turns_and_mirror_there_are_no_views() {
        assert_eq!(View::others([2, 3], &[], false), []);
    }

    #[test]
    fn a_mirror_image_runs_right_to_left() {
        let [mirrored] = &View::others([2, 3], &[], true)[..] else { panic!("one view") };
        check(mirrored, [2, 3], [0.3, 0.2, 0.1, 0.6, 0.5, 0.4]);
    }

    #[test]
    fn an_image_is_rotated_in_both_directions() {
        let [left, right] = &View::others([2, 3], &[180.0], false)[..] else { panic!("two views") };
        for turned in [left, right] {
            check(turned, [2, 3], [0.6, 0.5, 0.4, 0.3, 0.2, 0.1]);
        }
        let [one, other] = &View::others([2, 3], &[20.0], false)[..] else { panic!("two views") };
        assert_ne!(seen(one, [2, 3]), seen(other, [2, 3]));
    }

    #[test]
    fn each_turn_has_its_mirror_image() {
        let views = View::others([2, 3], &[10.0, 20.0], true);
        assert_eq!(views.len(), 9);
        let n_pixels = 6;
        for view in views {
            for pixel in 0..n_pixels {
                let sum: f32 = view.weights.iter().skip(pixel).step_by(n_pixels).sum();
                assert!((sum - 1.0).abs() < 1e-6, "{sum}");
            }
        }
    }
}
