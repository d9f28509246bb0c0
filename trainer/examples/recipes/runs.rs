//! The stored results.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The result of one fold of one recipe with one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The name of the recipe.
    pub(crate) recipe: String,
    /// The random seed.
    pub(crate) seed: u64,
    /// The measured fold.
    pub(crate) fold: usize,
    /// The EER on the fold, in [0, 1].
    pub(crate) eer: f64,
    /// The mean main loss of the last steps; `None` without steps.
    pub(crate) loss: Option<f64>,
    /// The time from reading the images to the EER, including the choice of a configuration.
    pub(crate) seconds: f64,
}

/// All results.
pub(crate) struct Runs {
    file: File,
    runs: Vec<Run>,
}

impl Runs {
    /// Reads the earlier results in `out`.
    pub(crate) fn open(out: &Path) -> anyhow::Result<Self> {
        let path = out.join("runs.jsonl");
        let text = if path.exists() { fs::read_to_string(&path)? } else { String::new() };
        let runs = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        let runs = runs.with_context(|| format!("{} is broken", path.display()))?;
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Self { file, runs })
    }

    /// Stores a run.
    pub(crate) fn add(&mut self, run: Run) -> anyhow::Result<()> {
        writeln!(self.file, "{}", serde_json::to_string(&run)?)?;
        self.runs.push(run);
        Ok(())
    }

    /// Returns the run of a fold, if there is one.
    pub(crate) fn find<'a>(&'a self, recipe: &'a str, seed: u64, fold: usize) -> Option<&'a Run> {
        self.of(recipe).find(|run| run.seed == seed && run.fold == fold)
    }

    /// Returns all runs of a recipe.
    pub(crate) fn of<'a>(&'a self, recipe: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.recipe == recipe)
    }

    /// Returns the mean EER over the folds, for each seed with all folds measured.
    pub(crate) fn means(&self, recipe: &str, seeds: &[u64], n_folds: usize) -> Vec<f64> {
        let of_seed = |seed: &u64| {
            let rates: Vec<f64> =
                (0..n_folds).filter_map(|fold| Some(self.find(recipe, *seed, fold)?.eer)).collect();
            (rates.len() == n_folds).then(|| mean(rates))
        };
        seeds.iter().filter_map(of_seed).collect()
    }
}

/// Returns the mean of numbers; 0 if there are none.
pub(crate) fn mean(of: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = of.into_iter().fold((0.0, 0.0), |(sum, count), it| (sum + it, count + 1.0));
    if count == 0.0 { 0.0 } else { sum / count }
}
