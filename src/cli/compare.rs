//! `siamese compare`

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use siamese_core::model::{Description, Signature};
use siamese_core::score::{Embedding, Threshold, Verdict};

use super::files::files;
use super::images::Images;
use super::{Failure, ModelArgs, Outcome};
use crate::engine::deployment::Tuning;
use crate::engine::judgement::{Criterion, Judge, Judgement};
use crate::ops::telemetry;

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// An image's file.
    a: PathBuf,
    /// Another; or several, or folders, whose images are sorted by their distance from A, the nearest first.
    #[arg(required = true)]
    b: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Judge by this threshold.
    #[arg(long, value_name = "X", conflicts_with = "fmr")]
    threshold: Option<f64>,
    /// Judge by the model's operating point whose FMR is at most this.
    #[arg(long, value_name = "X")]
    fmr: Option<f64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    judgement: &'a Judgement,
    model: Signature<'a>,
}

#[derive(Serialize)]
struct Many<'a> {
    results: &'a [Against],
    model: Signature<'a>,
}

/// What is said of one of many.
#[derive(Serialize)]
struct Against {
    path: PathBuf,
    #[serde(flatten)]
    judgement: Judgement,
}

impl Compare {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let settings = self.model.settings(None)?;
        telemetry::start(settings.log.format, "error");
        let criterion = self.criterion()?;
        let others = files(&self.b)?;
        let is_one = matches!(self.b.as_slice(), [only] if !only.is_dir());
        let threshold = settings.model.threshold;
        let images = Images::load(settings, Tuning::None)?;
        let model = images.model();
        let judge =
            Judge::new(criterion, threshold, &model.card).map_err(|err| Failure::caller(&err))?;

        let all = [vec![self.a.clone()], others].concat();
        let (mut first, mut results, mut unreadable) = (None::<Embedding>, Vec::new(), Vec::new());
        images.embed(&all, |path, made| {
            match (made, &first) {
                (Ok(embedding), None) => first = Some(embedding),
                (Ok(embedding), Some(first)) => {
                    let judgement = judge.judge(first.distance(&embedding));
                    results.push(Against { path: path.to_owned(), judgement });
                }
                (Err(why), Some(_)) if !is_one => {
                    unreadable.push(format!("{}: {why}", path.display()));
                }
                (Err(why), _) => {
                    return Err(Failure::Caller(format!("{}: {why}", path.display())));
                }
            }
            Ok(())
        })?;
        results.sort_by(|a, b| a.judgement.distance.get().total_cmp(&b.judgement.distance.get()));
        if is_one {
            self.print_one(&results[0].judgement, model);
        } else {
            self.print_many(&results, model);
        }
        if !unreadable.is_empty() {
            let mut errors = io::stderr().lock();
            for line in &unreadable {
                // Where nobody reads it, the exit code still tells.
                let _ = writeln!(errors, "{line}");
            }
            let why = format!("{} of {} files could not be told", unreadable.len(), all.len() - 1);
            return Err(Failure::Caller(why));
        }
        let is_same = results.iter().any(|it| it.judgement.verdict == Verdict::Same);
        Ok(if is_same { Outcome::Done } else { Outcome::Negative })
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

    fn print_one(&self, judgement: &Judgement, model: &Description) {
        if self.json {
            json(&One { judgement, model: model.signature() });
        } else {
            println!("{}", judgement.text());
        }
    }

    fn print_many(&self, results: &[Against], model: &Description) {
        if self.json {
            json(&Many { results, model: model.signature() });
            return;
        }
        for Against { path, judgement } in results {
            let (verdict, distance) = (judgement.verdict.word(), judgement.distance.get());
            println!("{verdict:9}  {distance:.4}  {}", path.display());
        }
    }
}

fn json(printed: &impl Serialize) {
    println!("{}", serde_json::to_string_pretty(printed).expect("text keys, finite numbers"));
}
