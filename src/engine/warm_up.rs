//! How a tower runs fastest on this machine: found by running it.
//!
//! What is best depends on the tower. One whose weights outgrow the caches wants all cores in one run and
//! large batches, so that its weights are read once for many pictures; a small one wants a session of one
//! thread a core, and gains nothing from a batch.

use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use siamese_core::model::{Device, LoadError, OnnxTower, Options, Provider, Source, Tower};
use siamese_core::picture::Pixels;

use crate::ops::settings::TowerSettings;
use crate::ops::telemetry::milliseconds;

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
    /// At least one, all of the same bytes.
    pub towers: Vec<OnnxTower>,
    /// How they run.
    pub plan: Plan,
}

/// A way to run a tower, and what it gives here.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    sessions: usize,
    threads: usize,
    /// The most pictures in one run.
    pub largest_batch: usize,
    largest_tried: usize,
    /// Pictures a second of all sessions together, while nothing else runs.
    rate: f64,
}

/// Beyond this, a second session costs more memory than it is worth.
const LARGEST_COPY: u64 = 32 << 20;

/// Batches that are tried, and one more on a GPU.
const BATCHES: [usize; 3] = [1, 8, 32];
const LARGEST_TRIED: usize = 128;

/// How long each way is tried, and how often at least.
const TRIAL: Duration = Duration::from_millis(15);
const FEWEST: usize = 2;

/// The longest run, in seconds, that is worth a later start.
const PATIENCE: f64 = 0.15;

/// What a simpler way may be slower by and still be chosen.
const SLACK: f64 = 0.05;

impl Crew {
    /// One session as the options have it, without a trial: for a few pictures.
    pub fn alone(source: &Source, options: &Options) -> Result<Self, LoadError> {
        let largest_batch = options.largest_batch.get();
        let threads = options.threads.map_or(0, NonZeroUsize::get);
        let plan =
            Plan { sessions: 1, threads, largest_batch, largest_tried: largest_batch, rate: 0.0 };
        Ok(Self { towers: vec![OnnxTower::open(source, options)?], plan })
    }

    /// Tries the ways to run the tower that the wishes leave open, and loads it for the fastest.
    pub fn gather(source: &Source, options: &Options, wishes: Wishes) -> Result<Self, LoadError> {
        let begun = Instant::now();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let sessions = wishes.sessions.map_or(1, NonZeroUsize::get);
        let threads = wishes.threads.map_or(cores.div_ceil(sessions), NonZeroUsize::get);
        let (mut plan, mut towers) = attempt(source, options, [sessions, threads], wishes)?;

        // Whether there is a GPU is known by now, and need not be said again.
        let provider = towers[0].description().provider;
        let device = if provider == Provider::Cpu { Device::Cpu } else { options.device };
        let options = Options { device, ..*options };
        let open = wishes.sessions.is_none() && wishes.threads.is_none();
        let copies = source.size() <= LARGEST_COPY;
        if open && copies && provider == Provider::Cpu && 1 < cores {
            let (split, split_towers) = attempt(source, &options, [cores, 1], wishes)?;
            // As good in the sum, several sessions do the pictures of one request side by side.
            if plan.rate < split.rate * (1.0 + SLACK) {
                (plan, towers) = (split, split_towers);
            }
        }
        if plan.largest_batch < plan.largest_tried {
            // A session keeps the memory of the largest batch that it ever ran.
            drop(towers);
            towers = load(source, &plan.options(&options, plan.largest_batch), plan.sessions)?;
        }
        tracing::info!(
            sessions = plan.sessions,
            threads = plan.threads,
            largest_batch = plan.largest_batch,
            pictures_per_second = plan.rate.round(),
            took_ms = milliseconds(begun.elapsed()),
            "chose how to run the tower"
        );
        Ok(Self { towers, plan })
    }
}

impl Plan {
    fn options(&self, options: &Options, largest_batch: usize) -> Options {
        Options {
            threads: NonZeroUsize::new(self.threads),
            largest_batch: NonZeroUsize::new(largest_batch).unwrap_or(NonZeroUsize::MIN),
            ..*options
        }
    }
}

/// What was found once need not be found again.
/// What a server does not have to find out.
impl From<&TowerSettings> for Wishes {
    fn from(settings: &TowerSettings) -> Self {
        Self {
            sessions: NonZeroUsize::new(settings.sessions),
            threads: NonZeroUsize::new(settings.threads),
            largest_batch: NonZeroUsize::new(settings.largest_batch),
        }
    }
}

impl From<Plan> for Wishes {
    fn from(plan: Plan) -> Self {
        let Plan { sessions, threads, largest_batch, .. } = plan;
        let [sessions, threads, largest_batch] =
            [sessions, threads, largest_batch].map(NonZeroUsize::new);
        Self { sessions, threads, largest_batch }
    }
}

/// Tries one division of the cores; tells the best batch of it, and gives the sessions.
fn attempt(
    source: &Source,
    options: &Options,
    [sessions, threads]: [usize; 2],
    wishes: Wishes,
) -> Result<(Plan, Vec<OnnxTower>), LoadError> {
    let most = wishes.largest_batch.map_or(LARGEST_TRIED, NonZeroUsize::get);
    let mut plan = Plan { sessions, threads, largest_batch: 1, largest_tried: 1, rate: 0.0 };
    let mut towers = load(source, &plan.options(options, most), sessions)?;
    let tower = towers[0].description();
    let batches = match (tower.one_at_a_time, wishes.largest_batch, tower.provider) {
        (true, _, _) => vec![1],
        (false, Some(wish), _) => vec![wish.get()],
        (false, None, Provider::Cpu) => BATCHES.to_vec(),
        (false, None, Provider::Cuda) => [&BATCHES[..], &[LARGEST_TRIED]].concat(),
    };
    for batch in batches {
        if 0.0 < plan.rate && PATIENCE < float(batch) / plan.rate {
            break;
        }
        let rate = rate(&mut towers, batch);
        tracing::debug!(sessions, threads, batch, rate, "tried a way to run the tower");
        plan.largest_tried = batch;
        if rate <= plan.rate * (1.0 + SLACK) {
            // What does not gain from a batch does not gain from a larger one.
            break;
        }
        (plan.largest_batch, plan.rate) = (batch, rate);
    }
    Ok((plan, towers))
}

fn float(batch: usize) -> f64 {
    f64::from(u32::try_from(batch).unwrap_or(u32::MAX))
}

/// Loads sessions of the same bytes side by side.
fn load(source: &Source, options: &Options, sessions: usize) -> Result<Vec<OnnxTower>, LoadError> {
    thread::scope(|scope| {
        let loads: Vec<_> =
            (0..sessions).map(|_| scope.spawn(|| OnnxTower::open(source, options))).collect();
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
    // The first run of a shape plans its memory. Of the others the fastest counts, which others' work held up least.
    let mut works = tower.embed(&pixels).is_ok();
    let (begun, mut runs, mut fastest) = (Instant::now(), 0, Duration::MAX);
    while works && (runs < FEWEST || begun.elapsed() < TRIAL) {
        let run = Instant::now();
        works = tower.embed(&pixels).is_ok();
        fastest = fastest.min(run.elapsed());
        runs += 1;
    }
    if works { float(batch) / fastest.as_secs_f64() } else { 0.0 }
}
