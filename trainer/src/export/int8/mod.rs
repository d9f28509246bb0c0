//! A smaller and faster form of a finished model, with a measurement of its errors.
//!
//! It quantises the large layers, measures the change of distances on held-out identities, and rejects the result if too
//! many verdicts change.

mod blocks;
mod convolutions;
mod drift;
mod layers;
mod ranges;

use siamese_core::model::{
    Card, Drift, LoadError, NotOnnx, OnnxModel, WeightKind, Weights, rewrite,
};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Threshold;
use thiserror::Error;

use super::{ExportError, golden_pairs, in_memory, on_cpu, run};
use crate::evaluate::{Embedded, EmbeddedError};
use crate::statistics::NotComparable;
pub use layers::LayersError;

/// The largest relative change of a distance with the other images of the batch.
const BATCH_TOLERANCE: f64 = 1e-5;
/// The number of images that are embedded alone and together to check this.
const BATCH: usize = 32;

/// A smaller model.
#[derive(Clone, Debug)]
pub struct Smaller {
    /// The ONNX file.
    pub onnx: Vec<u8>,
    /// The change of the distances.
    pub drift: Drift,
}

/// No smaller model could be made.
#[derive(Debug, Error)]
pub enum Int8Error {
    /// A model cannot embed the images.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The model cannot be quantised.
    #[error(transparent)]
    Layers(#[from] LayersError),
    /// The file is not ONNX.
    #[error(transparent)]
    NotOnnx(#[from] NotOnnx),
    /// The network runs several images for one.
    #[error(
        "the network looks at several views of each image, so the ranges of its tensors can't be told: serve the model \
         unchanged"
    )]
    Views,
    /// The operators can't be quantised by channel.
    #[error(
        "the model uses version {0} of ONNX's operators, and int8 needs at least 13: export it with opset_version=17"
    )]
    OldOperators(i64),
    /// The smaller model does not load.
    #[error("the new model does not load, so it was not written")]
    Load(#[source] LoadError),
    /// The smaller model fails on the golden images, or gives them the same embedding.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The images cannot be compared.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
    /// The distances depend on the other images of the batch.
    #[error(
        "the smaller model's distances change by {0:.1e} with the other images of the batch, above \
         {BATCH_TOLERANCE:.0e}, so it was not written"
    )]
    BatchDependent(f64),
    /// Too many verdicts change.
    #[error(
        "{:.3} % of {} verdicts flip, above the {:.3} % of --max-flipped, so the model was not written",
        100.0 * .drift.flipped, .drift.pairs, 100.0 * .max_flipped
    )]
    Flipped {
        /// The measured change.
        drift: Box<Drift>,
        /// The allowed share of changed verdicts.
        max_flipped: f64,
    },
}

/// Makes a smaller form of `onnx`, and measures the changed verdicts at `threshold`.
///
/// `images` are inputs of the model, which determine the ranges of activations; without any, only linear layers are
/// quantised. `before` contains the embeddings of the original model. `split` describes how the identities relate to the training
/// data. `max_flipped` is the allowed share of changed verdicts.
pub fn shrink(
    onnx: &[u8],
    images: &[Pixels],
    before: &Embedded,
    threshold: Threshold,
    split: &str,
    max_flipped: f64,
) -> Result<Smaller, Int8Error> {
    let smaller = quantize(onnx, before.card(), images)?;
    let mut card = before.card().clone();
    card.golden = None;
    // It was measured with the weights before. A calibration measures it again.
    card.reduction = None;
    let bare = rewrite(&smaller, &card.to_metadata())?;
    let mut model =
        in_memory("the smaller model".as_ref(), bare, &on_cpu()).map_err(Int8Error::Load)?;
    let pixels: Vec<_> =
        before.gallery().samples().iter().take(BATCH).map(|sample| sample.pixels.clone()).collect();
    let dependence = batch_dependence(&mut model, &pixels)?;
    if BATCH_TOLERANCE < dependence {
        return Err(Int8Error::BatchDependent(dependence));
    }
    let mut golden = golden_pairs(&mut model, &card)?;

    let drift = drift::measure(before, &before.again(&mut model)?, threshold, split)?;
    if max_flipped < drift.flipped {
        return Err(Int8Error::Flipped { drift: Box::new(drift), max_flipped });
    }
    // On a machine whose kernels do not round activations, a distance may differ by as much as rounding changes it.
    golden.tolerance = golden.tolerance.max(drift.largest);
    card.golden = Some(golden);
    let made_from = before.model().digest.clone();
    card.weights = Some(Weights { kind: WeightKind::Int8, made_from, drift: drift.clone() });
    Ok(Smaller { onnx: rewrite(&smaller, &card.to_metadata())?, drift })
}

/// Quantises the convolutions and the large linear layers of a file.
fn quantize(onnx: &[u8], card: &Card, images: &[Pixels]) -> Result<Vec<u8>, Int8Error> {
    let convolutions =
        if images.is_empty() { None } else { convolutions::quantize(onnx, card, images)? };
    match (layers::quantize(convolutions.as_deref().unwrap_or(onnx)), convolutions) {
        (Err(LayersError::NoneLarge), Some(convolutions)) => Ok(convolutions),
        (result, _) => Ok(result?),
    }
}

/// Returns the largest relative change of a distance between neighbours when all images run in one batch instead of
/// alone.
fn batch_dependence(model: &mut OnnxModel, images: &[Pixels]) -> Result<f64, ExportError> {
    let together = run(model, images)?;
    let alone = images
        .iter()
        .map(|image| Ok(run(model, std::slice::from_ref(image))?.remove(0)))
        .collect::<Result<Vec<_>, ExportError>>()?;
    let changes = together.windows(2).zip(alone.windows(2)).map(|(together, alone)| {
        let [together, alone] = [together, alone].map(|pair| pair[0].distance(&pair[1]).get());
        let change = (together - alone).abs();
        if change == 0.0 { 0.0 } else { change / alone }
    });
    Ok(changes.fold(0.0, f64::max))
}
