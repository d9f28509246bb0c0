//! How well a network tells identities apart.

use burn::tensor::{Device, Tensor, TensorData};
use siamese_core::score::{Embedding, InvalidEmbedding, Scores};
use thiserror::Error;

use crate::data::Gallery;
use crate::network::{Dropout, Network};

/// A network's output that is no embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the network's output for image {image} is no embedding")]
pub struct NotFinite {
    /// Which of those embedded.
    pub image: usize,
    /// What is wrong with it.
    #[source]
    pub cause: InvalidEmbedding,
}

/// How many images are embedded at once.
const CHUNK: usize = 64;

/// Embeds images with a network in evaluation, one embedding for each, in order.
///
/// # Errors
///
/// If an embedding is not finite, as after a run that went astray.
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

/// The distances of all pairs of a gallery, or of those that are listed.
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
    let images: Vec<_> = gallery.samples().iter().map(|it| it.pixels.values()).collect();
    let embeddings = embed(network, unit, &images, shape, device)?;
    let (mut same, mut different) = (Vec::new(), Vec::new());
    if let Some(listing) = gallery.listing() {
        for pair in listing.pairs() {
            let distances = if pair.is_same { &mut same } else { &mut different };
            distances.push(embeddings[pair.left].distance(&embeddings[pair.right]));
        }
        return Ok(Scores::new(&same, &different)?);
    }
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
