//! Fuzzes the decoding of images, for models of several shapes and for the search for faces.
//!
//! Every upload must give a result within the memory limits, and the same result whatever the heap contained before.

#![no_main]

use libfuzzer_sys::fuzz_target;
use siamese_core::preprocessing::{
    Area, Colour, DecodeError, Detail, Fit, Limits, Photograph, Preprocessing, Square,
};
use siamese_fuzz::{let_panics_be_caught, measured};

/// Small, so that a run takes little time.
const LIMITS: Limits = Limits { max_pixels: 1 << 19, max_memory: 8 << 20 };

/// The memory that the limits do not count: tables, the resize's own buffers, error texts.
const UNCOUNTED: usize = 2 << 20;

fuzz_target!(init: let_panics_be_caught(), |upload: &[u8]| {
    // The length selects the model, so that any file can be a seed.
    let (width, height, colour, fit) = match upload.len() % 4 {
        0 => (6, 5, Colour::Grey, Fit::Stretch),
        1 => (16, 12, Colour::Rgb, Fit::Pad),
        2 => (9, 14, Colour::Rgb, Fit::Crop),
        _ => (60, 60, Colour::Grey, Fit::Pad),
    };
    let (scale, mean, std) = (1.0, vec![0.0], vec![1.0]);
    let preprocessing = Preprocessing { height, width, colour, fit, scale, mean, std };
    let preprocess = || preprocessing.preprocess(upload, &LIMITS);

    let (first, peak) = measured(0x00, preprocess);
    // A lossless WebP may contain many code tables, which have no limit.
    let tables =
        if upload.starts_with(b"RIFF") { (64 << 20) + 400 * upload.len() } else { 0 };
    // The HEIC decoder copies the coded pictures and lists their parts.
    let parts = if upload.get(4..8) == Some(b"ftyp") { 32 * upload.len() } else { 0 };
    let most = LIMITS.max_memory as usize + 4 * upload.len() + UNCOUNTED + tables + parts;
    assert!(peak <= most, "{peak} bytes were held, but {most} are allowed: {first:?}");

    let (second, _) = measured(0xa5, preprocess);
    match (first, second) {
        (Ok(first), Ok(second)) => {
            let [channels, height, width] = preprocessing.shape();
            assert_eq!(first.values().len(), channels * height * width);
            assert!(first.values().iter().all(|value| (0.0..=255.0).contains(value)));
            assert_eq!(first.values(), second.values(), "the result depends on what the heap held before");
        }
        (Err(first), Err(second)) => {
            assert!(!matches!(first, DecodeError::Empty) || upload.is_empty());
            assert_eq!(first.to_string(), second.to_string());
        }
        (first, second) => panic!("{first:?}, and then {second:?}"),
    }

    // Photographs are decoded with the same limits, and cut at any place.
    if let Ok(photograph) = Photograph::decode(upload, &LIMITS, Detail::Coarse) {
        let [x, y] = photograph.size().map(f64::from);
        let turn = f64::from(upload.last().copied().unwrap_or_default()) / 16.0;
        let square = Square { centre: [x / 3.0, y], half: x.max(y) / 2.0, angle: turn };
        let planes = photograph.square(square, 32, Colour::Rgb);
        assert!([32 * 32, 3 * 32 * 32].contains(&planes.len()));
        let full = photograph.full_size();
        let around = Area::around([x / 3.0, y / 2.0], y / 4.0);
        let part = Photograph::decode(upload, &LIMITS, Detail::Of(around));
        assert_eq!(part.map(|part| part.full_size()).ok(), Some(full));
    }
});
