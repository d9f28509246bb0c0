//! The command `siamese compare`.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use siamese_core::file::shown;
use siamese_core::model::{Description, Signature};
use siamese_core::output;
use siamese_core::score::Verdict;

use super::images::Images;
use super::images::files::{PathInJson, files};
use super::{Failure, ModelArgs, Outcome, criterion, json};
use crate::engine::cache::EmbeddedImage;
use crate::engine::deployment::Tuning;
use crate::engine::judgement::{JudgedPair, Warning};
use crate::ops::settings::DEFAULT_MODEL;
use crate::ops::telemetry;

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The first image file.
    a: PathBuf,
    /// The second image file; or several files or folders, which are printed in order of their distance from A.
    #[arg(required = true)]
    b: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Decide by this threshold instead of the model's own.
    #[arg(long, value_name = "X", conflicts_with = "fmr")]
    threshold: Option<f64>,
    /// Decide by the operating point with the largest threshold whose false match rate (FMR) is at most this.
    #[arg(long, value_name = "X")]
    fmr: Option<f64>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    pair: &'a JudgedPair,
    model: Signature<'a>,
}

#[derive(Serialize)]
struct Many<'a> {
    results: &'a [OtherImage],
    model: Signature<'a>,
}

/// The judgement on one of several images that are compared with the first.
#[derive(Serialize)]
struct OtherImage {
    #[serde(flatten)]
    path: PathInJson,
    #[serde(flatten)]
    pair: JudgedPair,
}

impl Compare {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let settings = self.model.settings(DEFAULT_MODEL)?;
        telemetry::start(settings.log.format, "error");
        let criterion = criterion(self.threshold, self.fmr)?;
        let others = files(&self.b)?;
        let is_one = matches!(self.b.as_slice(), [only] if !only.is_dir());
        let images = Images::load(settings, Tuning::None)?;
        let model = images.model();
        let judge = images.judge(criterion)?;

        let paths = [vec![self.a.clone()], others].concat();
        let (mut first, mut results, mut unreadable) =
            (None::<EmbeddedImage>, Vec::new(), Vec::new());
        let one = shown(&self.a);
        images.embed(&paths, |path, embedded| {
            match (embedded, &first) {
                (Ok(image), None) => first = Some(image),
                (Ok(image), Some(first)) => {
                    let other = shown(path);
                    let names = [one.as_str(), other.as_str()];
                    let pair = JudgedPair::of(&judge, [first, &image], names);
                    results.push(OtherImage { path: path.into(), pair });
                }
                (Err(why), Some(_)) if !is_one => {
                    unreadable.push(format!("{}: {why}", shown(path)));
                }
                (Err(why), _) => {
                    return Err(Failure::Caller(format!("{}: {why}", shown(path))));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if !(is_one || self.json) {
            note_warnings(&results);
        }
        results.sort_by(|a, b| {
            let [a, b] = [a, b].map(|other| other.pair.judgement.distance.get());
            a.total_cmp(&b)
        });
        output::print(if is_one {
            self.text_of_one(&results[0].pair, model)
        } else {
            self.text_of_many(&results, model)
        })?;
        if !unreadable.is_empty() {
            output::note(&unreadable.join("\n"));
            let why =
                format!("{} of {} files could not be compared", unreadable.len(), paths.len() - 1);
            return Err(Failure::Caller(why));
        }
        let is_same = results.iter().any(|other| other.pair.judgement.verdict == Verdict::Same);
        Ok(if is_same { Outcome::Done } else { Outcome::Negative })
    }

    fn text_of_one(&self, pair: &JudgedPair, model: &Description) -> String {
        if self.json {
            json(&One { pair, model: model.signature() })
        } else {
            let warnings = pair.warnings.iter().map(|warning| line(warning) + ".");
            let lines: Vec<String> = [pair.judgement.text()].into_iter().chain(warnings).collect();
            lines.join("\n") + "\n"
        }
    }

    fn text_of_many(&self, results: &[OtherImage], model: &Description) -> String {
        if self.json {
            return json(&Many { results, model: model.signature() });
        }
        let row = |OtherImage { path, pair: JudgedPair { judgement, .. } }: &OtherImage| {
            let (verdict, distance) = (judgement.verdict.word(), judgement.distance.get());
            format!("{verdict:9}  {distance:.4}  {}\n", shown(&path.to_path()))
        };
        results.iter().map(row).collect()
    }
}

/// A warning as one line.
fn line(Warning { field, detail, .. }: &Warning) -> String {
    format!("{field}: {detail}")
}

/// Notes the warnings of several pairs, each once: all pairs share the first image.
fn note_warnings(results: &[OtherImage]) {
    let mut noted = HashSet::new();
    for warning in results.iter().flat_map(|other| &other.pair.warnings) {
        if noted.insert((&warning.field, warning.code)) {
            output::note(&line(warning));
        }
    }
}
