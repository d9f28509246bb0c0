//! Decoding and preparing, held against Pillow's results on the golden pictures.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use siamese::picture::{Colour, Fit, Limits, Picture, PictureError, Preparation, decode};

#[derive(Deserialize)]
struct Manifest {
    pictures: Vec<Golden>,
}

/// A golden picture with what is expected of it.
#[derive(Deserialize)]
struct Golden {
    path: String,
    width: u32,
    height: u32,
    results: Vec<Expected>,
}

/// A preparation, and where its result begins in the file of results.
#[derive(Deserialize)]
struct Expected {
    colour: Colour,
    fit: Fit,
    width: u32,
    height: u32,
    at: usize,
}

fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn golden_pictures() -> Vec<Golden> {
    let manifest: Manifest =
        serde_json::from_slice(&fixture("pictures/manifest.json")).expect("the manifest's form");
    assert!(80 < manifest.pictures.len(), "the manifest names the golden pictures");
    manifest.pictures
}

fn picture(path: &str) -> Picture {
    decode(&fixture(path), &Limits::default()).unwrap_or_else(|error| panic!("{path}: {error:?}"))
}

impl Expected {
    /// The same preparation, with values that are the bytes themselves.
    fn preparation(&self) -> Preparation {
        Preparation {
            height: self.height,
            width: self.width,
            colour: self.colour,
            fit: self.fit,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        }
    }

    /// The result in the order of [`siamese::picture::Pixels`]: channels first.
    fn values<'a>(&self, results: &'a [u8]) -> impl Iterator<Item = f32> + use<'a> {
        let [channels, height, width] = self.preparation().shape();
        let result = &results[self.at..self.at + channels * height * width];
        (0..channels).flat_map(move |channel| {
            result[channel..].iter().step_by(channels).map(|it| f32::from(*it))
        })
    }
}

#[test]
fn no_pixel_is_off_by_more_than_one_step_of_255() {
    let results = fixture("pictures/expected.bin");
    let mut worst = BTreeMap::new();
    let mut off = Vec::new();
    for golden in golden_pictures() {
        let picture = picture(&golden.path);
        for expected in &golden.results {
            let pixels = expected.preparation().prepare(&picture).expect("pixels");
            let differences = pixels.values().iter().zip(expected.values(&results));
            let differences: Vec<f32> = differences.map(|(a, b)| (a - b).abs()).collect();
            assert_eq!(differences.len(), pixels.values().len());
            let largest = differences.iter().copied().fold(0.0, f32::max);
            let share = differences.iter().filter(|it| 0.0 < **it).count();
            let what = format!(
                "{} as {} {} {}x{}: {largest} ({share} of {} differ)",
                golden.path,
                expected.colour,
                expected.fit,
                expected.width,
                expected.height,
                differences.len()
            );
            *worst.entry(format!("{largest}")).or_insert(0) += 1;
            if 1.0 < largest {
                off.push(what);
            }
        }
    }
    println!("largest difference of a result, and how many results have it: {worst:?}");
    assert!(off.is_empty(), "off by more than 1/255:\n{}", off.join("\n"));
}

#[test]
fn every_golden_picture_is_upright_and_of_its_size() {
    for golden in golden_pictures() {
        let picture = picture(&golden.path);
        assert_eq!(
            (picture.width(), picture.height()),
            (golden.width, golden.height),
            "{}",
            golden.path
        );
    }
}

#[test]
fn a_golden_picture_cut_short_never_panics() {
    for golden in golden_pictures() {
        let upload = fixture(&golden.path);
        let step = (upload.len() / 97).max(1);
        for length in (0..upload.len()).step_by(step) {
            let answer = decode(&upload[..length], &Limits::default());
            assert!(!matches!(answer, Err(PictureError::Panicked)), "{} at {length}", golden.path);
        }
    }
}

#[test]
fn a_golden_picture_cut_in_half_is_refused() {
    for golden in golden_pictures() {
        if golden.path.contains("animated") {
            continue; // The first frame may be whole.
        }
        let upload = fixture(&golden.path);
        let answer = decode(&upload[..upload.len() / 2], &Limits::default());
        assert!(answer.is_err(), "{}", golden.path);
    }
}

#[test]
fn a_picture_beyond_the_limits_is_too_large() {
    for golden in golden_pictures() {
        let upload = fixture(&golden.path);
        let pixels = u64::from(golden.width) * u64::from(golden.height);
        let few_pixels = Limits { max_pixels: pixels - 1, ..Limits::default() };
        let little_memory = Limits { max_memory: pixels - 1, ..Limits::default() };
        for limits in [few_pixels, little_memory] {
            let answer = decode(&upload, &limits);
            assert!(matches!(answer, Err(PictureError::TooLarge)), "{}: {answer:?}", golden.path);
        }
        let just_enough = Limits { max_pixels: pixels, ..Limits::default() };
        assert!(decode(&upload, &just_enough).is_ok(), "{}", golden.path);
    }
}
