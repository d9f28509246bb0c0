//! `siamese-trainer adopt`: from anybody's ONNX file to a calibrated tower.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use siamese_core::model::{Card, Length, OnnxTower, Options, Outline, rewrite};
use siamese_core::picture::{Colour, Fit, Preparation};

use super::probe::{Said, probe};
use super::trial::{Usage, Verdict, try_others};
use super::{AdoptError, inline::inline, steady};
use crate::calibrate::Calibrate;
use crate::data::{Collection, Gallery, Listing, digest_of_file};
use crate::draft::Draft;
use crate::evaluate::{Chosen, Evaluate};
use crate::export::golden_pairs;

/// How many real pictures the network is run on alone and together.
const STEADY: usize = 9;

/// Makes a tower of somebody else's ONNX file: probes it, tries how its pictures are best prepared,
/// calibrates it on your pictures, and writes it with all that its use needs
#[derive(Clone, Debug, Args)]
pub struct Adopt {
    /// The network, and your pictures
    #[command(flatten)]
    pub chosen: Chosen,
    /// The tower's file to write
    #[arg(long, value_name = "TOWER")]
    pub out: PathBuf,
    /// Height and width of its pictures in pixels, or one side; by default what the file fixes
    #[arg(long, value_name = "HxW", value_parser = size)]
    pub input: Option<[u32; 2]>,
    /// Its channels: grey, rgb or bgr; by default grey for one, rgb for three
    #[arg(long, value_name = "COLOUR")]
    pub colour: Option<Colour>,
    /// What a byte, 0 to 255, is multiplied by before the mean is taken off: 1 where mean and std are
    /// given for the range 0 to 255
    #[arg(long, value_name = "X", default_value_t = 1.0 / 255.0)]
    pub scale: f32,
    /// What is then taken off, one number or one a channel, in the network's order: in the range 0 to
    /// 1, unless --scale is another
    #[arg(
        long,
        value_name = "X[,X,X]",
        value_delimiter = ',',
        default_value = "0",
        allow_negative_numbers = true
    )]
    pub mean: Vec<f32>,
    /// What that is then divided by, one number or one a channel
    #[arg(long, value_name = "X[,X,X]", value_delimiter = ',', default_value = "1")]
    pub std: Vec<f32>,
    /// How pictures of other proportions are fitted: stretch, pad or crop
    #[arg(long, value_name = "FIT", default_value = "stretch")]
    pub fit: Fit,
    /// What is done to its output: unit (divided by its length, as most networks need) or as-is
    #[arg(long, value_name = "LENGTH", default_value = "unit", value_parser = length)]
    pub embedding: Length,
    /// What the tower is called; the file's stem if not given
    #[arg(long)]
    pub name: Option<String>,
    /// Take the preparation that separates your pairs best, where that is more than chance
    #[arg(long)]
    pub best: bool,
    /// How many pictures other preparations are tried on; 0 for no trial
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub try_on: usize,
    /// Choose the threshold with at most this FMR, instead of the one with equal errors
    #[arg(long, value_name = "X")]
    pub fmr: Option<f64>,
    /// How your pictures relate to the network's training, for whoever reads the figures
    #[arg(long, value_name = "TEXT")]
    pub split: Option<String>,
    /// Write the curves, histograms, worst pairs and figures into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

impl Adopt {
    /// Probes, tries, calibrates and writes; gives what there is to say.
    ///
    /// # Errors
    ///
    /// If the file can't be a tower or the pictures won't do: one line, with the way out.
    pub fn run(&self) -> anyhow::Result<String> {
        let (mut said, adopted) = self.write()?;
        // In a folder of its own, so that no tower without a calibration ever stands at --out.
        let chosen = Chosen { tower: adopted.path().join(FILE), ..self.chosen.clone() };
        let calibrate = Calibrate {
            chosen,
            out: self.out.clone(),
            fmr: self.fmr,
            split: self.split.clone(),
            resamples: 1000,
            seed: 0,
        };
        said += &calibrate.run().map_err(AdoptError::Calibrate)?;
        if let Some(folder) = &self.report {
            let chosen = Chosen { tower: self.out.clone(), ..self.chosen.clone() };
            said += &Evaluate::report(chosen, folder.clone()).run()?;
        }
        Ok(said)
    }

