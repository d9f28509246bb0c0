//! Made pictures whose distances a tower must reproduce wherever it runs: nobody's photographs.

use std::f32::consts::TAU;
use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{GrayImage, ImageFormat, Luma};

/// How far a distance may be off on another machine: far above what another order of sums does, far
/// below what other weights do.
pub(super) const TOLERANCE: f64 = 1e-3;
/// The pairs that are compared.
pub(super) const PAIRS: [[usize; 2]; 5] = [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]];
const PICTURES: u8 = 4;
const SIDE: u16 = 32;

/// The pictures as PNG files.
pub(super) fn pictures() -> Vec<Vec<u8>> {
    (0..PICTURES).map(|number| encode(&picture(f32::from(number)))).collect()
}

/// Files as a card holds them.
pub(super) fn base64(files: &[Vec<u8>]) -> Vec<String> {
    files.iter().map(|it| BASE64.encode(it)).collect()
}

/// Two blobs on a slope with waves across it, all of them elsewhere for another `number`.
fn picture(number: f32) -> GrayImage {
    let blob = |x: f32, y: f32, turn: f32, size: f32| {
        let (sine, cosine) = (TAU * turn).sin_cos();
        let (x, y) = (x - 0.5 - 0.25 * cosine, y - 0.5 - 0.25 * sine);
        (-(x * x + y * y) / (size * size)).exp()
    };
    GrayImage::from_fn(u32::from(SIDE), u32::from(SIDE), |column, row| {
        let [x, y] = [column, row].map(|it| unit(it) / f32::from(SIDE));
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

fn encode(picture: &GrayImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).expect("a grey picture is written to memory");
    file.into_inner()
}

fn unit(place: u32) -> f32 {
    f32::from(u16::try_from(place).expect("within the picture"))
}
