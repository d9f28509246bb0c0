//! Decoding and preprocessing, compared with Pillow's results on the golden images.

use std::path::PathBuf;

use serde::Deserialize;
use siamese_core::preprocessing::{Colour, DecodeError, Fit, Limits, Preprocessing};

use crate::app::App;
use crate::uploads::jpeg::jpeg_of;
use crate::uploads::tiff::{Entry, tiff};

#[derive(Deserialize)]
struct Manifest {
    images: Vec<Golden>,
}

/// A golden image with its expected results.
#[derive(Deserialize)]
struct Golden {
    path: String,
    width: u32,
    height: u32,
    results: Vec<Expected>,
}

/// A preprocessing, and the offset of its result in the file of results.
#[derive(Deserialize)]
struct Expected {
    colour: Colour,
    fit: Fit,
    width: u32,
    height: u32,
    at: usize,
    /// The largest allowed difference of a byte.
    #[serde(default)]
    tolerance: u8,
}

fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn golden_images() -> Vec<Golden> {
    let manifest: Manifest =
        serde_json::from_slice(&fixture("images/manifest.json")).expect("the manifest's form");
    assert!(80 < manifest.images.len(), "the manifest names the golden images");
    manifest.images
}

impl Golden {
    /// Two of its preprocessings: one decodes a large JPEG at a quarter of its size, the other at an eighth.
    fn preprocessings(&self) -> impl Iterator<Item = Preprocessing> {
        self.results.iter().take(2).map(Expected::preprocessing)
    }
}

impl Expected {
    /// The same preprocessing, with the bytes as values.
    fn preprocessing(&self) -> Preprocessing {
        Preprocessing {
            height: self.height,
            width: self.width,
            colour: self.colour,
            fit: self.fit,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        }
    }

    /// The result in the order of [`siamese_core::preprocessing::Pixels`]: channels first.
    fn values<'a>(&self, results: &'a [u8]) -> impl Iterator<Item = f32> + use<'a> {
        let [channels, height, width] = self.preprocessing().shape();
        let result = &results[self.at..self.at + channels * height * width];
        (0..channels).flat_map(move |channel| {
            result[channel..].iter().step_by(channels).map(|byte| f32::from(*byte))
        })
    }
}

/// For each preprocessing, the largest difference of a value from Pillow's, in steps of 255, minus its tolerance.
fn differences(golden: &Golden, results: &[u8]) -> Vec<(String, f32)> {
    let upload = fixture(&golden.path);
    let difference = |expected: &Expected| {
        let pixels = expected
            .preprocessing()
            .preprocess(&upload, &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error:?}", golden.path));
        let values: Vec<f32> = expected.values(results).collect();
        assert_eq!(pixels.values().len(), values.len());
        let pairs = pixels.values().iter().zip(values);
        let largest = pairs.map(|(ours, pillow)| (ours - pillow).abs()).fold(0.0, f32::max);
        let Expected { colour, fit, width, height, tolerance, .. } = expected;
        let case = format!("{} as {colour} {fit} {width}x{height}", golden.path);
        (case, largest - f32::from(*tolerance))
    };
    golden.results.iter().map(difference).collect()
}

#[test]
fn every_pixel_matches_pillow() {
    let results = fixture("images/expected.bin");
    let all = golden_images().into_iter().flat_map(|golden| differences(&golden, &results));
    let off: Vec<_> = all.filter(|(_, largest)| 0.0 < *largest).collect();
    assert!(off.is_empty(), "{off:#?}");
}

#[test]
fn a_golden_image_cut_short_never_panics() {
    for golden in golden_images() {
        let upload = fixture(&golden.path);
        let step = (upload.len() / 97).max(1);
        for length in (0..upload.len()).step_by(step) {
            for preprocessing in golden.preprocessings() {
                let response = preprocessing.preprocess(&upload[..length], &Limits::default());
                assert!(
                    !matches!(response, Err(DecodeError::DecoderFailed(_))),
                    "{} at {length}",
                    golden.path
                );
            }
        }
    }
}

