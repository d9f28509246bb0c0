//! The command `siamese changes`.

mod folders;
mod report;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use siamese_core::changes::{Align, AlignmentKind, Placement, Rectangle, Region};
use siamese_core::file::shown;
use siamese_core::model::{Description, Signature};
use siamese_core::output;
use siamese_core::score::Threshold;

use super::images::{Images, read};
use super::{Failure, ModelArgs, Outcome, criterion, json};
use crate::engine::deployment::Tuning;
use crate::engine::judgement::{ChangeJudge, ChangeVerdict, JudgedScene, Warning};
use crate::engine::pipeline::{Compared, Scene};
use crate::ops::settings::CHANGES_MODEL;
use crate::ops::telemetry;
use folders::Outcomes;

#[derive(Debug, Args)]
pub(super) struct Changes {
    /// The first image file, or a folder of image files.
    before: PathBuf,
    /// The second image file; or a folder, whose files are compared with those of the same names in BEFORE.
    after: PathBuf,
    /// Write a picture of the differences: for two files a PNG, for two folders a page (.html).
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// An image whose light pixels are not compared. It is stretched to the size of the second image.
    #[arg(long, value_name = "FILE")]
    ignore_image: Option<PathBuf>,
    /// A rectangle that is not compared: left, top, width and height in pixels of the second image. It can be repeated.
    #[arg(long, value_name = "X,Y,W,H", value_parser = rectangle)]
    ignore: Vec<Rectangle>,
    /// How the first image is brought onto the second: auto, none, shift or affine.
    #[arg(long, default_value_t)]
    align: Align,
    /// The side of a cell, in pixels of the second image. A larger cell is faster and sees less.
    #[arg(long, value_name = "PIXELS", value_parser = positive)]
    cell: Option<f64>,
    #[command(flatten)]
    model: ModelArgs,
    /// The largest distance of an unchanged cell. Default: that of the model's calibration.
    #[arg(long, value_name = "X", conflicts_with = "fmr")]
    threshold: Option<f64>,
    /// Decide by the operating point with the largest threshold that misses at most this share of changed cells.
    #[arg(long, value_name = "X")]
    fmr: Option<f64>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// The result for two files.
#[derive(Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    scene: JudgedScene,
    model: Signature<'a>,
}

impl Changes {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let settings = self.model.settings(CHANGES_MODEL)?;
        telemetry::start(settings.log.format, "error");
        let criterion = criterion(self.threshold, self.fmr)?;
        let is_folder = [&self.before, &self.after].map(|path| path.is_dir());
        self.check_out(is_folder)?;
        let images = Images::load(settings, Tuning::None)?;
        let model = images.model();
        if model.preprocessor.aligns() {
            let why = "the model aligns faces, so it can't compare images place by place; name another with --model";
            return Err(Failure::Caller(why.to_owned()));
        }
        let judge =
            ChangeJudge::new(criterion, &model.card).map_err(|err| Failure::caller(&err))?;
        match is_folder {
            [true, true] => self.folders(&images, &judge),
            [false, false] => self.files(&images, &judge, model),
            _ => Err(Failure::Caller("compare two files, or two folders".to_owned())),
        }
    }

    /// Checks what is written before anything is computed.
    fn check_out(&self, is_folder: [bool; 2]) -> Result<(), Failure> {
        let Some(out) = &self.out else { return Ok(()) };
        let extension = out.extension().map(OsStr::to_ascii_lowercase);
        let is = |name: &str| extension.as_deref().is_some_and(|extension| extension == name);
        match is_folder == [true, true] {
            true if !is("html") => Err(Failure::Caller(format!(
                "{}: the differences of two folders are a page; name it .html",
                shown(out)
            ))),
            false if !is("png") => Err(Failure::Caller(format!(
                "{}: the difference of two files is a PNG; name it .png",
                shown(out)
            ))),
            _ => Ok(()),
        }
    }

    fn files(
        &self,
        images: &Images,
        judge: &ChangeJudge,
        model: &Description,
    ) -> Result<Outcome, Failure> {
        let failed = |why: String| {
            let [before, after] = [&self.before, &self.after].map(|path| shown(path));
            Failure::Caller(format!("{before} and {after}: {why}"))
        };
        let compared = self.compare(images, &self.before, &self.after)?.map_err(failed)?;
        let verdict = judge.verdict(compared.distances.greatest());
        let regions = compared.regions(judge.threshold());
        if let Some(out) = &self.out {
            write(out, &compared.heat_map(judge.threshold()))?;
        }
        output::print(if self.json {
            let scene = JudgedScene::of(judge, &compared, regions);
            json(&Found { scene, model: model.signature() })
        } else {
            text(verdict, &compared, judge.threshold(), &regions)
        })?;
        Ok(outcome(verdict == ChangeVerdict::Changed))
    }

    fn folders(&self, images: &Images, judge: &ChangeJudge) -> Result<Outcome, Failure> {
        let outcomes = Outcomes::of(
            [&self.before, &self.after],
            judge,
            self.out.is_some(),
            |before, after| self.compare(images, before, after),
        )?;
        if let Some(out) = &self.out {
            write(out, report::page(&outcomes, judge.threshold()).as_bytes())?;
        }
        output::print(if self.json { json(&outcomes) } else { outcomes.text() })?;
        match outcomes.failed() {
            0 => Ok(outcome(outcomes.is_changed())),
            failed => Err(Failure::Caller(format!(
                "{failed} of {} files could not be compared",
                outcomes.len()
            ))),
        }
    }

    /// Compares two files. The inner error is a text for people.
    fn compare(
        &self,
        images: &Images,
        before: &Path,
        after: &Path,
    ) -> Result<Result<Compared, String>, Failure> {
        let bytes = |path: &Path| {
            read(path).map(Into::into).map_err(|err| format!("{}: {err}", shown(path)))
        };
        let scene = || {
            Ok(Scene {
                before: bytes(before)?,
                after: bytes(after)?,
                ignored_image: self.ignore_image.as_deref().map(bytes).transpose()?,
                ignored: self.ignore.clone(),
                align: self.align,
                cell: self.cell,
            })
        };
        match scene() {
            Ok(scene) => images.changes(scene),
            Err(why) => Ok(Err(why)),
        }
    }
}

