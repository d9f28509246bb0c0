//! Trains and measures on the folds of a data folder: `folds --help`.
//!
//! Fold k holds out every N-th identity in natural order, starting with the k-th, and trains on the others. With N = 4 on
//! the ORL faces, these are the four folds in models/README.md.

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use siamese_trainer::config::Config;
use siamese_trainer::data::{Collection, Gallery, HoldOut};
use siamese_trainer::learn::Learning;

#[derive(Parser)]
struct Arguments {
    /// The images, as DIR/IDENTITY/IMAGE
    folder: PathBuf,
    /// Number of folds
    n_folds: usize,
    /// Folds to measure, separated by commas; all by default
    #[arg(value_delimiter = ',')]
    folds: Vec<usize>,
    /// compact, baseline, wavelet, or a configuration file
    #[arg(long, default_value = "compact")]
    config: String,
}

fn main() -> anyhow::Result<()> {
    siamese_core::memory::keep_large_blocks();
    let Arguments { folder, n_folds, folds, config } = Arguments::parse();
    let folder = Collection::open(&folder)?;
    let folds = if folds.is_empty() { (0..n_folds).collect() } else { folds };
    let config = match config.as_str() {
        "compact" => Config::compact(),
        "baseline" => Config::baseline(),
        "wavelet" => Config::wavelet(),
        file => toml::from_str(&std::fs::read_to_string(file)?)?,
    };
    let mut rates = Vec::new();
    for fold in folds {
        let held_out = HoldOut { names: vec![], fold: Some(format!("{fold}/{n_folds}").parse()?) };
        let (training, unseen) = held_out.split(&folder)?;
        let training = Gallery::load(&training, &config.preprocessing(), false)?;
        let training = training.in_all_forms(config.symmetry, config.preprocessing().shape());
        let unseen = Gallery::load(&unseen.expect("a fold"), &config.preprocessing(), false)?;
        let start = Instant::now();
        let mut learning = Learning::new(&config, training.as_ref());
        let mut loss = 0.0;
        while learning.step() < learning.steps() {
            loss += learning.advance();
            if learning.step() % config.watch.evaluate_every == 0
                || learning.step() == learning.steps()
            {
                println!(
                    "fold {fold} step {} loss {:.4} EER {:.4} ({:.0} s)",
                    learning.step(),
                    loss / f64::from(config.watch.evaluate_every),
                    learning.eer(&unseen)?,
                    start.elapsed().as_secs_f64()
                );
                loss = 0.0;
            }
        }
        rates.push(learning.eer(&unseen)?);
    }
    println!(
        "EER {rates:.4?}, mean {:.4}",
        rates.iter().sum::<f64>() / f64::from(u32::try_from(rates.len())?)
    );
    Ok(())
}
