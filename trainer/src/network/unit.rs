//! The unit of the compact network: convolution, batch norm, `ReLU` and pooling.

use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

/// Applies convolution, batch norm, `ReLU`, and 2x2 max pooling if `pooled`.
///
/// On the CPU, with the feature `kernels`, this is one fused operation. Otherwise it uses burn's operations.
///
/// # Shapes
///
/// - `maps`: `[n, in, height, width]`
/// - out: `[n, out, height, width]` of what the convolution gives, or half the sides
pub(super) fn unit(
    maps: Tensor<4>,
    convolution: &Conv2d,
    norm: &BatchNorm,
    pooled: bool,
) -> Tensor<4> {
    #[cfg(feature = "kernels")]
    if let Some(maps) = super::fused::unit(&maps, convolution, norm, pooled) {
        return maps;
    }
    of_burns_operations(maps, convolution, norm, pooled)
}

/// Applies the unit with burn's operations, on any device.
pub(super) fn of_burns_operations(
    maps: Tensor<4>,
    convolution: &Conv2d,
    norm: &BatchNorm,
    pooled: bool,
) -> Tensor<4> {
    let maps = relu(norm.forward(convolution.forward(maps)));
    if pooled { max_pool2d(maps, MaxPoolOptions::new([2, 2]).with_stride([2, 2])) } else { maps }
}
