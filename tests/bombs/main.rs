//! Small uploads that ask for a lot: what each takes is measured, on a heap that counts.
//!
//! In a binary of its own, as nothing else may run beside what is measured.

mod bmp;
mod gif;
mod jpeg;
mod png;
mod pnm;
mod tiff;
#[path = "../uploads/mod.rs"]
mod uploads;
#[path = "../waits/mod.rs"]
mod waits;
mod webp;
mod workers;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use siamese_core::preprocessing::{Colour, DecodeError, Fit, Limits, Pixels, Preprocessing};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The most bytes of a body under the default settings.
const MAX_BODY: usize = 20 << 20;

/// As many pixels a side as the limits allow.
const SIDE: u16 = 7000;

/// As large as bodies may nearly be.
const LARGE: usize = 16 << 20;

/// What it does, and how it is made.
type Bomb = (&'static str, fn() -> Vec<u8>);

/// Far more than any takes, as tests are built without optimisation and share their cores.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lets a test go on while no other does.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    waits::clock::watch();
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the shipped model reads.
fn preprocessing() -> Preprocessing {
    Preprocessing {
        height: 64,
        width: 64,
        colour: Colour::Grey,
        fit: Fit::Stretch,
        scale: 1.0,
        mean: vec![0.0],
        std: vec![1.0],
    }
}

/// Prepares an upload in this process.
fn preprocess(upload: &[u8]) -> Result<Pixels, DecodeError> {
    preprocessing().preprocess(upload, &Limits::default())
}

/// How many bytes were held at most beyond those that were held before.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let done = work();
    (done, HEAP.peak_usage().saturating_sub(before))
}

/// Of formats whose cost is bounded by their header.
fn bounded_bombs() -> Vec<Bomb> {
    [bmp::bombs, jpeg::bombs, png::bombs, pnm::bombs]
        .into_iter()
        .flat_map(|bombs| bombs())
        .collect()
}

#[test]
fn no_upload_takes_more_memory_or_time_than_is_allowed() {
    let _alone = alone();
    for (name, make) in bounded_bombs() {
        let upload = make();
        assert!(upload.len() <= MAX_BODY, "{name}: {} bytes", upload.len());
        let begun = Instant::now();
        let (response, held) = measured(|| preprocess(&upload));
        let took = begun.elapsed();
        let response = response.err();
        println!("{name}: {} bytes, {held} held, {took:?}, {response:?}", upload.len());
        assert!(!matches!(response, Some(DecodeError::DecoderFailed(_))), "{name}");
        assert!(took < PATIENCE, "{name}: {took:?}");
        let most = match response {
            // What is refused as too large is refused before room is made for it.
            Some(DecodeError::TooLarge) => 2 * MAX_BODY,
            _ => usize::try_from(Limits::default().max_memory).expect("64 bits"),
        };
        assert!(held <= most, "{name}: {held} bytes, {response:?}");
    }
}
