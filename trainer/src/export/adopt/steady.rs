//! Whether a network answers an image alike, whatever is in the batch.

use siamese_core::model::OnnxModel;
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Embedding;

use super::AdoptError;
use crate::export::run;

/// How far an embedding may move, as a share of its length: far above what another order of sums
/// does, far below what batch norm in training or dropout do.
const TOLERANCE: f64 = 1e-3;

/// Runs images alone, twice, and then together, and compares.
///
/// # Errors
///
/// If an embedding moves by more than rounding does, or the network does not run.
pub(super) fn check(model: &mut OnnxModel, images: &[Pixels]) -> Result<(), AdoptError> {
    let alone = |model: &mut OnnxModel| -> Result<Vec<Embedding>, AdoptError> {
        images.iter().map(|it| Ok(run(model, std::slice::from_ref(it))?.remove(0))).collect()
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

/// How far apart the embeddings of one image lie at most, as a share of their length.
fn largest_move(left: &[Embedding], right: &[Embedding]) -> f64 {
    let moves = left.iter().zip(right).map(|(left, right)| {
        let length = left.coordinates().iter().map(|it| f64::from(*it).powi(2)).sum::<f64>();
        left.distance(right).get() / length.sqrt().max(f64::MIN_POSITIVE)
    });
    moves.fold(0.0, f64::max)
}
