//! The bare loop: the library's functions on the same cores, without a server.
//!
//! It is the upper limit for a server: decode, preprocess and run, with the fastest configuration on this machine.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use siamese_core::model::{Description, Device, Model, OnnxModel, Options, Preprocessor};
use siamese_core::preprocessing::{Limits, Pixels};

use crate::Failure;
use crate::images::Kind;
use crate::process::Process;
use crate::request::Route;

/// The bare loop, with sessions of the model that are kept between measurements.
pub(crate) struct Floor {
    model: PathBuf,
    device: Device,
    /// By the number of threads of a session.
    sessions: BTreeMap<usize, Vec<OnnxModel>>,
}

/// A configuration of the cores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Configuration {
    /// Parallel loops, each with its own session.
    sessions: usize,
    /// Threads of a run.
    threads: usize,
    /// Images in a run.
    batch: usize,
    /// Threads that decode the images of a run.
    decoders: usize,
}

/// The result of a loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    images: f64,
    took: Duration,
    cpu: Duration,
}

/// The most images in one run of the bare loop.
const LARGEST: usize = 32;

pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

impl Configuration {
    /// The configurations for the images of many connections.
    pub(crate) fn for_many(kind: Kind) -> Vec<Self> {
        let cores = cores();
        // Decoding large images takes so long that the cost of a run does not matter.
        let batch = if kind.is_large() { 4 } else { LARGEST };
        vec![
            Self { sessions: cores, threads: 1, batch: 1, decoders: 1 },
            Self { sessions: cores, threads: 1, batch, decoders: 1 },
            Self { sessions: 1, threads: cores, batch, decoders: cores },
        ]
    }

    /// The configurations for the requests of one connection.
    pub(crate) fn for_one(route: Route) -> Vec<Self> {
        let (cores, batch) = (cores(), route.images() as usize);
        let single = Self { sessions: 1, threads: 1, batch, decoders: 1 };
        let mut configurations = vec![single, Self { threads: cores, ..single }];
        if 1 < batch {
            configurations.extend([1, cores].map(|threads| Self {
                threads,
                decoders: batch,
                ..single
            }));
        }
        configurations
    }

    pub(crate) fn name(self) -> String {
        let Self { sessions, threads, batch, decoders } = self;
        format!("{sessions} × {threads} threads, {batch} images per run, decoded by {decoders}")
    }
}

impl Floor {
    pub(crate) fn new(model: PathBuf, device: Device) -> Result<Self, Failure> {
        let mut floor = Self { model, device, sessions: BTreeMap::new() };
        floor.sessions(1, 1)?;
        Ok(floor)
    }

    /// The model's description.
    pub(crate) fn description(&self) -> &Description {
        self.sessions
            .values()
            .flatten()
            .next()
            .expect("a session is loaded at the start")
            .description()
    }

    /// Measures each configuration three times for `time`. Returns the fastest, and the pace of all.
    pub(crate) fn fastest(
        &mut self,
        configurations: &[Configuration],
        uploads: &[Vec<u8>],
        time: Duration,
    ) -> Result<(Configuration, Vec<(Configuration, Pace)>), Failure> {
        let mut trials = vec![Vec::new(); configurations.len()];
        for _ in 0..3 {
            for (configuration, trials) in configurations.iter().zip(&mut trials) {
                trials.push(self.run(*configuration, uploads, time)?);
            }
        }
        let paces: Vec<_> =
            configurations.iter().copied().zip(trials.iter().map(Pace::total)).collect();
        let rate = |candidate: &&(Configuration, Pace)| candidate.1.images_per_second();
        let best = paces.iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
        Ok((best.expect("there is at least one configuration").0, paces))
    }

    /// Runs the loop for `time`, and on to the end of the last run.
    pub(crate) fn run(
        &mut self,
        configuration: Configuration,
        uploads: &[Vec<u8>],
        time: Duration,
    ) -> Result<Pace, Failure> {
        let sessions = self.sessions(configuration.threads, configuration.sessions)?;
        let (begun, cpu) = (Instant::now(), Process::this().cpu());
        let images: u32 = thread::scope(|scope| {
            let loops: Vec<_> = sessions
                .iter_mut()
                .map(|model| scope.spawn(move || embed_for(time, model, configuration, uploads)))
                .collect();
            loops.into_iter().map(|worker| worker.join().expect("a loop does not panic")).sum()
        });
        let (took, cpu) = (begun.elapsed(), Process::this().cpu_since(cpu));
        Ok(Pace { images: f64::from(images), took, cpu })
    }

    /// Returns `sessions` sessions of `threads` threads each, and loads those that are missing.
    fn sessions(&mut self, threads: usize, sessions: usize) -> Result<&mut [OnnxModel], Failure> {
        let loaded = self.sessions.entry(threads).or_default();
        let max_batch = NonZeroUsize::new(LARGEST).expect("32 is not 0");
        let threads = NonZeroUsize::new(threads);
        let options = Options { device: self.device, threads, max_batch, ..Options::default() };
        while loaded.len() < sessions {
            loaded.push(OnnxModel::load(&self.model, &options)?);
        }
        Ok(&mut loaded[..sessions])
    }
}

impl Pace {
    /// The total of several loops.
    pub(crate) fn total<'a>(paces: impl IntoIterator<Item = &'a Self>) -> Self {
        let none = Self { images: 0.0, took: Duration::ZERO, cpu: Duration::ZERO };
        paces.into_iter().fold(none, |sum, pace| Self {
            images: sum.images + pace.images,
            took: sum.took + pace.took,
            cpu: sum.cpu + pace.cpu,
        })
    }

    pub(crate) fn images_per_second(&self) -> f64 {
        self.images / self.took.as_secs_f64()
    }

    /// Images per second of busy cores; idle cores are not counted.
    pub(crate) fn images_per_core_second(&self) -> f64 {
        self.images / self.cpu.as_secs_f64()
    }
}

/// Embeds images in runs for a time. Returns the number of images.
fn embed_for(
    time: Duration,
    model: &mut OnnxModel,
    configuration: Configuration,
    uploads: &[Vec<u8>],
) -> u32 {
    let preprocessor = model.description().preprocessor.clone();
    let (begun, mut images, mut uploads) = (Instant::now(), 0, uploads.iter().cycle());
    while images == 0 || begun.elapsed() < time {
        let batch: Vec<&[u8]> =
            uploads.by_ref().take(configuration.batch).map(Vec::as_slice).collect();
        let pixels = preprocess_all(&preprocessor, &batch, configuration.decoders);
        let embedded = model.embed(&pixels).expect("the model runs");
        images += u32::try_from(embedded.len()).unwrap_or(0);
    }
    images
}

fn preprocess_all(preprocessor: &Preprocessor, uploads: &[&[u8]], decoders: usize) -> Vec<Pixels> {
    if decoders == 1 {
        return uploads.iter().map(|upload| preprocess(preprocessor, upload)).collect();
    }
    thread::scope(|scope| {
        let parts: Vec<_> = uploads
            .chunks(uploads.len().div_ceil(decoders))
            .map(|part| scope.spawn(|| preprocess_all(preprocessor, part, 1)))
            .collect();
        parts.into_iter().flat_map(|worker| worker.join().expect("a fixture decodes")).collect()
    })
}

fn preprocess(preprocessor: &Preprocessor, upload: &[u8]) -> Pixels {
    preprocessor.preprocess(upload, &Limits::default()).expect("a fixture is preprocessed")
}
