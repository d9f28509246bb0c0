//! Formats that workers decode: for any upload, a worker answers or is stopped in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use siamese::engine::decode::worker::{Allowance, End, Event, Pool};
use siamese_core::preprocessing::{DecodeError, Decoding, Limits, Reduction};

use crate::uploads::structured::{Draw, any_gif, any_tiff, any_webp};
use crate::{Bomb, MAX_BODY, UPLOAD_TIMEOUT, alone, gif, preprocessing, tiff, webp};

/// Less than a server's allowance, so that the test is short. A bomb would exceed the larger one too, a little later.
const ALLOWANCE: Allowance = Allowance { cpu: Duration::from_millis(300), memory: 128 << 20 };

/// How long the random uploads of each format run, in seconds. By default only a few are tried.
const SECONDS: &str = "SIAMESE_FUZZ_SECONDS";

/// Workers, and counters of how they ended.
struct Workers {
    pool: Pool,
    limits: Limits,
    crashes: Arc<AtomicU64>,
    stopped: Arc<AtomicU64>,
}

impl Workers {
    fn new() -> Self {
        let [crashes, stopped] = [(); 2].map(|()| Arc::<AtomicU64>::default());
        let counts = [crashes.clone(), stopped.clone()];
        let pool = Pool::new(env!("CARGO_BIN_EXE_siamese").into(), move |event| {
            let count = match event {
                Event::Ended(End::Crash) => &counts[0],
                Event::Ended(End::CpuTime | End::Memory) => &counts[1],
                _ => return,
            };
            count.fetch_add(1, Ordering::Relaxed);
        });
        Self { pool, limits: Limits::default(), crashes, stopped }
    }

    /// Decodes an upload in a worker, and checks that the worker does not crash.
    async fn check(&self, name: &str, upload: Vec<u8>) -> Result<(), DecodeError> {
        assert!(upload.len() <= MAX_BODY, "{name}: {} bytes", upload.len());
        let upload = upload.into();
        let preprocessing = preprocessing();
        let response = self.pool.decode(
            Decoding::Planes(preprocessing, Reduction::default()),
            &upload,
            self.limits,
            ALLOWANCE,
        );
        let response = tokio::time::timeout(UPLOAD_TIMEOUT, response).await;
        let response =
            response.unwrap_or_else(|_| panic!("{name} is not decoded within {UPLOAD_TIMEOUT:?}"));
        assert_eq!(self.crashes.load(Ordering::Relaxed), 0, "{name}: {response:?}");
        response.map(drop)
    }
}

fn bombs() -> Vec<Bomb> {
    [gif::bombs, tiff::bombs, webp::bombs].into_iter().flat_map(|bombs| bombs()).collect()
}

/// Runs a test while no other test runs.
fn run(test: impl Future<Output = ()>) {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

#[test]
fn bombs_are_stopped_and_the_next_image_is_decoded() {
    run(all_bombs());
}

async fn all_bombs() {
    let workers = Workers::new();
    for (name, make) in bombs() {
        let upload = make();
        let bytes = upload.len();
        let response = workers.check(name, upload).await;
        println!("{name}: {bytes} bytes, {response:?}");
        let whole = workers.check("an image", b"P5 1 1 255\n\0".to_vec()).await;
        assert_eq!(whole, Ok(()), "behind {name}");
    }
    assert!(0 < workers.stopped.load(Ordering::Relaxed), "none of them was one");
}

#[test]
fn any_tiff_is_answered_or_stopped() {
    run(structured(any_tiff));
}

#[test]
fn any_webp_is_answered_or_stopped() {
    run(structured(any_webp));
}

#[test]
fn any_gif_is_answered_or_stopped() {
    run(structured(any_gif));
}

/// The filter of system calls allows all that the decoder needs.
#[cfg(feature = "heic")]
#[test]
fn each_heic_is_decoded_by_a_confined_worker() {
    run(async {
        let workers = Workers::new();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/heic");
        let mut decoded = 0;
        for file in std::fs::read_dir(folder).expect("fixtures") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|extension| extension == "heic") {
                let upload = std::fs::read(&path).expect("bytes");
                let name = path.display().to_string();
                assert_eq!(workers.check(&name, upload).await, Ok(()), "{name}");
                decoded += 1;
            }
        }
        assert_eq!(decoded, 13);
    });
}

/// Tries random uploads, with seeds from 0.
async fn structured(any: fn(Draw) -> Vec<u8>) {
    const USUAL: u64 = 150;
    let workers = Workers::new();
    let begun = Instant::now();
    let seconds = std::env::var(SECONDS).ok().map(|text| text.parse().expect("whole seconds"));
    let goes_on = |seed| match seconds {
        Some(seconds) => begun.elapsed() < Duration::from_secs(seconds),
        None => seed < USUAL,
    };
    let [mut decoded, mut panicked, mut seed] = [0, 0, 0];
    while goes_on(seed) {
        let mut random = Rng::with_seed(seed);
        let upload = any(&mut |below| random.usize(..below));
        match workers.check(&format!("seed {seed}"), upload).await {
            Ok(()) => decoded += 1,
            Err(DecodeError::DecoderFailed(why)) => {
                println!("seed {seed}: {why}");
                panicked += 1;
            }
            Err(_) => {}
        }
        seed += 1;
    }
    let stopped = workers.stopped.load(Ordering::Relaxed);
    println!("{seed} uploads: {decoded} decoded, {stopped} stopped, {panicked} panicked");
    assert!(0 < decoded, "none can be decoded");
}