fn outcome(is_changed: bool) -> Outcome {
    if is_changed { Outcome::Negative } else { Outcome::Done }
}

fn write(out: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(out, bytes).map_err(|err| Failure::Machine(format!("{}: {err}", shown(out))))
}

/// The verdict as a line with the numbers, and a line for each region.
fn text(
    verdict: ChangeVerdict,
    compared: &Compared,
    threshold: Threshold,
    regions: &[Region],
) -> String {
    const MOST: usize = 20;
    let (greatest, threshold) = (compared.distances.greatest(), threshold.get());
    let noun = if regions.len() == 1 { "region" } else { "regions" };
    let mut text = format!(
        "{}: {} {noun}, greatest distance {greatest:.4}, threshold {threshold:.4}\n",
        verdict.word(),
        regions.len()
    );
    for Warning { detail, .. } in Warning::about_scene(compared) {
        let _ = writeln!(text, "Note that {detail}.");
    }
    let Placement { kind, matrix, confidence, .. } = compared.alignment;
    if kind != AlignmentKind::None {
        let [x, y] = [matrix[0][2], matrix[1][2]];
        let _ = writeln!(text, "Aligned by {kind} ({x:.1}, {y:.1}), confidence {confidence:.2}.");
    }
    for Region { bounds: [x, y, width, height], distance, kind, .. } in regions.iter().take(MOST) {
        let (kind, distance) = (kind.word(), distance.greatest);
        let _ = writeln!(text, "{kind:8}  {x:.0},{y:.0}  {width:.0}x{height:.0}  {distance:.4}");
    }
    if MOST < regions.len() {
        let _ = writeln!(text, "and {} more", regions.len() - MOST);
    }
    text
}

fn rectangle(text: &str) -> Result<Rectangle, String> {
    let numbers: Option<Vec<f64>> =
        text.split(',').map(|number| number.trim().parse().ok()).collect();
    numbers
        .and_then(|numbers| Rectangle::try_from(numbers).ok())
        .filter(|numbers| numbers.iter().all(|number| number.is_finite()))
        .filter(|[.., width, height]| 0.0 <= *width && 0.0 <= *height)
        .ok_or_else(|| "it must be four numbers such as 10,20,300,40".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && 0.0 < *number)
        .ok_or_else(|| "it must be a positive number".to_owned())
}
