//! The command, and the proofs a smaller tower must stand before it is written.

use std::path::PathBuf;
use std::{fs, io};

use clap::{Args, ValueEnum};
use siamese_core::model::{
    Device, Drift, NotOnnx, OnnxTower, Options, WeightKind, Weights, rewrite,
};
use siamese_core::picture::Pixels;
use thiserror::Error;

use super::{LayersError, drift, layers};
use crate::draft::{Draft, DraftError};
use crate::evaluate::{Chosen, Embedded, EmbeddedError};
use crate::export::{ExportError, golden_pairs, run};
use crate::statistics::NotComparable;

/// How far a distance may depend on what else is in the batch, as a share of it.
const BATCH_TOLERANCE: f64 = 1e-5;
/// How many pictures are embedded both alone and together to see that.
const BATCH: usize = 32;

/// Writes a tower in a smaller and faster form, if few enough verdicts on identities held out change
#[derive(Clone, Debug, Args)]
pub struct Export {
    /// The calibrated tower, and the identities to measure the change on: such as it was not trained
    /// on.
    #[command(flatten)]
    pub chosen: Chosen,
    /// What becomes of the weights
    #[arg(long, value_enum)]
    pub weights: WeightsWanted,
    /// The smaller tower's file
    #[arg(long, value_name = "TOWER")]
    pub out: PathBuf,
    /// The largest share of verdicts that may change for the tower to be written
    #[arg(long, value_name = "X", default_value_t = 0.002, value_parser = share)]
    pub max_flipped: f64,
}

/// The forms a tower can be exported in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WeightsWanted {
    /// Linear layers of 2^20 weights or more in 8 bits: a quarter of the size
    Int8,
}

/// Why there is no smaller tower; nothing was written then.
#[derive(Debug, Error)]
pub enum Int8Error {
    /// The tower or the pictures can't be used.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// There are no verdicts to change.
    #[error("{} states no threshold, so no verdict can be held against another: calibrate it first", .0.display())]
    NoThreshold(PathBuf),
    /// Its figures would flatter.
    #[error("{0}, named by --identities or --fold")]
    Seen(String),
    /// The tower has no smaller form.
    #[error(transparent)]
    Layers(#[from] LayersError),
    /// The tower's file is not what was loaded.
    #[error(transparent)]
    NotOnnx(#[from] NotOnnx),
    /// The smaller tower does not run, or tells nothing apart.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The pictures make no pairs.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
    /// An answer would depend on whose pictures wait beside it.
    #[error(
        "the smaller tower's distances change by {0:.1e} with what else is in the batch, above \
         {BATCH_TOLERANCE:.0e}, so it was not written"
    )]
    BatchDependent(f64),
    /// It costs more than was allowed.
    #[error(
        "{:.3} % of {} verdicts flip, above the {:.3} % of --max-flipped, so the tower was not written",
        100.0 * .drift.flipped, .drift.pairs, 100.0 * .most
    )]
    Flipped {
        /// What was measured.
        drift: Box<Drift>,
        /// What was allowed.
        most: f64,
    },
    /// The tower can't be read.
    #[error("{} can't be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The smaller tower can't be written, or does not load.
    #[error(transparent)]
    Draft(#[from] DraftError),
}

impl Export {
    /// Makes the smaller tower, measures what it costs, and writes it if that is within the bound;
    /// gives what there is to say.
    pub fn run(&self) -> Result<String, Int8Error> {
        // The small form is one for the CPU, and so is measured there.
        let options = Options { device: Device::Cpu, ..Options::default() };
        let path = &self.chosen.tower;
        let onnx = fs::read(path).map_err(|cause| Int8Error::Read { path: path.clone(), cause })?;
        let before = Embedded::load(&self.chosen, &options)?;
        let subject = before.subject();
        let mut card = before.tower().card().clone();
        let threshold = card.threshold.ok_or_else(|| Int8Error::NoThreshold(path.clone()))?;
        if let Some(warning) = subject.warning() {
            return Err(Int8Error::Seen(warning));
        }

        let smaller = layers::quantize(&onnx)?;
        let file = Draft::new(&self.out)?;
        card.golden = None;
        let mut tower = file.write(&rewrite(&smaller, &card.to_metadata())?, &options)?;
        let pixels: Vec<_> =
            before.gallery().samples().iter().take(BATCH).map(|it| it.pixels.clone()).collect();
        let dependence = batch_dependence(&mut tower, &pixels)?;
        if BATCH_TOLERANCE < dependence {
            return Err(Int8Error::BatchDependent(dependence));
        }
        let mut golden = golden_pairs(&mut tower, &card)?;

        let guess = self.chosen.pictures.choice(subject.unit);
        let split = subject.split().unwrap_or(guess);
        let drift = drift::measure(&before, &before.again(tower)?, threshold, split)?;
        if self.max_flipped < drift.flipped {
            return Err(Int8Error::Flipped { drift: Box::new(drift), most: self.max_flipped });
        }
        // Where no kernel rounds what comes in, a distance may be off by as much as rounding moved it.
        golden.tolerance = golden.tolerance.max(drift.largest);
        card.golden = Some(golden);
        let said = format!(
            "{}: {:.1} MB instead of {:.1} MB; {drift}\n",
            self.out.display(),
            megabytes(smaller.len()),
            megabytes(onnx.len()),
        );
        let made_from = subject.digest;
        card.weights = Some(Weights { kind: WeightKind::Int8, made_from, drift });
        file.write(&rewrite(&smaller, &card.to_metadata())?, &options)?;
        file.keep()?;
        Ok(said)
    }
}

/// The largest change of a distance between neighbours when all pictures run together instead of
/// alone, as a share of the distance.
fn batch_dependence(tower: &mut OnnxTower, pictures: &[Pixels]) -> Result<f64, ExportError> {
    let together = run(tower, pictures)?;
    let alone = pictures
        .iter()
        .map(|it| Ok(run(tower, std::slice::from_ref(it))?.remove(0)))
        .collect::<Result<Vec<_>, ExportError>>()?;
    let changes = together.windows(2).zip(alone.windows(2)).map(|(together, alone)| {
        let [together, alone] = [together, alone].map(|it| it[0].distance(&it[1]).get());
        let change = (together - alone).abs();
        if change == 0.0 { 0.0 } else { change / alone }
    });
    Ok(changes.fold(0.0, f64::max))
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|it| (0.0..=1.0).contains(it))
        .ok_or_else(|| "a share is a number from 0 to 1, such as 0.002".to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
