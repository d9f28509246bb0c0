//! HEIC files that `scripts/heic_images.py` made, beside what libheif decodes them to, and files that no encoder would
//! write.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::preprocessing::decode::Estimate;
use crate::preprocessing::samples::Image;
use crate::preprocessing::{DecodeError, Detail, Limits, Photograph};

/// Far longer than any of these files takes.
const TIMEOUT: Duration = Duration::from_secs(20);

fn folder() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/heic").into()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn names() -> Vec<String> {
    let files = fs::read_dir(folder()).expect("fixtures").map(|file| file.expect("a file").path());
    let heic = files.filter(|path| path.extension().is_some_and(|extension| extension == "heic"));
    let mut names: Vec<String> =
        heic.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    assert_eq!(names.len(), 13, "{names:?}");
    names
}

fn decode(upload: &[u8], limits: &Limits) -> Result<Image, DecodeError> {
    super::super::guard(|| super::picture::decode(upload, limits))
}

/// Decodes as every caller does, and fails if the decoder panics or takes too long.
fn answered(case: &str, upload: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    let begun = Instant::now();
    Estimate::of(upload);
    let outcome = Photograph::decode(upload, limits, Detail::Full);
    assert!(!matches!(outcome, Err(DecodeError::DecoderFailed(_))), "{case}: {outcome:?}");
    assert!(begun.elapsed() < TIMEOUT, "{case}: {:?}", begun.elapsed());
    outcome.map(drop)
}

/// Replaces the content of the first box of this name, from `at` on.
fn changed(upload: &[u8], name: [u8; 4], at: usize, with: &[u8]) -> Vec<u8> {
    let start = memchr::memmem::find(upload, &name).expect("a box") + 4 + at;
    let mut upload = upload.to_vec();
    upload[start..start + with.len()].copy_from_slice(with);
    upload
}

/// The largest and the mean difference of bytes.
fn differences(ours: &[u8], others: &[u8]) -> (u8, f64) {
    assert_eq!(ours.len(), others.len());
    let differences = || ours.iter().zip(others).map(|(one, other)| one.abs_diff(*other));
    let sum: u64 = differences().map(u64::from).sum();
    #[expect(clippy::cast_precision_loss, reason = "small images")]
    let mean = sum as f64 / ours.len() as f64;
    (differences().max().unwrap_or(0), mean)
}

/// libheif repeats halved chroma, and `heifer` interpolates it. Brightness and full chroma are the same.
#[test]
fn every_kind_is_decoded_as_libheif_does() {
    for name in names() {
        let ours = decode(&fixture(&format!("{name}.heic")), &Limits::default());
        let ours = ours.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let expected = image::open(folder().join(format!("{name}.png"))).expect("a PNG").to_rgb8();
        let size = ours.size();
        assert_eq!([size.width, size.height], [expected.width(), expected.height()], "{name}");
        let (largest, mean) = differences(ours.bytes(), expected.as_raw());
        let luma = |bytes: &[u8]| -> Vec<u8> {
            let (pixels, _) = bytes.as_chunks();
            pixels.iter().map(|pixel| crate::preprocessing::colour::luma(*pixel)).collect()
        };
        let (_, grey) = differences(&luma(ours.bytes()), &luma(expected.as_raw()));
        let most = if ["444-odd", "grey"].contains(&&name[..]) { (1, 0.01) } else { (40, 2.0) };
        let found = format!("{name}: {largest} at most, {mean:.2} in the mean, {grey:.2} in grey");
        assert!(largest <= most.0 && mean <= most.1 && grey <= 0.7, "{found}");
    }
}

#[test]
fn the_orientation_is_applied_once() {
    // Both are stored with 120 columns. One states no orientation, and the other states it twice: as `irot` and in EXIF.
    for (name, sides) in [("420.heic", [120, 88]), ("grid.heic", [88, 120])] {
        let size = decode(&fixture(name), &Limits::default()).expect("an image").size();
        assert_eq!([size.width, size.height], sides, "{name}");
    }
}

