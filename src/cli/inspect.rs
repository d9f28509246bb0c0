//! The command `siamese inspect`.

use std::path::PathBuf;

use clap::Args;
use siamese_core::model::{Description, Device, OnnxModel, Options, WeightKind, Weights};
use siamese_core::output;
use siamese_core::score::{Calibration, ChangeCalibration};

use super::{Failure, Outcome, json};
use crate::engine::judgement::{Criterion, Judge};
use crate::ops::telemetry::{self, LogFormat};

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The model's ONNX file.
    model: PathBuf,
    /// The device that runs the model: cpu, prefer-gpu or require-gpu.
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        telemetry::start(LogFormat::Text, "error");
        // Loading runs the golden pairs, and fails if one of them is wrong.
        let options = Options { device: self.device, ..Options::default() };
        let model = OnnxModel::load(&self.model, &options)?;
        let description = model.description().as_ref();
        output::print(if self.json { json(description) } else { text(description) })?;
        Ok(Outcome::Done)
    }
}

/// How the model finds changes, and how often it errs.
fn changes(changes: &ChangeCalibration) -> [(&'static str, String); 3] {
    let rates = |calibration: &Calibration| {
        let point = calibration.at(changes.threshold);
        let (same, different) = (calibration.same_pairs(), calibration.different_pairs());
        format!(
            "FMR {:.2} % of {different} changed ones, FNMR {:.3} % of {same} unchanged ones",
            100.0 * point.fmr,
            100.0 * point.fnmr
        )
    };
    [
        ("changes", format!("cells farther apart than {:.4}", changes.threshold.get())),
        ("cells", rates(&changes.cells)),
        ("images", rates(&changes.images)),
    ]
}

fn text(model: &Description) -> String {
    let card = model.card.as_ref();
    let preprocessing = &card.preprocessing;
    let [channels, height, width] = preprocessing.shape();
    let stated = |number: Option<f64>| {
        number.map_or("not stated".to_owned(), |number| format!("{number:.4}"))
    };
    let golden = match &card.golden {
        Some(golden) => format!("{} pairs pass on this machine", golden.pairs.len()),
        None => "the model carries none".to_owned(),
    };
    let mut lines = vec![("name", card.name.clone())];
    let statements = [("purpose", &card.purpose), ("limits", &card.limits)];
    for (name, statement) in statements {
        lines.extend(statement.as_ref().map(|statement| (name, statement.to_string())));
    }
    lines.extend([
        ("digest", model.digest.clone()),
        ("runs on", format!("{} ({:?})", model.provider.device(), model.provider)),
        (
            "input",
            format!(
                "{channels} x {height} x {width}, {}, {}",
                preprocessing.colour, preprocessing.fit
            ),
        ),
        (
            "align",
            card.align.as_ref().map_or("no: the whole image is used".to_owned(), |align| {
                format!("the face, with eyes, nose and mouth at {}", align.points)
            }),
        ),
        (
            "values",
            format!(
                "(byte * {} - {:?}) / {:?}",
                preprocessing.scale, preprocessing.mean, preprocessing.std
            ),
        ),
        ("embedding", format!("{} numbers, {}", model.width, card.length)),
        ("batches", if model.one_at_a_time { "one image per run" } else { "any size" }.to_owned()),
        ("golden", golden),
        ("margin", stated(card.margin)),
        ("threshold", stated(card.threshold.map(f64::from))),
    ]);
    if let Some(calibration) = &card.calibration {
        let (same, different) = (calibration.same_pairs(), calibration.different_pairs());
        let (data, split) = (calibration.data(), calibration.split());
        let identities = calibration.identities();
        lines.push((
            "calibration",
            format!("{data}, {split}: {identities} identities, {same} same and {different} different pairs"),
        ));
        lines.push(("EER", format!("{:.2} %", 100.0 * calibration.eer())));
        for fmr in [0.1, 0.01, 0.001] {
            let point = Judge::new(Criterion::Fmr(fmr), None, card)
                .map(|judge| calibration.at(judge.threshold()))
                .map_or_else(
                    |why| why.to_string(),
                    |point| {
                        format!(
                            "threshold {:.4}, FNMR {:.2} %",
                            point.threshold.get(),
                            100.0 * point.fnmr
                        )
                    },
                );
            lines.push(("FMR", format!("at most {} %: {point}", 100.0 * fmr)));
        }
    }
    lines.extend(card.changes.iter().flat_map(changes));
    lines.push((
        "familiarity",
        card.familiarity.as_ref().map_or_else(
            || "not described: calibrate the model again, so that it warns of images unlike those of the calibration".to_owned(),
            |described| {
                let (images, identities) = (described.images(), described.identities());
                format!("compared with {images} images of {identities} identities")
            },
        ),
    ));
    if let Some(reduction) = &card.reduction {
        lines.push(("reduction", reduction.to_string()));
    }
    if let Some(Weights { kind: WeightKind::Int8, made_from, drift }) = &card.weights {
        lines.push(("weights", format!("int8, made from {made_from}")));
        lines.push(("drift", drift.to_string()));
    }
    if let Some(provenance) = card.published_provenance() {
        lines.push(("provenance", provenance.to_string()));
    }
    lines.iter().fold(String::new(), |text, (name, value)| text + &format!("{name:>12}  {value}\n"))
}
