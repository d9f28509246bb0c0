//! Thumbnails of preprocessed images.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use siamese_core::preprocessing::{Colour, Pixels, Preprocessing};

/// Returns the pixels as a PNG in a data URI; scale, mean and standard deviation are reversed.
///
/// # Panics
///
/// If the pixels do not have the shape of the preprocessing.
pub fn thumbnail(pixels: &Pixels, preprocessing: &Preprocessing) -> String {
    let [channels, height, width] = preprocessing.shape();
    let area = height * width;
    assert_eq!(pixels.values().len(), channels * area, "pixels of this preprocessing");
    let of_channel = |numbers: &[f32], channel: usize| numbers[channel % numbers.len()];
    let sample = |at: usize, colour: usize| {
        let channel = match preprocessing.colour {
            Colour::Grey | Colour::Rgb => colour,
            Colour::Bgr => channels - 1 - colour,
        };
        let mean = of_channel(&preprocessing.mean, channel);
        let deviation = of_channel(&preprocessing.std, channel);
        let byte = (pixels.values()[channel * area + at] * deviation + mean) / preprocessing.scale;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a byte"
        )]
        let byte = byte.round().clamp(0.0, 255.0) as u8;
        byte
    };
    let samples =
        (0..area).flat_map(|at| (0..channels).map(move |channel| sample(at, channel))).collect();
    let image = if channels == 1 {
        GrayImage::from_raw(preprocessing.width, preprocessing.height, samples)
            .map(DynamicImage::from)
    } else {
        RgbImage::from_raw(preprocessing.width, preprocessing.height, samples)
            .map(DynamicImage::from)
    };
    let mut png = Cursor::new(Vec::new());
    image
        .expect("as many samples as the shape has")
        .write_to(&mut png, ImageFormat::Png)
        .expect("memory takes a PNG");
    format!("data:image/png;base64,{}", BASE64.encode(png.into_inner()))
}

#[cfg(test)]
mod tests {
    use siamese_core::preprocessing::{Fit, Limits};

    use super::*;

    #[test]
    fn an_image_comes_back_as_it_was() {
        let mut image = RgbImage::new(3, 2);
        for (at, pixel) in image.pixels_mut().enumerate() {
            let shade = u8::try_from(at * 40).expect("a byte");
            pixel.0 = [shade, 255 - shade, 7];
        }
        let mut png = Cursor::new(Vec::new());
        image.write_to(&mut png, ImageFormat::Png).expect("a PNG");
        let upload = png.into_inner();
        let rgb = Preprocessing {
            height: 2,
            width: 3,
            colour: Colour::Rgb,
            fit: Fit::Stretch,
            scale: 1.0 / 255.0,
            mean: vec![0.5, 0.4, 0.3],
            std: vec![0.2],
        };
        for preprocessing in [Preprocessing { colour: Colour::Bgr, ..rgb.clone() }, rgb] {
            let pixels = preprocessing.preprocess(&upload, &Limits::default()).expect("pixels");

            let uri = thumbnail(&pixels, &preprocessing);

            let png = uri.strip_prefix("data:image/png;base64,").expect("a data URI");
            let png = BASE64.decode(png).expect("base64");
            let back = image::load_from_memory(&png).expect("a PNG").into_rgb8();
            assert_eq!(back, image);
        }
    }
}
