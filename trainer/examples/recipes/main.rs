//! Compares recipes on the four folds of the ORL faces: `recipes --help`.
//!
//! Fold k holds out every fourth identity in natural order, starting with the k-th, and trains on the others. Recipes with
//! random numbers run with two seeds. Results are stored in `OUT/runs.jsonl`; a stopped program continues from there. It
//! writes `OUT/table.md` and `OUT/folds.svg`.

mod drawing;
mod plan;
mod runs;
mod table;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use siamese_trainer::config::Config;
use siamese_trainer::data::{Collection, Gallery, HoldOut};
use siamese_trainer::learn::Learning;

use plan::{Recipe, recipes};
use runs::{Run, Runs};

/// The number of folds.
const FOLDS: usize = 4;
/// The number of inner folds, on which a configuration is chosen.
const INNER_FOLDS: usize = 3;

#[derive(Parser)]
struct Arguments {
    /// The ORL faces, as DIR/IDENTITY/IMAGE
    data: PathBuf,
    /// The folder for runs, table and drawing
    out: PathBuf,
    /// Run only recipes whose names contain this text
    #[arg(default_value = "")]
    part: String,
}

fn main() -> anyhow::Result<()> {
    siamese_core::memory::keep_large_blocks();
    let Arguments { data, out, part } = Arguments::parse();
    let folder = Collection::open(&data)?;
    fs::create_dir_all(&out).with_context(|| format!("{} cannot be created", out.display()))?;
    let mut runs = Runs::open(&out)?;
    let recipes = recipes();
    for recipe in recipes.iter().filter(|recipe| recipe.name.contains(&part)) {
        for &seed in recipe.seeds {
            for fold in 0..FOLDS {
                if runs.find(recipe.name, seed, fold).is_none() {
                    let run = run(recipe, seed, fold, &folder)?;
                    println!(
                        "{} seed {seed} fold {fold}: EER {:.2} % in {:.0} s",
                        run.recipe,
                        100.0 * run.eer,
                        run.seconds
                    );
                    runs.add(run)?;
                }
            }
        }
    }
    fs::write(out.join("table.md"), table::table(&recipes, &runs))?;
    fs::write(out.join("folds.svg"), drawing::folds(&recipes, &runs))?;
    Ok(())
}

/// Trains without one fold, and measures on that fold.
fn run(recipe: &Recipe, seed: u64, fold: usize, folder: &Collection) -> anyhow::Result<Run> {
    let start = Instant::now();
    let (training, unseen) = split(folder, fold, FOLDS)?;
    let config = match recipe.configs.as_slice() {
        [only] => only.clone(),
        several => chosen(several, &training)?,
    };
    let config = Config { seed, ..config };
    let (eer, loss) = trained(&config, &training, &unseen)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Run { recipe: recipe.name.to_owned(), seed, fold, eer, loss, seconds })
}

/// Returns the configuration with the lowest mean EER over folds of the training identities. The held-out identities are
/// not used.
fn chosen(configs: &[Config], training: &Collection) -> anyhow::Result<Config> {
    let mut best: Option<(f64, &Config)> = None;
    for config in configs {
        let mut sum = 0.0;
        for fold in 0..INNER_FOLDS {
            let (training, unseen) = split(training, fold, INNER_FOLDS)?;
            sum += trained(config, &training, &unseen)?.0;
        }
        if best.is_none_or(|(least, _)| sum < least) {
            best = Some((sum, config));
        }
    }
    let (sum, config) = best.context("a recipe has configurations")?;
    let (network, whitening) = (toml::to_string(&config.network)?, config.whitening);
    let text = format!("{}x{} {network} {whitening:?}", config.input.height, config.input.width);
    let mean = 100.0 * sum / f64::from(u32::try_from(INNER_FOLDS)?);
    let text = text.replace('\n', " ");
    println!("chosen, with an EER of {mean:.2} % within the training identities: {text}");
    Ok(config.clone())
}

fn split(
    folder: &Collection,
    fold: usize,
    n_folds: usize,
) -> anyhow::Result<(Collection, Collection)> {
    let held_out = HoldOut { names: vec![], fold: Some(format!("{fold}/{n_folds}").parse()?) };
    let (training, unseen) = held_out.split(folder)?;
    Ok((training, unseen.context("a fold holds out identities")?))
}

/// Trains a network; returns the EER on unseen identities, and the mean main loss of the last twentieth of the steps.
fn trained(
    config: &Config,
    training: &Collection,
    unseen: &Collection,
) -> anyhow::Result<(f64, Option<f64>)> {
    let [training, unseen] =
        [training, unseen].map(|images| Gallery::load(images, &config.preprocessing(), false));
    let (training, unseen) = (training?, unseen?);
    let mut learning = Learning::new(config, &training);
    let last = learning.steps().div_ceil(20);
    let mut sum = 0.0;
    while learning.step() < learning.steps() {
        let is_counted = learning.steps() - learning.step() <= last;
        let loss = learning.advance();
        if is_counted {
            sum += loss;
        }
    }
    let loss = (0 < last).then(|| sum / f64::from(last));
    Ok((learning.eer(&unseen)?, loss))
}
