//! Tuning: finds by measurement how a model runs fastest on this machine.
//!
//! The best way depends on the model. If its weights exceed the CPU caches, it needs all cores in one run and large
//! batches, so that the weights are read once for many images. A small model needs one session of one thread for each
//! core, and gains nothing from batches.

use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use siamese_core::model::{
    Device, LARGEST_COPY, LoadError, Model, OnnxModel, Options, Provider, Source,
};
use siamese_core::preprocessing::Pixels;

use crate::ops::settings::ModelSettings;
use crate::ops::telemetry::milliseconds;

/// Options that are set by hand; tuning finds the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Preset {
    /// Sessions of the model, each on its own thread.
    pub sessions: Option<NonZeroUsize>,
    /// Threads of one run.
    pub threads: Option<NonZeroUsize>,
    /// The most images in one run.
    pub max_batch: Option<NonZeroUsize>,
}

/// Sessions of one model, ready to run in parallel.
pub struct Sessions {
    /// At least one, all from the same bytes.
    pub models: Vec<OnnxModel>,
    /// How they run.
    pub plan: Plan,
}

/// A way to run a model, and its measured rate.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    sessions: usize,
    threads: usize,
    /// The most images in one run.
    pub max_batch: usize,
    largest_tried: usize,
    /// Images per second of all sessions together, without other load.
    rate: f64,
}

/// The batch sizes that are measured; a GPU adds [`LARGEST_TRIED`].
const BATCHES: [usize; 3] = [1, 8, 32];
const LARGEST_TRIED: usize = 128;

/// How long each option is measured, and the fewest runs.
const TRIAL: Duration = Duration::from_millis(15);
const FEWEST: usize = 2;

/// The longest run, in seconds, that tuning measures, so that it does not delay the start too long.
const LONGEST_RUN: f64 = 0.15;

/// How much slower a simpler option may be and still be chosen.
const SLACK: f64 = 0.05;

impl Sessions {
    /// Opens one session with the given options, without measurement: for a few images.
    pub fn single(source: &Source, options: &Options) -> Result<Self, LoadError> {
        let max_batch = options.max_batch.get();
        let threads = options.threads.map_or(0, NonZeroUsize::get);
        let plan = Plan { sessions: 1, threads, max_batch, largest_tried: max_batch, rate: 0.0 };
        Ok(Self { models: vec![OnnxModel::open(source, options)?], plan })
    }

    /// Measures the options that the preset leaves open, and opens sessions for the fastest.
    pub fn tune(source: &Source, options: &Options, preset: Preset) -> Result<Self, LoadError> {
        let begun = Instant::now();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let sessions = preset.sessions.map_or(1, NonZeroUsize::get);
        let threads = preset.threads.map_or(cores.div_ceil(sessions), NonZeroUsize::get);
        let (mut plan, mut models) = measure(source, options, [sessions, threads], preset)?;

        // The provider is known now, so the warning about a missing GPU need not be repeated.
        let provider = models[0].description().provider;
        let device = if provider == Provider::Cpu { Device::Cpu } else { options.device };
        let options = Options { device, ..*options };
        let open = preset.sessions.is_none() && preset.threads.is_none();
        let copies = source.size() <= LARGEST_COPY;
        if open && copies && provider == Provider::Cpu && 1 < cores {
            let (split, split_models) = measure(source, &options, [cores, 1], preset)?;
            // At the same total rate, several sessions run the images of one request in parallel.
            if plan.rate < split.rate * (1.0 + SLACK) {
                (plan, models) = (split, split_models);
            }
        }
        if plan.max_batch < plan.largest_tried {
            // A session keeps the memory of the largest batch that it ever ran.
            drop(models);
            models = load(source, &plan.options(&options, plan.max_batch), plan.sessions)?;
        }
        tracing::info!(
            sessions = plan.sessions,
            threads = plan.threads,
            max_batch = plan.max_batch,
            images_per_second = plan.rate.round(),
            took_ms = milliseconds(begun.elapsed()),
            "chose how to run the model"
        );
        Ok(Self { models, plan })
    }
}