#[test]
fn the_estimate_states_the_pixels_of_the_whole_image() {
    for (name, pixels) in [("grid.heic", 120 * 88), ("420.heic", 128 * 96), ("mirrored.heic", 5120)]
    {
        let estimate = Estimate::of(&fixture(name)).expect("a HEIC");
        assert!(!estimate.is_bounded, "{name}");
        assert!(estimate.pixels <= pixels && 88 * 50 < estimate.pixels, "{name}: {estimate:?}");
    }
}

#[test]
fn an_image_beyond_the_limits_is_too_large() {
    for name in ["420.heic", "grid.heic"] {
        let upload = fixture(name);
        let few_pixels = Limits { max_pixels: 4000, ..Limits::default() };
        let little_memory = Limits { max_memory: 30_000, ..Limits::default() };
        for limits in [few_pixels, little_memory] {
            let outcome = answered(name, &upload, &limits);
            assert_eq!(outcome, Err(DecodeError::TooLarge), "{name}, {limits:?}");
        }
    }
}

#[test]
fn a_file_that_states_more_than_it_has_is_refused_at_once() {
    let (single, grid) = (fixture("mirrored.heic"), fixture("grid.heic"));
    let huge = [0x7f, 0xff, 0xff, 0xff];
    let begun = Instant::now();
    for (case, upload) in [
        ("a picture of 2^31 columns", changed(&single, *b"ispe", 4, &huge)),
        ("a picture of 60,000 by 64", changed(&single, *b"ispe", 4, &60_000_u32.to_be_bytes())),
        ("a picture of no columns", changed(&single, *b"ispe", 4, &[0; 4])),
        ("tiles of 2^31 columns", changed(&grid, *b"ispe", 4, &huge)),
        ("tiles of one column", changed(&grid, *b"ispe", 4, &1_u32.to_be_bytes())),
        ("a grid of 65,536 tiles", changed(&grid, *b"idat", 2, &[255, 255])),
        ("a grid of 65,535 by 65,535", changed(&grid, *b"idat", 4, &[255; 4])),
        ("a grid of nothing", changed(&grid, *b"idat", 4, &[0; 4])),
        ("a grid of grids", changed(&grid, *b"dimg", 4, &[0, 5, 0, 5, 0, 5, 0, 5])),
        ("a grid of itself and pictures", changed(&grid, *b"dimg", 4, &[0, 1, 0, 5])),
        ("tiles that share their bytes", changed(&grid, *b"dimg", 4, &[0, 1, 0, 1, 0, 1, 0, 1])),
        ("a primary image that is missing", changed(&grid, *b"pitm", 4, &[9, 9])),
        ("a primary image of EXIF", changed(&grid, *b"pitm", 4, &[0, 6])),
    ] {
        let outcome = answered(case, &upload, &Limits::default());
        assert!(outcome.is_err(), "{case}");
    }
    assert!(begun.elapsed() < TIMEOUT, "{:?}", begun.elapsed());
}

#[test]
fn tiles_that_share_their_bytes_cost_no_more_than_the_upload() {
    // Each of the four tiles is said to be all of the file.
    let upload = fixture("grid.heic");
    let places = memchr::memmem::find(&upload, b"iloc").expect("a box") + 4 + 4 + 4;
    let mut shared = upload.clone();
    for tile in 0..4 {
        let place = places + tile * 16 + 8;
        shared[place..place + 4].copy_from_slice(&[0; 4]);
        let length = u32::try_from(upload.len()).expect("short").to_be_bytes();
        shared[place + 4..place + 8].copy_from_slice(&length);
    }
    assert!(answered("shared", &shared, &Limits::default()).is_err());
}

