//! A finished model in a smaller and faster form, for what it is measured to cost.
//!
//! Knows a finished model alone: which layers become smaller, how far that moves the distances of
//! identities held out, and that there is none beyond a bound.

mod blocks;
mod drift;
mod layers;

use siamese_core::model::{Drift, LoadError, NotOnnx, OnnxModel, WeightKind, Weights, rewrite};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Threshold;
use thiserror::Error;

use super::{ExportError, golden_pairs, in_memory, on_cpu, run};
use crate::evaluate::{Embedded, EmbeddedError};
use crate::statistics::NotComparable;
pub use layers::LayersError;

/// How far a distance may depend on what else is in the batch, as a share of it.
const BATCH_TOLERANCE: f64 = 1e-5;
/// How many images are embedded both alone and together to see that.
const BATCH: usize = 32;

/// A smaller model.
#[derive(Clone, Debug)]
pub struct Smaller {
    /// Its file.
    pub onnx: Vec<u8>,
    /// How far it moves the distances.
    pub drift: Drift,
}

/// Why there is no smaller model.
#[derive(Debug, Error)]
pub enum Int8Error {
    /// A model can't embed the images.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The model has no smaller form.
    #[error(transparent)]
    Layers(#[from] LayersError),
    /// The model's file is not what was loaded.
    #[error(transparent)]
    NotOnnx(#[from] NotOnnx),
    /// The smaller model does not load.
    #[error("the new model does not load, so it was not written")]
    Load(#[source] LoadError),
    /// The smaller model does not run, or tells nothing apart.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The images make no pairs.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
    /// An answer would depend on whose images wait beside it.
    #[error(
        "the smaller model's distances change by {0:.1e} with what else is in the batch, above \
         {BATCH_TOLERANCE:.0e}, so it was not written"
    )]
    BatchDependent(f64),
    /// It costs more than was allowed.
    #[error(
        "{:.3} % of {} verdicts flip, above the {:.3} % of --max-flipped, so the model was not written",
        100.0 * .drift.flipped, .drift.pairs, 100.0 * .most
    )]
    Flipped {
        /// What was measured.
        drift: Box<Drift>,
        /// What was allowed.
        most: f64,
    },
}

/// Makes `onnx` smaller, which has embedded `before`, and measures what that costs at the `threshold`; `split` says how
/// the identities relate to the training, and `most` which share of the verdicts may change.
pub fn shrink(
    onnx: &[u8],
    before: &Embedded,
    threshold: Threshold,
    split: &str,
    most: f64,
) -> Result<Smaller, Int8Error> {
    let smaller = layers::quantize(onnx)?;
    let mut card = before.card().clone();
    card.golden = None;
    let bare = rewrite(&smaller, &card.to_metadata())?;
    let mut model =
        in_memory("the smaller model".as_ref(), bare, &on_cpu()).map_err(Int8Error::Load)?;
    let pixels: Vec<_> =
        before.gallery().samples().iter().take(BATCH).map(|it| it.pixels.clone()).collect();
    let dependence = batch_dependence(&mut model, &pixels)?;
    if BATCH_TOLERANCE < dependence {
        return Err(Int8Error::BatchDependent(dependence));
    }
    let mut golden = golden_pairs(&mut model, &card)?;

    let drift = drift::measure(before, &before.again(&mut model)?, threshold, split)?;
    if most < drift.flipped {
        return Err(Int8Error::Flipped { drift: Box::new(drift), most });
    }
    // Where no kernel rounds what comes in, a distance may be off by as much as rounding moved it.
    golden.tolerance = golden.tolerance.max(drift.largest);
    card.golden = Some(golden);
    let made_from = before.model().digest.clone();
    card.weights = Some(Weights { kind: WeightKind::Int8, made_from, drift: drift.clone() });
    Ok(Smaller { onnx: rewrite(&smaller, &card.to_metadata())?, drift })
}

/// The largest change of a distance between neighbours when all images run together instead of
/// alone, as a share of the distance.
fn batch_dependence(model: &mut OnnxModel, images: &[Pixels]) -> Result<f64, ExportError> {
    let together = run(model, images)?;
    let alone = images
        .iter()
        .map(|it| Ok(run(model, std::slice::from_ref(it))?.remove(0)))
        .collect::<Result<Vec<_>, ExportError>>()?;
    let changes = together.windows(2).zip(alone.windows(2)).map(|(together, alone)| {
        let [together, alone] = [together, alone].map(|it| it[0].distance(&it[1]).get());
        let change = (together - alone).abs();
        if change == 0.0 { 0.0 } else { change / alone }
    });
    Ok(changes.fold(0.0, f64::max))
}
