//! Small uploads that ask for a lot: what each takes is measured, on a heap that counts.
//!
//! In a binary of its own, as nothing else may run beside what is measured.

mod bmp;
mod gif;
mod jpeg;
mod png;
mod pnm;
mod tiff;
mod webp;

use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use peak_alloc::PeakAlloc;
use siamese::picture::{Colour, Fit, Limits, PictureError, Pixels, Preparation};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The most bytes of a body under the default settings.
const MAX_BODY: usize = 20 << 20;

/// As many pixels a side as the limits allow.
const SIDE: u16 = 8000;

/// As large as bodies may nearly be.
const LARGE: usize = 16 << 20;

/// What it does, and how it is made.
type Bomb = (&'static str, fn() -> Vec<u8>);

/// Far more than any takes, as tests are built without optimisation and share their cores.
const PATIENCE: Duration = Duration::from_secs(30);

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prepares an upload as for the shipped tower.
fn prepare(upload: &[u8]) -> Result<Pixels, PictureError> {
    let preparation = Preparation {
        height: 64,
        width: 64,
        colour: Colour::Grey,
        fit: Fit::Stretch,
        scale: 1.0,
        mean: vec![0.0],
        std: vec![1.0],
    };
    preparation.prepare(upload, &Limits::default())
}

/// How many bytes were held at most beyond those that were held before.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let done = work();
    (done, HEAP.peak_usage().saturating_sub(before))
}

fn bombs() -> Vec<Bomb> {
    [bmp::bombs, gif::bombs, jpeg::bombs, png::bombs, pnm::bombs, tiff::bombs, webp::bombs]
        .into_iter()
        .flat_map(|it| it())
        .collect()
}

/// So many zeros, deflated.
fn zeros(bytes: u64) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
    std::io::copy(&mut std::io::repeat(0).take(bytes), &mut out).expect("deflated");
    out.finish().expect("deflated")
}

#[test]
fn no_upload_takes_more_memory_or_time_than_is_allowed() {
    let _alone = alone();
    for (name, make) in bombs() {
        let upload = make();
        assert!(upload.len() <= MAX_BODY, "{name}: {} bytes", upload.len());
        let begun = Instant::now();
        let (answer, held) = measured(|| prepare(&upload));
        let took = begun.elapsed();
        let answer = answer.err();
        println!("{name}: {} bytes, {held} held, {took:?}, {answer:?}", upload.len());
        assert!(!matches!(answer, Some(PictureError::DecoderFailed(_))), "{name}");
        assert!(took < PATIENCE, "{name}: {took:?}");
        let most = match answer {
            // What is refused as too large is refused before room is made for it.
            Some(PictureError::TooLarge) => 2 * MAX_BODY,
            _ => usize::try_from(Limits::default().max_memory).expect("64 bits"),
        };
        assert!(held <= most, "{name}: {held} bytes, {answer:?}");
    }
}

/// The one decoder that has no limit of its own: lossless WebP's tables of codes.
#[test]
fn tables_without_end_are_held_once_at_a_time() {
    let _alone = alone();
    let upload = webp::tables();
    let (_, one) = measured(|| prepare(&upload));
    let ((), several) = measured(|| {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| drop(prepare(&upload)));
            }
        });
    });
    assert!(several < one + one / 4, "{several} bytes, where one takes {one}");
    assert!(one < 3 << 29, "{one} bytes");
}