#[test]
fn a_long_description_of_items_is_refused() {
    let upload = fixture("mirrored.heic");
    let free = |length: u32| {
        let rest = length as usize - 8;
        [&length.to_be_bytes()[..], b"free", &vec![0; rest]].concat()
    };
    let meta = memchr::memmem::find(&upload, b"meta").expect("a box") - 4;
    let length = u32::from_be_bytes(upload[meta..meta + 4].try_into().expect("four bytes"));
    let end = meta + length as usize;
    let longer = [&upload[..end], &free(1 << 18), &upload[end..]].concat();
    let longer = changed(&longer, *b"ftyp", 16, &(length + (1 << 18)).to_be_bytes());
    let mut second = free(1 << 19);
    second[4..8].copy_from_slice(b"meta");
    for (case, upload) in [
        ("a long description", longer),
        ("a second description", [&upload[..], &second].concat()),
        ("many boxes", [&upload[..], &free(8).repeat(100)].concat()),
    ] {
        let outcome = answered(case, &upload, &Limits::default());
        assert!(matches!(outcome, Err(DecodeError::UnsupportedKind { .. })), "{case}: {outcome:?}");
    }
}

#[test]
fn a_description_that_would_multiply_is_refused() {
    let grid = fixture("grid.heic");
    for (why, upload) in [
        ("two items of one number", changed(&grid, *b"infe", 4, &[0, 2])),
        ("items whose places have no bytes", changed(&grid, *b"iloc", 4, &[0])),
    ] {
        let outcome = answered(why, &upload, &Limits::default());
        assert_eq!(outcome, Err(super::layout::corrupt(why)));
    }
}

#[test]
fn a_file_cut_short_is_refused() {
    for name in names() {
        let upload = fixture(&format!("{name}.heic"));
        for length in (0..upload.len()).step_by(7) {
            let case = format!("{name} at {length}");
            let outcome = answered(&case, &upload[..length], &Limits::default());
            assert!(outcome.is_err(), "{case}");
        }
    }
}

/// Tries as many random changes as one of CI's tests may take, or for this many seconds.
#[test]
fn no_change_of_bytes_makes_the_decoder_panic() {
    const SECONDS: &str = "SIAMESE_FUZZ_SECONDS";
    const USUAL: u32 = 600;
    let seconds = std::env::var(SECONDS).ok().map(|text| text.parse().expect("whole seconds"));
    let uploads: Vec<Vec<u8>> =
        names().iter().map(|name| fixture(&format!("{name}.heic"))).collect();
    let limits = Limits { max_pixels: 1 << 20, max_memory: 64 << 20 };
    let begun = Instant::now();
    let mut random = fastrand::Rng::with_seed(seconds.unwrap_or(3));
    let ([mut tried, mut decoded], mut slowest) = ([0, 0], Duration::ZERO);
    while seconds.map_or(tried < USUAL, |seconds| begun.elapsed() < Duration::from_secs(seconds)) {
        let mut upload = uploads[random.usize(..uploads.len())].clone();
        for _ in 0..=random.usize(..4) {
            // Half of the changes are in the description of the items, the other half in the pictures.
            let most = if random.bool() { upload.len().min(900) } else { upload.len() };
            let at = random.usize(..most);
            match random.u8(..4) {
                0 => upload[at] ^= 1 << random.u8(..8),
                1 => upload[at] = random.u8(..),
                2 => upload[at] = [0, 0xff, 0x7f, 0x80][random.usize(..4)],
                _ => {
                    let length = random.usize(..8).min(most - at);
                    let from = random.usize(..=upload.len() - length);
                    upload.copy_within(from..from + length, at);
                }
            }
        }
        let started = Instant::now();
        let outcome = answered(&format!("change {tried}"), &upload, &limits);
        slowest = slowest.max(started.elapsed());
        decoded += u32::from(outcome.is_ok());
        tried += 1;
    }
    assert!(0 < decoded, "none of {tried} can be decoded; the slowest took {slowest:?}");
}