    /// Writes the tower without a threshold, as [`FILE`] in a temporary folder.
    fn write(&self) -> Result<(String, tempfile::TempDir), AdoptError> {
        let path = &self.chosen.tower;
        let options = Options::default();
        // A place that can't be written to is told of now, not after all the work.
        Draft::new(&self.out)?;
        let onnx =
            fs::read(path).map_err(|cause| AdoptError::Read { path: path.clone(), cause })?;
        let beside = path.parent().unwrap_or(Path::new("."));
        let onnx = inline(onnx, beside)?;
        let outline = Outline::read(path, &options)?;
        let said = Said { size: self.input, colour: self.colour };
        let input =
            probe(&outline, said).map_err(|why| AdoptError::NoTower { path: path.clone(), why })?;
        let mut usage = Usage {
            preparation: Preparation {
                height: input.height,
                width: input.width,
                colour: input.colour,
                fit: self.fit,
                scale: self.scale,
                mean: self.mean.clone(),
                std: self.std.clone(),
            },
            length: self.embedding,
        };
        usage.preparation.validate()?;

        let pictures = self.chosen.pictures.collection()?;
        let place = tempfile::tempdir()
            .map_err(|cause| AdoptError::Read { path: std::env::temp_dir(), cause })?;
        let file = place.path().join(FILE);
        let write = |card: &Card| -> Result<OnnxTower, AdoptError> {
            fs::write(&file, rewrite(&onnx, &card.to_metadata())?)
                .map_err(|cause| AdoptError::Read { path: file.clone(), cause })?;
            Ok(OnnxTower::load(&file, &options)?)
        };
        let mut card = self.card(&usage)?;
        card.length = Length::AsIs;
        let mut tower = write(&card)?;
        let part = excerpt(&pictures, STEADY);
        let gallery =
            Gallery::load(&part, &usage.preparation, self.chosen.pictures.skip_unreadable)?;
        let pixels: Vec<_> =
            gallery.samples().iter().take(STEADY).map(|it| it.pixels.clone()).collect();
        steady::check(&mut tower, &pixels)?;

        let mut text = String::new();
        if tower.description().one_at_a_time {
            text += "It takes one picture a run: with an open first axis it would take several, and be faster.\n";
        }
        if 0 < self.try_on {
            let part = excerpt(&pictures, self.try_on);
            let verdict =
                try_others(&mut tower, &part, self.chosen.pictures.skip_unreadable, &usage)?;
            self.tell(&mut text, &verdict);
            if let Some((trial, _)) = verdict.better.filter(|_| self.best) {
                usage = trial.usage;
            }
        }
        card = self.card(&usage)?;
        card.golden = Some(golden_pairs(&mut write(&card)?, &card)?);
        write(&card)?;
        Ok((text, place))
    }

    fn card(&self, usage: &Usage) -> Result<Card, AdoptError> {
        let path = &self.chosen.tower;
        let stem = || self.out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let digest =
            digest_of_file(path).map_err(|cause| AdoptError::Read { path: path.clone(), cause })?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Card {
            name: self.name.clone().unwrap_or_else(stem),
            preparation: usage.preparation.clone(),
            length: usage.length,
            margin: None,
            threshold: None,
            calibration: None,
            provenance: Some(serde_json::json!({
                "adopted_from": {"file": file, "digest": digest},
                "trainer": env!("CARGO_PKG_VERSION"),
            })),
            weights: None,
            golden: None,
        })
    }

    /// What was tried, and what to do about it.
    fn tell(&self, text: &mut String, verdict: &Verdict) {
        let Verdict { trials, better, n_pictures, n_identities, unit } = verdict;
        // A String takes all that is written.
        let _ = writeln!(
            text,
            "Tried on {n_pictures} pictures of {n_identities} {}, the one asked for first:",
            unit.plural()
        );
        for trial in trials {
            let eer = match trial.eer {
                Some(eer) => format!("{:6.2} %", 100.0 * eer),
                None => "    none".to_owned(),
            };
            let _ = writeln!(text, "  EER {eer}  {}", trial.usage);
        }
        let Some((trial, difference)) = better else {
            *text += "No other separates your pairs better beyond chance.\n";
            return;
        };
        let points = |it: f64| -100.0 * it;
        let _ = writeln!(
            text,
            "Another separates your pairs better: {}\nEER {:.2} % instead of {:.2} %, by {:.2} points (95 % interval {:.2} to \
             {:.2}), more than chance.",
            trial.usage,
            100.0 * trial.eer.unwrap_or_default(),
            100.0 * trials.first().and_then(|it| it.eer).unwrap_or_default(),
            points(difference.value),
            points(difference.interval.high),
            points(difference.interval.low),
        );
        *text += if self.best {
            "It is taken.\n"
        } else {
            "What was asked for is kept: pass --best, or these words, to take it.\n"
        };
    }
}

/// The tower's name in its temporary folder.
const FILE: &str = "adopted.onnx";

/// About `n_pictures` of all: whole identities spread over them, but never fewer than two, nor so few
/// that a list's pairs are of one kind.
fn excerpt(pictures: &Collection, n_pictures: usize) -> Collection {
    let identities = pictures.identities();
    let all: usize = identities.iter().map(|it| it.pictures.len()).sum();
    let step = all.div_ceil(n_pictures.max(1)).min(identities.len() / 2).max(1);
    let part = |step: usize| pictures.partition(|at| at % step == 0).1;
    let is_enough = |it: &Collection| it.listing().is_none_or(Listing::has_both_kinds);
    (1..=step).rev().map(part).find(is_enough).unwrap_or_else(|| pictures.clone())
}

fn size(text: &str) -> Result<[u32; 2], String> {
    let (height, width) = text.split_once('x').unwrap_or((text, text));
    match (height.parse(), width.parse()) {
        (Ok(height), Ok(width)) => Ok([height, width]),
        _ => Err("it is a side like 112, or height and width like 112x96".to_owned()),
    }
}

fn length(text: &str) -> Result<Length, String> {
    text.parse().map_err(|err: &str| err.to_owned())
}
