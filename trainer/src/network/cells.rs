//! A head that embeds each cell of an image, from the maps of a backbone.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Unit;
use super::layers::Convolution;

/// The channels of the convolution on the fine map.
const FINE: usize = 32;
/// The channels of the convolutions at one place for each cell.
const WIDE: usize = 64;

/// The sizes of [`Cells`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellsConfig {
    /// The channels of the map with two rows and two columns for each cell.
    pub fine: usize,
    /// The channels of the map with one place for each cell.
    pub coarse: usize,
    /// The number of coordinates of a cell.
    pub width: usize,
}

/// A head on two maps of a backbone.
///
/// # Shapes
///
/// - in: `[n, 4 * fine + coarse, rows, columns]`: the values of the fine map, `[n, fine, 2 * rows, 2 * columns]`, and then
///   those of the coarse one
/// - out: `[n * rows * columns, width]`: the cells row by row
#[derive(Module, Debug)]
pub struct Cells {
    /// For the fine map.
    pub standard_fine: Standard,
    /// For the coarse map.
    pub standard_coarse: Standard,
    /// 3x3 on the fine map.
    pub fine: Unit,
    /// 3x3 with stride 2, to one place for each cell.
    pub down: Unit,
    /// 3x3 on both.
    pub join: Unit,
    /// 1x1.
    pub output: Conv2d,
    #[module(skip)]
    widths: [usize; 2],
}

/// Brings each channel of a map to the mean 0 and the deviation 1, as measured once on training images.
#[derive(Module, Debug)]
pub struct Standard {
    /// `[1, channels, 1, 1]`, multiplied first.
    pub scale: Param<Tensor<4>>,
    /// `[1, channels, 1, 1]`, added next.
    pub offset: Param<Tensor<4>>,
}

impl CellsConfig {
    /// Returns the number of input channels; see [`Cells`].
    pub fn channels(&self) -> usize {
        4 * self.fine + self.coarse
    }

    /// Draws the first weights from `random`.
    pub(super) fn init(self, random: &mut ChaCha8Rng, device: &Device) -> Cells {
        let output = Convolution {
            channels: [WIDE, self.width],
            kernel: 1,
            stride: 1,
            padding: 0,
            bias: true,
        };
        Cells {
            standard_fine: Standard::new(self.fine, device),
            standard_coarse: Standard::new(self.coarse, device),
            fine: Unit::new([self.fine, FINE], 3, 1, random, device),
            down: Unit::new([FINE, WIDE], 3, 2, random, device),
            join: Unit::new([WIDE + self.coarse, WIDE], 3, 1, random, device),
            output: output.init(random, device),
            widths: [self.fine, self.coarse],
        }
    }
}

impl Cells {
    /// Takes the mean and the deviation of each channel from maps of the shape of the input, on the same device.
    pub fn standardise(&mut self, maps: Tensor<4>) {
        let [fine, coarse] = self.maps(maps);
        self.standard_fine.measure(fine);
        self.standard_coarse.measure(coarse);
    }

    pub(super) fn forward(&self, maps: Tensor<4>) -> Tensor<2> {
        let [fine, coarse] = self.maps(maps);
        let fine = self.fine.forward(self.standard_fine.forward(fine), false);
        let down = self.down.forward(fine, false);
        let both = Tensor::cat(vec![down, self.standard_coarse.forward(coarse)], 1);
        let cells = self.output.forward(self.join.forward(both, false));
        let [n, width, rows, columns] = cells.dims();
        cells.permute([0, 2, 3, 1]).reshape([n * rows * columns, width])
    }

    /// Returns the fine map and the coarse one.
    fn maps(&self, maps: Tensor<4>) -> [Tensor<4>; 2] {
        let [fine, coarse] = self.widths;
        let [n, _, rows, columns] = maps.dims();
        let coarse = maps.clone().slice([0..n, 4 * fine..4 * fine + coarse]);
        let fine_map = maps.slice([0..n, 0..4 * fine]);
        [fine_map.reshape([n, fine, 2 * rows, 2 * columns]), coarse]
    }
}

impl Standard {
    fn new(channels: usize, device: &Device) -> Self {
        let fixed = |value: Tensor<4>| Param::from_tensor(value).no_grad();
        let shape = [1, channels, 1, 1];
        Self {
            scale: fixed(Tensor::ones(shape, device)),
            offset: fixed(Tensor::zeros(shape, device)),
        }
    }

    fn measure(&mut self, maps: Tensor<4>) {
        let channels = |maps: Tensor<4>| maps.mean_dim(0).mean_dim(2).mean_dim(3);
        let mean = channels(maps.clone());
        let deviation = channels((maps - mean.clone()).square()).sqrt();
        // The addend keeps a channel that is nearly constant from becoming mere noise.
        let scale = deviation.add_scalar(1e-3).recip();
        self.offset = Param::from_tensor(mean.neg() * scale.clone()).no_grad();
        self.scale = Param::from_tensor(scale).no_grad();
    }

    fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        maps * self.scale.val() + self.offset.val()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn each_channel_is_standardised_and_each_cell_embedded() {
        let device = Device::flex();
        let config = CellsConfig { fine: 2, coarse: 3, width: 5 };
        let mut cells = config.init(&mut ChaCha8Rng::seed_from_u64(1), &device);
        let shape = [2, config.channels(), 4, 6];
        let values: Vec<f32> = (0_u16..2 * 11 * 24).map(|it| f32::from(it * 37 % 101)).collect();
        let maps = Tensor::<4>::from_data(TensorData::new(values, shape), &device);
        cells.standardise(maps.clone());
        let [fine, coarse] = cells.maps(maps.clone());
        assert_eq!((fine.dims(), coarse.dims()), ([2, 2, 8, 12], [2, 3, 4, 6]));
        for maps in [cells.standard_fine.forward(fine), cells.standard_coarse.forward(coarse)] {
            let means = maps.clone().mean_dim(0).mean_dim(2).mean_dim(3).abs().max();
            let squares = maps.square().mean_dim(0).mean_dim(2).mean_dim(3);
            assert!(means.into_scalar::<f32>() < 1e-4);
            assert!(squares.sub_scalar(1.0).abs().max().into_scalar::<f32>() < 1e-3);
        }
        assert_eq!(cells.forward(maps).dims(), [2 * 4 * 6, 5]);
    }
}
