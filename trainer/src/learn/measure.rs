//! How well a network tells identities apart.

use anyhow::Context;
use burn::tensor::{Device, Tensor, TensorData};
use siamese::score::{Embedding, Scores};

use crate::data::Gallery;
use crate::network::{Dropout, Network};

/// How many pictures are embedded at once.
const CHUNK: usize = 64;

/// Embeds pictures with a network in evaluation, one embedding for each, in order.
///
/// # Errors
///
/// If an embedding is not finite, as after a run that went astray.
pub fn embed(
    network: &Network,
    unit: bool,
    pictures: &[&[f32]],
    [channels, height, width]: [usize; 3],
    device: &Device,
) -> anyhow::Result<Vec<Embedding>> {
    let mut embeddings = Vec::with_capacity(pictures.len());
    for chunk in pictures.chunks(CHUNK) {
        let values = TensorData::new(chunk.concat(), [chunk.len(), channels, height, width]);
        let rows = network.forward(Tensor::from_data(values, device), &mut Dropout::off());
        let [_, n_coordinates] = rows.dims();
        let values = rows.into_data().try_to_vec::<f32>().context("single precision")?;
        for row in values.chunks_exact(n_coordinates) {
            let embedding = Embedding::new(row)?;
            embeddings.push(if unit { embedding.into_unit()? } else { embedding });
        }
    }
    Ok(embeddings)
}

/// The distances of all pairs of a gallery.
///
/// # Errors
///
/// As [`embed`].
pub fn measure(
    network: &Network,
    unit: bool,
    gallery: &Gallery,
    shape: [usize; 3],
    device: &Device,
) -> anyhow::Result<Scores> {
    let pictures: Vec<_> = gallery.samples().iter().map(|it| it.pixels.values()).collect();
    let embeddings = embed(network, unit, &pictures, shape, device)?;
    let (mut same, mut different) = (Vec::new(), Vec::new());
    for (at, left) in embeddings.iter().enumerate() {
        for (beyond, right) in embeddings[at + 1..].iter().enumerate() {
            let samples = gallery.samples();
            let is_same = samples[at].identity == samples[at + 1 + beyond].identity;
            let distances = if is_same { &mut same } else { &mut different };
            distances.push(left.distance(right));
        }
    }
    Ok(Scores::new(&same, &different)?)
}
