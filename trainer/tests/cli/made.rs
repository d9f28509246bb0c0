//! Synthetic identities that a small network can learn in seconds.

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;

use image::{GrayImage, Luma};
use siamese_core::preprocessing::{Colour, Fit};
use siamese_trainer::config::{Config, Input, Length, Sampling};
use siamese_trainer::network::{CompactConfig, NetworkConfig, WaveletConfig};

const SIDE: u16 = 32;

/// Writes `n_identities` folders of `n_images` images. An identity is a pattern of waves; its images differ in position and
/// brightness.
pub(crate) fn write(data: &Path, n_identities: u16, n_images: u16) {
    for identity in 0..n_identities {
        let folder = data.join(format!("pattern{identity}"));
        fs::create_dir_all(&folder).expect("a folder");
        for number in 0..n_images {
            let image = image(f32::from(identity), f32::from(number));
            image.save(folder.join(format!("{number}.png"))).expect("an image");
        }
    }
}

fn image(identity: f32, number: f32) -> GrayImage {
    let (right, down) = (0.02 * (number % 3.0), 0.02 * (number % 2.0));
    let (contrast, brightness) = (0.8 + 0.05 * (number % 4.0), 0.02 * (number % 5.0));
    GrayImage::from_fn(u32::from(SIDE), u32::from(SIDE), |column, row| {
        let [x, y] = [column, row].map(|pixel| {
            f32::from(u16::try_from(pixel).expect("within the image")) / f32::from(SIDE)
        });
        let (x, y) = (x + right, y + down);
        let (sine, cosine) = (0.7 * identity).sin_cos();
        let waves = (TAU * (2.0 + identity % 3.0) * (x * cosine + y * sine)).sin();
        let across = (TAU * (1.0 + identity % 2.0) * (y * cosine - x * sine)).sin();
        let value = 0.45 + contrast * (0.25 * waves + 0.2 * across) + brightness;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a byte"
        )]
        let byte = (value.clamp(0.0, 1.0) * 255.0) as u8;
        Luma([byte])
    })
}

/// A small version of the default recipe.
pub(crate) fn config() -> Config {
    let mut config = Config::compact();
    config.length = Length::Steps(40);
    config.input = Input { height: 32, width: 32, colour: Colour::Grey, fit: Fit::Stretch };
    config.network = NetworkConfig::Compact(CompactConfig {
        stem: 8,
        blocks: vec![8, 16],
        width: 16,
        ..CompactConfig::default()
    });
    config.sampling = Sampling::Balanced { identities: 6, images: 4 };
    config.augmentation.mirror = 0.0;
    config.watch.evaluate_every = 20;
    config.watch.checkpoint_every = 20;
    config
}

/// A small network that is computed in closed form.
pub(crate) fn wavelet() -> Config {
    let mut wavelet = Config { input: config().input, ..Config::wavelet() };
    wavelet.augmentation.mirror = 0.0;
    wavelet.network = NetworkConfig::Wavelet(WaveletConfig {
        scales: 2,
        cells: [3, 3],
        width: 24,
        mirror: false,
        ..WaveletConfig::default()
    });
    wavelet
}
