//! The linear layer of a network, computed from the features of the training images.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::config::Whitening;
use crate::learn::batch::Supply;
use crate::network::{Network, Wavelet};

use super::{Labels, Layer, Principal, Whitened};

/// The number of images per batch of features.
const CHUNK: usize = 64;

impl Whitening {
    /// Computes the linear layer of a network from the features of all images and their augmented copies. A network
    /// without such a layer is unchanged.
    pub(in crate::learn) fn apply(
        self,
        network: &mut Network,
        supply: &Supply,
        shape: [usize; 3],
        random: &mut ChaCha8Rng,
        device: &Device,
    ) {
        let (images, labels) = supply.all(self.variations, random);
        match network {
            Network::Wavelet(network) => {
                self.apply_to_wavelets(network, &images, &labels, shape, device);
            }
            Network::Head(network) => {
                let [components, width] = network.layer.weight.dims();
                let principal = Principal::of(&images, components);
                let whitened = Whitened::of(self, &principal, &labels, components);
                set(&mut network.whitening, whitened.layer(), device);
                network.whitening = network.whitening.clone().no_grad();
                set(&mut network.layer, whitened.discriminant(&labels, width), device);
                network.layer.bias = None;
            }
            Network::Baseline(_) | Network::Compact(_) | Network::Cells(_) => {}
        }
    }

    fn apply_to_wavelets(
        self,
        network: &mut Wavelet,
        images: &[Vec<f32>],
        labels: &Labels,
        [channels, height, width]: [usize; 3],
        device: &Device,
    ) {
        let evaluation = device.clone().inner();
        let features = images.chunks(CHUNK).flat_map(|chunk| {
            let values = TensorData::new(chunk.concat(), [chunk.len(), channels, height, width]);
            let features = network.features(Tensor::from_data(values, &evaluation));
            let [_, n_features] = features.dims();
            let values = features.into_data().try_to_vec::<f32>();
            let values = values.expect("networks are in single precision");
            values.chunks_exact(n_features).map(<[f32]>::to_vec).collect::<Vec<_>>()
        });
        let mut features: Vec<_> = features.collect();
        let [_, n_coordinates] = network.head.weight.dims();
        let mirrored = network.mirrored();
        if let Some(partners) = mirrored {
            for row in &mut features {
                *row = averaged(row, partners, 1);
            }
        }
        let mut layer = self.fit(&features, labels, n_coordinates);
        if let Some(partners) = mirrored {
            // Averaging features is linear, so it becomes part of the layer.
            layer.weights = averaged(&layer.weights, partners, n_coordinates);
        }
        set(&mut network.head, layer, device);
    }
}

fn set(linear: &mut Linear, layer: Layer, device: &Device) {
    let shape = linear.weight.dims();
    let width = layer.bias.len();
    let weights = TensorData::new(layer.weights, shape);
    let bias = TensorData::new(layer.bias, [width]);
    linear.weight = Param::from_tensor(Tensor::from_data(weights, device));
    linear.bias = Some(Param::from_tensor(Tensor::from_data(bias, device)));
}

/// Averages each row of `width` values with its partner.
fn averaged(values: &[f32], partners: &[usize], width: usize) -> Vec<f32> {
    let rows: Vec<_> = values.chunks_exact(width).collect();
    let pairs = rows.iter().zip(partners).flat_map(|(row, partner)| row.iter().zip(rows[*partner]));
    pairs.map(|(one, other)| 0.5 * (one + other)).collect()
}
