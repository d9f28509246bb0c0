//! How a tower runs fastest on this machine: found by running it.
//!
//! What is best depends on the tower. One whose weights outgrow the caches wants all cores in one run and
//! large batches, so that its weights are read once for many pictures; a small one wants a session of one
//! thread a core, and gains nothing from a batch.

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::model::{Device, LoadError, OnnxTower, Options, Provider, Tower};
use crate::picture::Pixels;

/// What is left open; what is set by hand is not tried otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Sessions of the tower, each with a thread of its own.
    pub sessions: Option<NonZeroUsize>,
    /// Threads of one run.
    pub threads: Option<NonZeroUsize>,
    /// The most pictures in one run.
    pub largest_batch: Option<NonZeroUsize>,
}

/// Sessions of one tower, ready to work side by side.
pub struct Crew {
    /// At least one, all of the same file.
    pub towers: Vec<OnnxTower>,
    /// Threads of one run.
    pub threads: usize,
    /// The most pictures in one run.
    pub largest_batch: usize,
    /// Pictures a second that they made together, while nothing else ran.
    pub rate: f64,
}

/// Beyond this, a second session costs more memory than it is worth.
const LARGEST_COPY: u64 = 32 << 20;

/// Batches that are tried.
const BATCHES: [usize; 3] = [1, 8, 32];

/// How long each way is tried.
const TRIAL: Duration = Duration::from_millis(15);

/// What a simpler way may be slower by and still be chosen.
const SLACK: f64 = 0.05;

impl Crew {
    /// Loads the tower in the ways that the wishes leave open, tries them, and keeps the fastest.
    pub fn gather(path: &Path, options: &Options, wishes: Wishes) -> Result<Self, LoadError> {
        let begun = Instant::now();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let sessions = wishes.sessions.map_or(1, NonZeroUsize::get);
        let threads = wishes.threads.map_or(cores.div_ceil(sessions), NonZeroUsize::get);
        let mut crew = Self::of(path, options, [sessions, threads], wishes)?;

        let open = wishes.sessions.is_none() && wishes.threads.is_none();
        let copies = std::fs::metadata(path).is_ok_and(|it| it.len() <= LARGEST_COPY);
        let on_cpu = crew.towers[0].description().provider == Provider::Cpu;
        if open && copies && on_cpu && 1 < cores {
            // Whether there is a GPU is known by now.
            let options = Options { device: Device::Cpu, ..*options };
            let split = Self::of(path, &options, [cores, 1], wishes)?;
            if crew.rate * (1.0 + SLACK) < split.rate {
                crew = split;
            }
        }
        tracing::info!(
            sessions = crew.towers.len(),
            threads = crew.threads,
            largest_batch = crew.largest_batch,
            pictures_per_second = crew.rate.round(),
            took_ms = begun.elapsed().as_millis(),
            "chose how to run the tower"
        );
        Ok(crew)
    }

    fn of(
        path: &Path,
        options: &Options,
        [sessions, threads]: [usize; 2],
        wishes: Wishes,
    ) -> Result<Self, LoadError> {
        let most = wishes.largest_batch.map_or(BATCHES[BATCHES.len() - 1], NonZeroUsize::get);
        let options = Options {
            threads: NonZeroUsize::new(threads),
            largest_batch: NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN),
            ..*options
        };
        let mut towers = load(path, &options, sessions)?;
        let batches = match wishes.largest_batch {
            _ if towers[0].description().one_at_a_time => vec![1],
            Some(largest) => vec![largest.get()],
            None => BATCHES.to_vec(),
        };
        let rates: Vec<f64> = batches.iter().map(|it| rate(&mut towers, *it)).collect();
        let rate = rates.iter().copied().fold(0.0, f64::max);
        let enough = |it: &f64| rate <= it * (1.0 + SLACK);
        let largest_batch = batches[rates.iter().position(enough).unwrap_or(0)];
        tracing::debug!(sessions, threads, ?batches, ?rates, "tried a way to run the tower");
        let towers = towers.into_iter().map(|it| it.with_largest_batch(largest_batch)).collect();
        Ok(Self { towers, threads, largest_batch, rate })
    }
}

/// Loads sessions of one file side by side.
fn load(path: &Path, options: &Options, sessions: usize) -> Result<Vec<OnnxTower>, LoadError> {
    thread::scope(|scope| {
        let loads: Vec<_> =
            (0..sessions).map(|_| scope.spawn(|| OnnxTower::load(path, options))).collect();
        loads
            .into_iter()
            .map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Pictures a second of all sessions together, in runs of `batch`.
fn rate(towers: &mut [OnnxTower], batch: usize) -> f64 {
    let rates = thread::scope(|scope| {
        let trials: Vec<_> =
            towers.iter_mut().map(|it| scope.spawn(move || rate_of_one(it, batch))).collect();
        trials.into_iter().map(|it| it.join().unwrap_or(0.0)).collect::<Vec<_>>()
    });
    rates.iter().sum()
}

fn rate_of_one(tower: &mut OnnxTower, batch: usize) -> f64 {
    let golden = tower.description().golden.pixels();
    let pixels: Vec<Pixels> = golden.iter().cycle().take(batch).cloned().collect();
    // The first run of a shape plans its memory.
    let mut works = tower.embed(&pixels).is_ok();
    let begun = Instant::now();
    let mut runs = 0_u32;
    while works && (runs == 0 || begun.elapsed() < TRIAL) {
        works = tower.embed(&pixels).is_ok();
        runs += 1;
    }
    let batch = u32::try_from(batch).unwrap_or(u32::MAX);
    if works { f64::from(runs) * f64::from(batch) / begun.elapsed().as_secs_f64() } else { 0.0 }
}
