//! Measurement of a network during training.

use burn::tensor::{Device, Tensor, TensorData};
use siamese_core::score::{Embedding, InvalidEmbedding, NoPairs, Scores};
use thiserror::Error;

use crate::data::Gallery;
use crate::network::{Dropout, Network};

/// The network's output is not an embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the network's output for image {image} is not an embedding")]
pub struct NotFinite {
    /// The index of the image.
    pub image: usize,
    /// The reason.
    #[source]
    pub cause: InvalidEmbedding,
}

/// The number of images per batch.
const CHUNK: usize = 64;

/// Embeds images with a network in evaluation mode; returns one embedding per image, in order.
///
/// # Errors
///
/// If an embedding is not finite, as after a training that diverged.
#[expect(clippy::missing_panics_doc, reason = "networks are in single precision")]
pub fn embed(
    network: &Network,
    unit: bool,
    images: &[&[f32]],
    [channels, height, width]: [usize; 3],
    device: &Device,
) -> Result<Vec<Embedding>, NotFinite> {
    let mut embeddings = Vec::with_capacity(images.len());
    for chunk in images.chunks(CHUNK) {
        let values = TensorData::new(chunk.concat(), [chunk.len(), channels, height, width]);
        let rows = network.forward(Tensor::from_data(values, device), &mut Dropout::off());
        let [_, n_coordinates] = rows.dims();
        let values =
            rows.into_data().try_to_vec::<f32>().expect("networks are in single precision");
        for row in values.chunks_exact(n_coordinates) {
            let embedding = Embedding::new(row);
            let embedding = if unit { embedding.and_then(Embedding::into_unit) } else { embedding };
            let image = embeddings.len();
            embeddings.push(embedding.map_err(|cause| NotFinite { image, cause })?);
        }
    }
    Ok(embeddings)
}

/// Measures the distances of all pairs of a gallery, or of the listed pairs.
///
/// # Errors
///
/// See [`embed`].
pub fn measure(
    network: &Network,
    unit: bool,
    gallery: &Gallery,
    shape: [usize; 3],
    device: &Device,
) -> anyhow::Result<Scores> {
    let images: Vec<_> = gallery.samples().iter().map(|sample| sample.pixels.values()).collect();
    let embeddings = embed(network, unit, &images, shape, device)?;
    Ok(scores(gallery, &embeddings)?)
}

/// Compares all pairs of a gallery, or the listed ones. There is one embedding per image, in order.
pub(super) fn scores(gallery: &Gallery, embeddings: &[Embedding]) -> Result<Scores, NoPairs> {
    let (mut same, mut different) = (Vec::new(), Vec::new());
    if let Some(listing) = gallery.listing() {
        for pair in listing.pairs() {
            let distances = if pair.is_same { &mut same } else { &mut different };
            distances.push(embeddings[pair.left].distance(&embeddings[pair.right]));
        }
        return Scores::new(&same, &different);
    }
    for (index, left) in embeddings.iter().enumerate() {
        for (offset, right) in embeddings[index + 1..].iter().enumerate() {
            let samples = gallery.samples();
            let is_same = samples[index].identity == samples[index + 1 + offset].identity;
            let distances = if is_same { &mut same } else { &mut different };
            distances.push(left.distance(right));
        }
    }
    Scores::new(&same, &different)
}
