//! `siamese-trainer report`

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use siamese_core::model::{OnnxModel, Options};

use super::{Images, told};
use crate::data::Collection;
use crate::evaluate::{Embedded, Evaluation, SideBySide};
use crate::report::{self, TableOfTwo};
use crate::statistics::Bootstrap;

/// Holds two models against each other on the same images
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// The first model's ONNX file
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// The second model's
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// What they look at.
    #[command(flatten)]
    pub images: Images,
    /// Write a page with curves, histograms and the pairs judged differently, and the figures, into
    /// this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// How often to resample the identities for the intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub resamples: u32,
    /// The seed of the resampling
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Say everything as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Report {
    /// Measures both, and writes the report where one is asked for; gives what there is to say.
    ///
    /// # Errors
    ///
    /// If a model, the images or the report's folder won't do.
    pub fn run(&self) -> anyhow::Result<String> {
        let images = self.images.collection()?;
        // Both before either is measured, which takes its time.
        let first = OnnxModel::load(&self.first, &Options::default())?;
        let second = OnnxModel::load(&self.second, &Options::default())?;
        let first = self.embed(first, &images, &self.first)?;
        let second = self.embed(second, &images, &self.second)?;
        let bootstrap = Bootstrap { resamples: self.resamples, seed: self.seed };
        let evaluations = [Evaluation::of(&first, bootstrap)?, Evaluation::of(&second, bootstrap)?];
        let mut found = SideBySide::new(evaluations)?;
        told::skipped(&first);
        told::warnings_of_two([&first, &second]);
        let mut said = TableOfTwo(&found).to_string();
        if let Some(folder) = &self.report {
            found.origin = told::origin(&[&first, &second], bootstrap);
            for (row, path) in found.origin.iter_mut().zip([&self.first, &self.second]) {
                row.1 = format!("{} {}", path.display(), row.1);
            }
            let files = report::files_of_two(&found, &|place| first.thumbnail(place));
            said += &told::written(folder, files)?;
        }
        if self.json { Ok(report::json_of_two(&found)) } else { Ok(said) }
    }

    fn embed(
        &self,
        mut model: OnnxModel,
        images: &Collection,
        path: &Path,
    ) -> anyhow::Result<Embedded> {
        // What is wrong with the images is no model's fault.
        let gallery = self.images.load(images, &model)?;
        Embedded::by(&mut model, gallery, images.name()).with_context(|| path.display().to_string())
    }
}
