//! `siamese compare`

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Failure, Outcome, TowerArgs, load};
use crate::judgement::{Criterion, Judge, Judgement};
use crate::model::{OnnxTower, Signature, Tower};
use crate::picture::{Limits, Pixels};
use crate::score::{Threshold, Verdict};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// A picture's file.
    a: PathBuf,
    /// Another.
    b: PathBuf,
    #[command(flatten)]
    tower: TowerArgs,
    /// Judge by this threshold.
    #[arg(long, value_name = "X", conflicts_with = "fmr")]
    threshold: Option<f64>,
    /// Judge by the tower's operating point whose FMR is at most this.
    #[arg(long, value_name = "X")]
    fmr: Option<f64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    judgement: &'a Judgement,
    model: Signature<'a>,
}

impl Compare {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let settings = self.tower.settings(None)?;
        telemetry::start(settings.log.format, "error");
        let criterion = self.criterion()?;
        let mut tower = load(&settings)?;
        let limits = settings.picture.limits();
        let pixels = [&self.a, &self.b]
            .into_iter()
            .map(|path| prepare(path, &tower, &limits))
            .collect::<Result<Vec<_>, _>>()?;
        let mut embeddings = Vec::with_capacity(2);
        for embedded in tower.embed(&pixels).map_err(|err| Failure::machine(&err))? {
            embeddings.push(embedded.map_err(|err| Failure::caller(&err))?);
        }
        let judge = Judge::new(criterion, settings.tower.threshold, tower.card())
            .map_err(|err| Failure::caller(&err))?;
        let judgement = judge.judge(embeddings[0].distance(&embeddings[1]));
        self.print(&judgement, &tower);
        Ok(match judgement.verdict {
            Verdict::Same => Outcome::Done,
            Verdict::Different => Outcome::Negative,
        })
    }

    fn criterion(&self) -> Result<Criterion, Failure> {
        Ok(match (self.threshold, self.fmr) {
            (Some(threshold), _) => Criterion::Threshold(
                Threshold::try_from(threshold).map_err(|err| Failure::caller(&err))?,
            ),
            (None, Some(fmr)) => Criterion::Fmr(fmr),
            (None, None) => Criterion::InForce,
        })
    }

    fn print(&self, judgement: &Judgement, tower: &OnnxTower) {
        if self.json {
            let model = tower.description().signature();
            let printed = Printed { judgement, model };
            println!(
                "{}",
                serde_json::to_string_pretty(&printed).expect("text keys, finite numbers")
            );
            return;
        }
        let verdict = match judgement.verdict {
            Verdict::Same => "same",
            Verdict::Different => "different",
        };
        let (distance, threshold) = (judgement.distance.get(), judgement.threshold.get());
        println!("{verdict}: distance {distance:.4}, threshold {threshold:.4}");
    }
}

/// Reads a picture's file for a tower.
pub(super) fn prepare(path: &Path, tower: &OnnxTower, limits: &Limits) -> Result<Pixels, Failure> {
    let named = |why: &dyn std::fmt::Display| Failure::Caller(format!("{}: {why}", path.display()));
    let upload = std::fs::read(path).map_err(|err| named(&err))?;
    tower.card().preparation.prepare(&upload, limits).map_err(|err| named(&err))
}