#[test]
fn a_golden_image_cut_in_half_is_refused() {
    for golden in golden_images() {
        if golden.path.contains("animated") {
            continue; // Half of the file can contain the whole first frame.
        }
        let upload = fixture(&golden.path);
        for preprocessing in golden.preprocessings() {
            let response =
                preprocessing.preprocess(&upload[..upload.len() / 2], &Limits::default());
            assert!(response.is_err(), "{}", golden.path);
        }
    }
}

#[test]
fn an_image_beyond_the_limits_is_too_large() {
    for golden in golden_images() {
        let upload = fixture(&golden.path);
        let pixels = u64::from(golden.width) * u64::from(golden.height);
        let few_pixels = Limits { max_pixels: pixels - 1, ..Limits::default() };
        let little_memory = Limits { max_memory: pixels - 1, ..Limits::default() };
        let just_enough = Limits { max_pixels: pixels, ..Limits::default() };
        for preprocessing in golden.preprocessings() {
            for limits in [few_pixels, little_memory] {
                let response = preprocessing.preprocess(&upload, &limits);
                assert!(
                    matches!(response, Err(DecodeError::TooLarge)),
                    "{}: {response:?}",
                    golden.path
                );
            }
            assert!(preprocessing.preprocess(&upload, &just_enough).is_ok(), "{}", golden.path);
        }
    }
}

#[test]
fn a_jpeg_behind_whose_fault_nothing_is_in_its_place_is_refused() {
    // Eight blocks of no difference, and a restart between each two.
    let jpeg = |coded: &[u8]| jpeg_of(0xc0, [64, 8], 1, b"\xff\xdd\0\x04\0\x01", coded);
    let blocks = |restarts: [u8; 7]| restarts.map(|at| [0x3f, 0xff, 0xd0 | at]).concat();
    let whole = [&blocks([0, 1, 2, 3, 4, 5, 6])[..], &[0x3f]].concat();
    let preprocessing = golden_images()[0].results[0].preprocessing();
    let preprocess = |coded: &[u8]| preprocessing.preprocess(&jpeg(coded), &Limits::default());
    assert!(preprocess(&whole).is_ok());
    let out_of_turn = [&blocks([0, 1, 5, 3, 4, 5, 6])[..], &[0x3f]].concat();
    let without_a_restart = [&whole[..4], &whole[6..]].concat();
    // No code is all ones.
    let no_code = [b"\xff\0\xff\0", &whole[1..]].concat();
    for coded in [out_of_turn, without_a_restart, no_code] {
        let answer = preprocess(&coded);
        assert!(matches!(answer, Err(DecodeError::Corrupt(_))), "{answer:?}");
    }
    // An end before the first block is no image, and one behind it is half of one.
    assert!(matches!(preprocess(b""), Err(DecodeError::CutShort)));
    assert!(preprocess(&whole[..1]).is_ok());
}

/// A small grey TIFF with other tags.
fn grey(entries: &[Entry]) -> Vec<u8> {
    tiff(entries, [8, 8], (1, &[7; 64]))
}

#[tokio::test]
async fn what_is_not_decoded_is_named() {
    let app = App::start();
    for (upload, kind) in [
        (grey(&[(259, 3, 1, 2), (258, 3, 1, 1)]), "CCITT RLE"),
        (grey(&[(259, 3, 1, 3), (292, 4, 1, 1), (258, 3, 1, 1)]), "CCITT G3 in two dimensions"),
        (grey(&[(259, 3, 1, 50_000)]), "Zstandard"),
        (grey(&[(259, 3, 1, 60_000)]), "compression 60000"),
        (grey(&[(258, 3, 1, 32), (339, 3, 1, 3)]), "floating-point samples"),
        (grey(&[(339, 3, 1, 2)]), "samples with a sign"),
        (grey(&[(258, 3, 1, 12)]), "samples of 12 bits"),
        (grey(&[(262, 3, 1, 8), (277, 3, 1, 3)]), "CIE L*a*b*"),
        (grey(&[(262, 3, 1, 6), (277, 3, 1, 3)]), "YCbCr outside of JPEG"),
    ] {
        let answer = app.post("/embed", "image/tiff", upload).await;
        let problem = answer.json();
        answer.refused(415, "image_format_unsupported");
        let detail = format!("a TIFF of a kind that is not decoded here: {kind}");
        assert_eq!(problem["detail"], detail);
    }
}