impl Plan {
    fn options(&self, options: &Options, max_batch: usize) -> Options {
        Options {
            threads: NonZeroUsize::new(self.threads),
            max_batch: NonZeroUsize::new(max_batch).unwrap_or(NonZeroUsize::MIN),
            ..*options
        }
    }
}

/// The options that the settings state.
impl From<&ModelSettings> for Preset {
    fn from(settings: &ModelSettings) -> Self {
        Self {
            sessions: NonZeroUsize::new(settings.sessions),
            threads: NonZeroUsize::new(settings.threads),
            max_batch: NonZeroUsize::new(settings.max_batch),
        }
    }
}

impl From<Plan> for Preset {
    fn from(plan: Plan) -> Self {
        let Plan { sessions, threads, max_batch, .. } = plan;
        let [sessions, threads, max_batch] = [sessions, threads, max_batch].map(NonZeroUsize::new);
        Self { sessions, threads, max_batch }
    }
}

/// Measures one division of the cores. Returns its best batch size, and the sessions.
fn measure(
    source: &Source,
    options: &Options,
    [sessions, threads]: [usize; 2],
    preset: Preset,
) -> Result<(Plan, Vec<OnnxModel>), LoadError> {
    let most = preset.max_batch.map_or(LARGEST_TRIED, NonZeroUsize::get);
    let mut plan = Plan { sessions, threads, max_batch: 1, largest_tried: 1, rate: 0.0 };
    let mut models = load(source, &plan.options(options, most), sessions)?;
    let model = models[0].description();
    let batches = match (model.one_at_a_time, preset.max_batch, model.provider) {
        (true, _, _) => vec![1],
        (false, Some(size), _) => vec![size.get()],
        (false, None, Provider::Cpu) => BATCHES.to_vec(),
        (false, None, Provider::Cuda) => [&BATCHES[..], &[LARGEST_TRIED]].concat(),
    };
    for batch in batches {
        if 0.0 < plan.rate && LONGEST_RUN < float(batch) / plan.rate {
            break;
        }
        let rate = rate(&mut models, batch);
        tracing::debug!(sessions, threads, batch, rate, "tried a way to run the model");
        plan.largest_tried = batch;
        if rate <= plan.rate * (1.0 + SLACK) {
            // If a batch gains nothing, a larger one gains nothing either.
            break;
        }
        (plan.max_batch, plan.rate) = (batch, rate);
    }
    Ok((plan, models))
}

fn float(batch: usize) -> f64 {
    f64::from(u32::try_from(batch).unwrap_or(u32::MAX))
}

/// Opens sessions of the same bytes in parallel.
fn load(source: &Source, options: &Options, sessions: usize) -> Result<Vec<OnnxModel>, LoadError> {
    thread::scope(|scope| {
        let loads: Vec<_> =
            (0..sessions).map(|_| scope.spawn(|| OnnxModel::open(source, options))).collect();
        loads
            .into_iter()
            .map(|load| load.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Images per second of all sessions together, in runs of `batch` images.
fn rate(models: &mut [OnnxModel], batch: usize) -> f64 {
    let rates = thread::scope(|scope| {
        let trials: Vec<_> =
            models.iter_mut().map(|model| scope.spawn(move || rate_of_one(model, batch))).collect();
        trials.into_iter().map(|trial| trial.join().unwrap_or(0.0)).collect::<Vec<_>>()
    });
    rates.iter().sum()
}

fn rate_of_one(model: &mut OnnxModel, batch: usize) -> f64 {
    let golden = model.description().golden.pixels();
    let pixels: Vec<Pixels> = golden.iter().cycle().take(batch).cloned().collect();
    // The first run of a shape plans its memory. Of the other runs the fastest counts, because other processes disturb
    // it least.
    let mut works = model.embed(&pixels).is_ok();
    let (begun, mut runs, mut fastest) = (Instant::now(), 0, Duration::MAX);
    while works && (runs < FEWEST || begun.elapsed() < TRIAL) {
        let run = Instant::now();
        works = model.embed(&pixels).is_ok();
        fastest = fastest.min(run.elapsed());
        runs += 1;
    }
    if works { float(batch) / fastest.as_secs_f64() } else { 0.0 }
}
