//! Times training steps, for `scripts/bench_training.py`: `steps compact|baseline`.
//!
//! For each number on a line of its input, it runs that many steps on batches of synthetic images, and prints the time of
//! each step in milliseconds as a JSON list. At the end it prints how long a step waited for its batch.

use std::io::{BufRead, stdin};
use std::time::Instant;

use image::GrayImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use siamese_trainer::config::Config;
use siamese_trainer::data::{Collection, Gallery};
use siamese_trainer::learn::Learning;

fn main() -> anyhow::Result<()> {
    siamese_core::memory::keep_large_blocks();
    let network = std::env::args().nth(1);
    let config = match network.as_deref() {
        Some("compact") => Config::compact(),
        Some("baseline") => Config::baseline(),
        _ => anyhow::bail!("give a network: compact or baseline"),
    };
    let gallery = made(&config)?;
    let mut learning = Learning::new(&config, &gallery);
    for line in stdin().lock().lines() {
        let steps: u32 = line?.trim().parse()?;
        let times: Vec<f64> = (0..steps)
            .map(|_| {
                let start = Instant::now();
                learning.advance();
                1e3 * start.elapsed().as_secs_f64()
            })
            .collect();
        println!("{}", serde_json::to_string(&times)?);
    }
    let waited = learning.waited() / learning.step().max(1);
    eprintln!("a step waited {:.2} ms for its batch", 1e3 * waited.as_secs_f64());
    Ok(())
}

/// Thirty identities with five images of noise each.
fn made(config: &Config) -> anyhow::Result<Gallery> {
    let folder = tempfile::tempdir()?;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for identity in 0..30 {
        let identity = folder.path().join(identity.to_string());
        std::fs::create_dir(&identity)?;
        for image in 0..5 {
            let mut noise = GrayImage::new(32, 32);
            random.fill_bytes(&mut noise);
            noise.save(identity.join(format!("{image}.png")))?;
        }
    }
    let folder = Collection::open(folder.path())?;
    Ok(Gallery::load(&folder, &config.preprocessing(), false)?)
}
