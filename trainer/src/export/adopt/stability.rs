//! Checks that a network gives an image the same embedding in each run and in each batch.

use siamese_core::model::OnnxModel;
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Embedding;

use super::AdoptError;
use crate::export::{ExportError, run};

/// The largest change of an embedding, as a share of its length. It is far above rounding errors, and far below the effect
/// of dropout or batch norm in training mode.
const TOLERANCE: f64 = 1e-3;

/// Runs each image alone, twice, and then all images in one batch, and compares the embeddings.
///
/// # Errors
///
/// If an embedding changes by more than rounding errors, or the network fails.
pub(super) fn check(model: &mut OnnxModel, images: &[Pixels]) -> Result<(), AdoptError> {
    let run = |model: &mut OnnxModel, images: &[Pixels]| {
        run(model, images).map_err(|err| match err {
            ExportError::Embedding(cause) => AdoptError::Output(cause),
            err => err.into(),
        })
    };
    let alone = |model: &mut OnnxModel| -> Result<Vec<Embedding>, AdoptError> {
        images.iter().map(|image| Ok(run(model, std::slice::from_ref(image))?.remove(0))).collect()
    };
    let first = alone(model)?;
    let again = largest_move(&first, &alone(model)?);
    if TOLERANCE < again {
        return Err(AdoptError::Random(again));
    }
    let together = largest_move(&first, &run(model, images)?);
    if TOLERANCE < together {
        return Err(AdoptError::BatchDependent(together));
    }
    Ok(())
}

/// Returns the largest distance between two embeddings of one image, as a share of their length.
fn largest_move(left: &[Embedding], right: &[Embedding]) -> f64 {
    let moves = left.iter().zip(right).map(|(left, right)| {
        let length =
            left.coordinates().iter().map(|coordinate| f64::from(*coordinate).powi(2)).sum::<f64>();
        left.distance(right).get() / length.sqrt().max(f64::MIN_POSITIVE)
    });
    moves.fold(0.0, f64::max)
}
