//! Synthetic golden images, whose distances a model must reproduce on every machine.

use std::f32::consts::TAU;
use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{GrayImage, ImageFormat, Luma};
use siamese_core::preprocessing::Preprocessing;

/// The largest difference of a distance on another machine. It is far above rounding errors, and far below the effect of
/// other weights.
pub(super) const TOLERANCE: f64 = 1e-3;
/// The pairs, as indices of the images.
pub(super) const PAIRS: [[usize; 2]; 5] = [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]];
const IMAGES: u8 = 4;
/// The longest side in pixels; it keeps the card small.
const LONGEST: u32 = 128;

/// Returns the images as PNG files. They have the size of the model's input, up to [`LONGEST`] pixels per side, so that
/// resizing causes no differences between machines.
pub(super) fn images(preprocessing: &Preprocessing) -> Vec<Vec<u8>> {
    let [width, height] = [preprocessing.width, preprocessing.height].map(|side| side.min(LONGEST));
    (0..IMAGES).map(|number| encode(&image(f32::from(number), width, height))).collect()
}

/// Encodes files as a card stores them.
pub(super) fn base64(files: &[Vec<u8>]) -> Vec<String> {
    files.iter().map(|file| BASE64.encode(file)).collect()
}

/// Draws two blobs and waves on a brightness gradient; their positions depend on `number`.
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

/// Returns the relative position along a side, in [0, 1).
fn share(place: u32, side: u32) -> f32 {
    let [place, side] = [place, side]
        .map(|pixels| f32::from(u16::try_from(pixels).expect("no side is longer than 128")));
    place / side
}
