//! `siamese-trainer adopt`: makes a calibrated model from a foreign ONNX file.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use siamese_core::model::{Length, Options};
use siamese_core::output::check_folder;
use siamese_core::preprocessing::{Colour, Fit, Preprocessing};

use super::inputs::size;
use super::{AlignOptions, ModelAndImages, Statements, calibrate, evaluate, file_stem};
use crate::draft;
use crate::export::adopt::{AdoptRequest, InputOptions, Network, TrialResult, Usage, adopt};
use crate::statistics::Bootstrap;

/// Makes a model from a foreign ONNX file: checks the network, tries several ways of preprocessing,
/// calibrates on your images, and writes the model with its card
#[derive(Clone, Debug, Args)]
pub struct Adopt {
    /// The network, and your images
    #[command(flatten)]
    pub inputs: ModelAndImages,
    /// The model file to write
    #[arg(long, value_name = "MODEL")]
    pub out: PathBuf,
    /// Input height and width in pixels, or one side; the default is the size that the file fixes
    #[arg(long, value_name = "HxW", value_parser = size)]
    pub input: Option<[u32; 2]>,
    /// Input channels: grey, rgb or bgr; the default is grey for one channel and rgb for three
    #[arg(long, value_name = "COLOUR")]
    pub colour: Option<Colour>,
    /// Factor for each byte (0 to 255) before the mean is subtracted; use 1 if mean and std are given
    /// for the range 0 to 255. The default is 1/255, and 1 for a network that reads bytes
    #[arg(long, value_name = "X")]
    pub scale: Option<f32>,
    /// Mean to subtract: one number, or one per channel in the network's order; in the range 0 to 1
    /// with the default --scale
    #[arg(
        long,
        value_name = "X[,X,X]",
        value_delimiter = ',',
        default_value = "0",
        allow_negative_numbers = true
    )]
    pub mean: Vec<f32>,
    /// Standard deviation to divide by: one number, or one per channel
    #[arg(long, value_name = "X[,X,X]", value_delimiter = ',', default_value = "1")]
    pub std: Vec<f32>,
    /// How images with another aspect ratio are fitted: stretch, pad or crop
    #[arg(long, value_name = "FIT", default_value = "stretch")]
    pub fit: Fit,
    /// Whether faces are aligned.
    #[command(flatten)]
    pub align: AlignOptions,
    /// How the output becomes an embedding: unit (scaled to length 1, as most networks need) or as-is
    #[arg(long, value_name = "LENGTH", default_value = "unit", value_parser = length)]
    pub embedding: Length,
    /// The model's name; the default is the file name of --out without its extension
    #[arg(long)]
    pub name: Option<String>,
    /// The purpose and the limits of the model
    #[command(flatten)]
    pub statements: Statements,
    /// Use the preprocessing with the lowest EER on your pairs, if the difference is significant
    #[arg(long)]
    pub best: bool,
    /// Number of images for the trial of other preprocessings; 0 for no trial
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub try_on: usize,
    /// Choose the threshold with at most this FMR, instead of the one where FMR and FNMR are equal
    #[arg(long, value_name = "X")]
    pub fmr: Option<f64>,
    /// How your images relate to the network's training data; a note that is stored in the calibration
    #[arg(long, value_name = "TEXT")]
    pub split: Option<String>,
    /// Write a report into this folder: curves, histograms, worst pairs and all results
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

impl Adopt {
    /// Checks the network, tries preprocessings, calibrates and writes the model. Returns the output.
    ///
    /// # Errors
    ///
    /// If the file cannot become a model, or the images cannot be used. The error is one line and says what to do.
    pub fn run(&self) -> anyhow::Result<String> {
        draft::check(&self.out)?;
        self.report.as_deref().map_or(Ok(()), check_folder)?;
        let options = Options::default();
        let ModelAndImages { model, images } = &self.inputs;
        let network = Network::read(model, &options)?;
        let input = network.input(InputOptions { size: self.input, colour: self.colour })?;
        let preprocessing = Preprocessing {
            fit: self.fit,
            scale: self.scale.unwrap_or(input.scale),
            mean: self.mean.clone(),
            std: self.std.clone(),
            ..input
        };
        preprocessing.validate()?;
        network.check(&preprocessing)?;
        let request = AdoptRequest {
            name: self.name.clone().unwrap_or_else(|| file_stem(&self.out)),
            usage: Usage {
                align: self.align.read(&preprocessing)?,
                preprocessing,
                length: self.embedding,
            },
            try_on: self.try_on,
            use_best: self.best,
            skip_unreadable: images.skip_unreadable,
        };
        let images = images.collection()?;
        let adopted = adopt(&network, &images, &request, &options)?;
        let embedded = adopted.embedded;
        let bootstrap = Bootstrap { resamples: 1000, seed: 0 };
        let split = self.split.as_deref();
        let mut model = network.model(&adopted.card, &options)?;
        let calibrated =
            calibrate::calibrated(&embedded, &mut model, &images, self.fmr, split, bootstrap)?;

        let onnx = network.with(&self.statements.on(calibrated.apply_to(adopted.card)))?;
        let model = draft::model(&self.out, &onnx, &options)?;
        let mut output = String::new();
        if embedded.model().one_at_a_time {
            output += "The network accepts one image per run. Export it with a dynamic batch axis to make it faster.\n";
        }
        if let Some(trial) = &adopted.trial {
            self.write_trial(&mut output, trial);
        }
        output += &calibrate::summary(&self.out, &calibrated);
        if let Some(folder) = &self.report {
            let embedded = embedded.described(model.description().clone());
            output += &evaluate::report(&embedded, folder, None)?;
        }
        Ok(output)
    }

    /// Writes the results of the trial, and what the user can do.
    fn write_trial(&self, text: &mut String, trial: &TrialResult) {
        let TrialResult { trials, better, n_images, n_identities, unit } = trial;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "Preprocessings tried on {n_images} images of {n_identities} {}; the requested one is first:",
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
            *text += "No other preprocessing is significantly better on your pairs.\n";
            return;
        };
        let points = |difference: f64| -100.0 * difference;
        let _ = writeln!(
            text,
            "Another preprocessing is significantly better: {}\nEER {:.2} % instead of {:.2} %, lower by {:.2} points (95 % \
             interval {:.2} to {:.2}).",
            trial.usage,
            100.0 * trial.eer.unwrap_or_default(),
            100.0 * trials.first().and_then(|trial| trial.eer).unwrap_or_default(),
            points(difference.value),
            points(difference.interval.high),
            points(difference.interval.low),
        );
        *text += if self.best {
            "The model uses it.\n"
        } else {
            "The model uses the requested preprocessing. To use the better one, pass --best or the options above.\n"
        };
    }
}

fn length(text: &str) -> Result<Length, String> {
    text.parse().map_err(|err: &str| err.to_owned())
}
