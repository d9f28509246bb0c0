//! Made images whose distances a model must reproduce wherever it runs: nobody's photographs.

use std::f32::consts::TAU;
use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{GrayImage, ImageFormat, Luma};
use siamese_core::preprocessing::Preprocessing;

/// How far a distance may be off on another machine: far above what another order of sums does, far
/// below what other weights do.
pub(super) const TOLERANCE: f64 = 1e-3;
/// The pairs that are compared.
pub(super) const PAIRS: [[usize; 2]; 5] = [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]];
const IMAGES: u8 = 4;
/// The longest side: a card stays small, whatever the model reads.
const LONGEST: u32 = 128;

/// The images as PNG files, of just the size that the model reads, unless that is long: what isn't
/// resized can't be resized otherwise on another machine.
pub(super) fn images(preprocessing: &Preprocessing) -> Vec<Vec<u8>> {
    let [width, height] = [preprocessing.width, preprocessing.height].map(|it| it.min(LONGEST));
    (0..IMAGES).map(|number| encode(&image(f32::from(number), width, height))).collect()
}

/// Files as a card holds them.
pub(super) fn base64(files: &[Vec<u8>]) -> Vec<String> {
    files.iter().map(|it| BASE64.encode(it)).collect()
}

/// Two blobs on a slope with waves across it, all of them elsewhere for another `number`.
fn image(number: f32, width: u32, height: u32) -> GrayImage {
    let blob = |x: f32, y: f32, turn: f32, size: f32| {
        let (sine, cosine) = (TAU * turn).sin_cos();
        let (x, y) = (x - 0.5 - 0.25 * cosine, y - 0.5 - 0.25 * sine);
        (-(x * x + y * y) / (size * size)).exp()
    };
    GrayImage::from_fn(width, height, |column, row| {
        let (x, y) = (share(column, width), share(row, height));
        let bright = blob(x, y, 0.13 + 0.29 * number, 0.16 + 0.03 * number);
        let dark = blob(x, y, 0.61 + 0.17 * number, 0.22 - 0.03 * number);
        let waves = (TAU * (1.0 + number) * (x + y * (0.3 * number - 0.4))).sin();
        let value = 0.45 + 0.15 * (x - y) + 0.4 * bright - 0.35 * dark + 0.08 * waves;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a byte"
        )]
        let byte = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        Luma([byte])
    })
}

fn encode(image: &GrayImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::Png).expect("a grey image is written to memory");
    file.into_inner()
}

/// Where a place lies along a side, in [0, 1).
fn share(place: u32, side: u32) -> f32 {
    let [place, side] =
        [place, side].map(|it| f32::from(u16::try_from(it).expect("no side is longer than 128")));
    place / side
}
