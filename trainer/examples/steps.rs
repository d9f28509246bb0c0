//! Times training steps, for `scripts/bench_training.py`: `steps compact|baseline`.
//!
//! For each number that it reads from its input, a line, it does so many steps, each on a batch of
//! made images, and prints how many milliseconds each took, as a JSON list. In the end it says how long steps waited
//! for their batches.

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
        _ => anyhow::bail!("which network, compact or seed?"),
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
