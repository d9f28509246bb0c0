//! `siamese-trainer report`

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use siamese_core::model::{OnnxModel, Options};
use siamese_core::output::check_folder;

use super::{Images, messages};
use crate::data::Collection;
use crate::evaluate::{Embedded, Evaluation, SideBySide};
use crate::report::{self, TableOfTwo};
use crate::statistics::Bootstrap;

/// Compares two models on the same images
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// The first model's ONNX file
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// The second model's ONNX file
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// The images to compare.
    #[command(flatten)]
    pub images: Images,
    /// Write a report into this folder: curves, histograms, pairs with different verdicts, and all results
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Number of bootstrap resamples for the intervals; 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub resamples: u32,
    /// The random seed of the resampling
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Print all results as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Report {
    /// Measures both models, and writes the report if requested. Returns the output.
    ///
    /// # Errors
    ///
    /// If a model cannot be loaded, the images cannot be used, or the report cannot be written.
    pub fn run(&self) -> anyhow::Result<String> {
        self.report.as_deref().map_or(Ok(()), check_folder)?;
        let images = self.images.collection()?;
        // Both models are loaded before the long work begins.
        let first = OnnxModel::load(&self.first, &Options::default())?;
        let second = OnnxModel::load(&self.second, &Options::default())?;
        let first = self.embed(first, &images, &self.first)?;
        let second = self.embed(second, &images, &self.second)?;
        let bootstrap = Bootstrap { resamples: self.resamples, seed: self.seed };
        let evaluations = [Evaluation::of(&first, bootstrap)?, Evaluation::of(&second, bootstrap)?];
        let mut found = SideBySide::new(evaluations)?;
        messages::skipped(&first);
        messages::warnings_of_two([&first, &second]);
        found.evaluations.iter().for_each(messages::inverted);
        let mut output = TableOfTwo(&found).to_string();
        if let Some(folder) = &self.report {
            found.origin = messages::origin(&[&first, &second], bootstrap);
            for (row, path) in found.origin.iter_mut().zip([&self.first, &self.second]) {
                row.1 = format!("{} {}", path.display(), row.1);
            }
            let files = report::files_of_two(&found, &|image| first.thumbnail(image));
            output += &messages::write_report(folder, files)?;
        }
        if self.json { Ok(report::json_of_two(&found)) } else { Ok(output) }
    }

    fn embed(
        &self,
        mut model: OnnxModel,
        images: &Collection,
        path: &Path,
    ) -> anyhow::Result<Embedded> {
        // An error in the images is not an error of the model, so it gets no model path as context.
        let gallery = self.images.load(images, &model)?;
        Embedded::by(&mut model, gallery, images.name()).with_context(|| path.display().to_string())
    }
}
