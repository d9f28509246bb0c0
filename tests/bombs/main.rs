//! Small uploads that need much memory or time. A counting allocator measures each.
//!
//! This is a separate binary, because nothing else may allocate during a measurement.

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

/// The default limit on a body, in bytes.
const MAX_BODY: usize = 20 << 20;

/// About the largest side that the limits allow, in pixels.
const SIDE: u16 = 7000;

/// Nearly the largest body.
const LARGE: usize = 16 << 20;

/// A description, and a function that creates the upload.
type Bomb = (&'static str, fn() -> Vec<u8>);

/// Far longer than any upload takes: tests are built without optimisation and share the cores.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Lets only one test run at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    waits::clock::watch();
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A preprocessing like the shipped model's.
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

/// Preprocesses an upload in this process.
fn preprocess(upload: &[u8]) -> Result<Pixels, DecodeError> {
    preprocessing().preprocess(upload, &Limits::default())
}

/// The result of work, and the most additional bytes that were allocated meanwhile.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let done = work();
    (done, HEAP.peak_usage().saturating_sub(before))
}

/// Bombs of formats whose header limits their cost.
fn bounded_bombs() -> Vec<Bomb> {
    [bmp::bombs, jpeg::bombs, png::bombs, pnm::bombs]
        .into_iter()
        .flat_map(|bombs| bombs())
        .collect()
}

#[test]
fn no_upload_exceeds_the_limits_on_memory_and_time() {
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
        assert!(took < UPLOAD_TIMEOUT, "{name}: {took:?}");
        let most = match response {
            // An image that is too large is rejected before memory is allocated for it.
            Some(DecodeError::TooLarge) => 2 * MAX_BODY,
            _ => usize::try_from(Limits::default().max_memory).expect("64 bits"),
        };
        assert!(held <= most, "{name}: {held} bytes, {response:?}");
    }
}
