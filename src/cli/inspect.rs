//! `siamese inspect`

use std::path::PathBuf;

use clap::Args;
use siamese_core::model::{Description, Device, OnnxTower, Options, WeightKind, Weights};

use super::{Failure, Outcome};
use crate::engine::judgement::{Criterion, Judge};
use crate::ops::telemetry::{self, LogFormat};

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The tower's ONNX file.
    tower: PathBuf,
    /// Where it runs: cpu, prefer-gpu or require-gpu.
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        telemetry::start(LogFormat::Text, "error");
        // Loading runs the golden pairs: a tower that misses them is no tower here.
        let options = Options { device: self.device, ..Options::default() };
        let tower = OnnxTower::load(&self.tower, &options)?;
        let description = tower.description().as_ref();
        if self.json {
            let text = serde_json::to_string_pretty(description);
            println!("{}", text.expect("text keys, finite numbers"));
        } else {
            print!("{}", text(description));
        }
        Ok(Outcome::Done)
    }
}

fn text(tower: &Description) -> String {
    let card = tower.card.as_ref();
    let preparation = &card.preparation;
    let [channels, height, width] = preparation.shape();
    let stated =
        |number: Option<f64>| number.map_or("not stated".to_owned(), |it| format!("{it:.4}"));
    let golden = match &card.golden {
        Some(golden) => format!("{} pairs hold here", golden.pairs.len()),
        None => "it carries none".to_owned(),
    };
    let mut lines = vec![
        ("name", card.name.clone()),
        ("digest", tower.digest.clone()),
        ("runs on", format!("{} ({:?})", tower.provider.device(), tower.provider)),
        (
            "input",
            format!("{channels} x {height} x {width}, {}, {}", preparation.colour, preparation.fit),
        ),
        (
            "values",
            format!(
                "(byte * {} - {:?}) / {:?}",
                preparation.scale, preparation.mean, preparation.std
            ),
        ),
        ("embedding", format!("{} numbers, {}", tower.width, card.length)),
        (
            "batches",
            if tower.one_at_a_time { "one picture a run" } else { "of any size" }.to_owned(),
        ),
        ("golden", golden),
        ("margin", stated(card.margin)),
        ("threshold", stated(card.threshold.map(f64::from))),
    ];
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
                    |it| {
                        format!(
                            "threshold {:.4}, FNMR {:.2} %",
                            it.threshold.get(),
                            100.0 * it.fnmr
                        )
                    },
                );
            lines.push(("FMR", format!("at most {} %: {point}", 100.0 * fmr)));
        }
    }
    if let Some(Weights { kind: WeightKind::Int8, made_from, drift }) = &card.weights {
        lines.push(("weights", format!("int8, made from {made_from}")));
        lines.push(("drift", drift.to_string()));
    }
    if let Some(provenance) = &card.provenance {
        lines.push(("provenance", provenance.to_string()));
    }
    lines.iter().fold(String::new(), |text, (name, value)| text + &format!("{name:>12}  {value}\n"))
}
