//! What was measured, kept as it is measured.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// One fold of one recipe with one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Its name.
    pub(crate) recipe: String,
    /// What all chance was drawn from.
    pub(crate) seed: u64,
    /// Which fold was measured.
    pub(crate) fold: usize,
    /// On the people of the fold, in [0, 1].
    pub(crate) eer: f64,
    /// The mean main loss of the last steps; none where there was no step.
    pub(crate) loss: Option<f64>,
    /// From reading the images to the EER, with the choice if there was one.
    pub(crate) seconds: f64,
}

/// All that was measured.
pub(crate) struct Runs {
    file: File,
    runs: Vec<Run>,
}

impl Runs {
    /// Reads what an earlier trial left in `out`.
    pub(crate) fn open(out: &Path) -> anyhow::Result<Self> {
        let path = out.join("runs.jsonl");
        let text = if path.exists() { fs::read_to_string(&path)? } else { String::new() };
        let runs = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        let runs = runs.with_context(|| format!("{} is broken", path.display()))?;
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Self { file, runs })
    }

    /// Keeps a run.
    pub(crate) fn add(&mut self, run: Run) -> anyhow::Result<()> {
        writeln!(self.file, "{}", serde_json::to_string(&run)?)?;
        self.runs.push(run);
        Ok(())
    }

    /// The run of a fold, if it was made.
    pub(crate) fn find<'a>(&'a self, recipe: &'a str, seed: u64, fold: usize) -> Option<&'a Run> {
        self.of(recipe).find(|it| it.seed == seed && it.fold == fold)
    }

    /// All runs of a recipe.
    pub(crate) fn of<'a>(&'a self, recipe: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |it| it.recipe == recipe)
    }

    /// The mean EER over the folds for each of some seeds whose folds were all measured.
    pub(crate) fn means(&self, recipe: &str, seeds: &[u64], n_folds: usize) -> Vec<f64> {
        let of_seed = |seed: &u64| {
            let rates: Vec<f64> =
                (0..n_folds).filter_map(|it| Some(self.find(recipe, *seed, it)?.eer)).collect();
            (rates.len() == n_folds).then(|| mean(rates))
        };
        seeds.iter().filter_map(of_seed).collect()
    }
}

/// The mean of numbers; none have 0.
pub(crate) fn mean(of: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = of.into_iter().fold((0.0, 0.0), |(sum, count), it| (sum + it, count + 1.0));
    if count == 0.0 { 0.0 } else { sum / count }
}
