//! `siamese-trainer adopt`: from anybody's ONNX file to a calibrated model.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use siamese_core::model::{Length, Options};
use siamese_core::preprocessing::{Colour, Fit, Preprocessing};

use super::{Chosen, Statements, calibrate, evaluate, file_stem};
use crate::draft;
use crate::export::adopt::{Network, Said, Usage, Verdict, Wanted, adopt};
use crate::statistics::Bootstrap;

/// Makes a model of somebody else's ONNX file: probes it, tries how its images are best preprocessed,
/// calibrates it on your images, and writes it with all that its use needs
#[derive(Clone, Debug, Args)]
pub struct Adopt {
    /// The network, and your images
    #[command(flatten)]
    pub chosen: Chosen,
    /// The model's file to write
    #[arg(long, value_name = "MODEL")]
    pub out: PathBuf,
    /// Height and width of its images in pixels, or one side; by default what the file fixes
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
    /// How images of other proportions are fitted: stretch, pad or crop
    #[arg(long, value_name = "FIT", default_value = "stretch")]
    pub fit: Fit,
    /// What is done to its output: unit (divided by its length, as most networks need) or as-is
    #[arg(long, value_name = "LENGTH", default_value = "unit", value_parser = length)]
    pub embedding: Length,
    /// What the model is called; the file's stem if not given
    #[arg(long)]
    pub name: Option<String>,
    /// What to say of the model
    #[command(flatten)]
    pub statements: Statements,
    /// Take the preprocessing that separates your pairs best, where that is more than chance
    #[arg(long)]
    pub best: bool,
    /// How many images other preprocessings are tried on; 0 for no trial
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub try_on: usize,
    /// Choose the threshold with at most this FMR, instead of the one with equal errors
    #[arg(long, value_name = "X")]
    pub fmr: Option<f64>,
    /// How your images relate to the network's training, for whoever reads the figures
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
    /// If the file can't be a model or the images won't do: one line, with the way out.
    pub fn run(&self) -> anyhow::Result<String> {
        draft::check(&self.out)?;
        let options = Options::default();
        let Chosen { model, images } = &self.chosen;
        let network = Network::read(model, &options)?;
        let preprocessing = Preprocessing {
            fit: self.fit,
            scale: self.scale,
            mean: self.mean.clone(),
            std: self.std.clone(),
            ..network.input(Said { size: self.input, colour: self.colour })?
        };
        preprocessing.validate()?;
        let wanted = Wanted {
            name: self.name.clone().unwrap_or_else(|| file_stem(&self.out)),
            usage: Usage { preprocessing, length: self.embedding },
            try_on: self.try_on,
            takes_best: self.best,
            skip_unreadable: images.skip_unreadable,
        };
        let adopted = adopt(&network, &images.collection()?, &wanted, &options)?;
        let embedded = adopted.embedded;
        let bootstrap = Bootstrap { resamples: 1000, seed: 0 };
        let split = self.split.as_deref();
        let calibrated = calibrate::calibrated(&embedded, images, self.fmr, split, bootstrap)?;

        let onnx = network.with(&self.statements.on(calibrated.on(adopted.card)))?;
        let model = draft::model(&self.out, &onnx, &options)?;
        let mut said = String::new();
        if embedded.model().one_at_a_time {
            said += "It takes one image a run: with an open first axis it would take several, and be faster.\n";
        }
        if let Some(verdict) = &adopted.verdict {
            self.tell(&mut said, verdict);
        }
        said += &calibrate::said(&self.out, &calibrated);
        if let Some(folder) = &self.report {
            let embedded = embedded.described(model.description().clone());
            said += &evaluate::report(&embedded, folder, None)?;
        }
        Ok(said)
    }

    /// What was tried, and what to do about it.
    fn tell(&self, text: &mut String, verdict: &Verdict) {
        let Verdict { trials, better, n_images, n_identities, unit } = verdict;
        // A String takes all that is written.
        let _ = writeln!(
            text,
            "Tried on {n_images} images of {n_identities} {}, the one asked for first:",
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
