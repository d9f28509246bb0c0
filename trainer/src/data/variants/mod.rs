//! Variants: changed copies of an image that count as the same image. A model learns from them to find copies.
//!
//! A variant is made from the upright image and saved as a file again, so it goes through the same preprocessing as any
//! upload. It depends on nothing but the bytes of the file and the kind of the change.

mod change;
mod overlay;

use std::fmt::{Display, Formatter};
use std::fs;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use siamese_core::preprocessing::{DecodeError, Detail, Limits, Photograph};

use super::Image;
use super::error::Unreadable;

/// The longest side of the image that variants are made of, in pixels. A larger image is reduced: it is still larger than
/// the input of most networks.
const LONGEST: u32 = 640;
/// The probability of each change beside the main one.
const BESIDE: f64 = 0.2;

/// The main change of a variant. Each other one is added with a probability of 20 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// A part of 60 to 95 % of each side.
    Crop,
    /// A reduction to 25 to 75 % of each side.
    Scale,
    /// JPEG of quality 10 to 50; other variants have 80 to 95.
    Jpeg,
    /// Another brightness, contrast, saturation and white balance.
    Colour,
    /// A box with lines of text, or a logo, on 4 to 20 % of the area.
    Overlay,
    /// A turn of 2 to 12 degrees, in either direction.
    Turn,
}

/// An image that variants are made of.
struct Original {
    image: RgbImage,
    seed: [u8; 32],
}

impl Variant {
    /// All changes, in the order of their names in this list.
    pub const ALL: [Self; 6] =
        [Self::Crop, Self::Scale, Self::Jpeg, Self::Colour, Self::Overlay, Self::Turn];

    /// The order in which changes of one variant are made: a copy is first cut, and saved last.
    const ORDER: [Self; 5] = [Self::Turn, Self::Crop, Self::Overlay, Self::Colour, Self::Scale];

    /// Returns the number of the random sequence of a variant.
    fn stream(self) -> u64 {
        Self::ALL.iter().zip(0..).find(|(variant, _)| **variant == self).map_or(0, |(_, at)| at)
    }
}

impl Display for Variant {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Crop => "crop",
            Self::Scale => "scale",
            Self::Jpeg => "jpeg",
            Self::Colour => "colour",
            Self::Overlay => "overlay",
            Self::Turn => "turn",
        })
    }
}

impl Image {
    /// Reads the file of an image below the folder `root`, or makes its variant.
    pub fn upload(&self, root: &Path) -> Result<Vec<u8>, Unreadable> {
        let upload = fs::read(root.join(&self.file))?;
        match self.variant {
            None => Ok(upload),
            Some(variant) => Ok(Original::decode(&upload)?.variant(variant)),
        }
    }
}

impl Original {
    /// Decodes an upload, turns it upright and reduces it.
    fn decode(upload: &[u8]) -> Result<Self, DecodeError> {
        let photograph = Photograph::decode(upload, &Limits::default(), Detail::Coarse)?;
        let [width, height] = photograph.size();
        let bytes = photograph.bytes().to_vec();
        let image = if bytes.len() == width as usize * height as usize {
            GrayImage::from_raw(width, height, bytes).map(DynamicImage::from)
        } else {
            RgbImage::from_raw(width, height, bytes).map(DynamicImage::from)
        };
        let image = image.expect("a photograph has one or three bytes for each pixel").into_rgb8();
        let longest = width.max(height);
        let share = f64::from(LONGEST.min(longest)) / f64::from(longest);
        let image = change::resize(&image, [width, height].map(|side| change::part(side, share)));
        Ok(Self { image, seed: Sha256::digest(upload).into() })
    }

    /// Makes a variant, as a file. The same bytes give the same variant.
    fn variant(&self, main: Variant) -> Vec<u8> {
        let mut random = ChaCha8Rng::from_seed(self.seed);
        random.set_stream(main.stream());
        let mut image = self.image.clone();
        for variant in Variant::ORDER {
            if random.random_bool(BESIDE) || variant == main {
                image = match variant {
                    Variant::Turn => change::turn(&image, &mut random),
                    Variant::Crop => change::crop(&image, &mut random),
                    Variant::Overlay => overlay::add(image, &mut random),
                    Variant::Colour => change::colour(image, &mut random),
                    Variant::Scale => change::scale(&image, &mut random),
                    Variant::Jpeg => image,
                };
            }
        }
        let is_coarse = random.random_bool(BESIDE) || main == Variant::Jpeg;
        let quality =
            if is_coarse { random.random_range(10..=50) } else { random.random_range(80..=95) };
        let mut file = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut file, quality);
        image.write_with_encoder(encoder).expect("memory takes a small image");
        file
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Luma, Rgb};

    use super::*;

    /// A picture with waves in all channels, as a PNG.
    fn upload(width: u32, height: u32, seed: u8) -> Vec<u8> {
        let image = RgbImage::from_fn(width, height, |column, row| {
            let wave = |turns: f32| {
                let [across, down] = [(column, width), (row, height)]
                    .map(|(place, side)| turns * change::single(place) / change::single(side));
                change::byte(128.0 + 100.0 * (f32::from(seed) + across).sin() * down.cos())
            };
            Rgb([wave(9.0), wave(5.0), wave(13.0)])
        });
        let mut file = Vec::new();
        image.write_to(&mut Cursor::new(&mut file), ImageFormat::Png).expect("a file");
        file
    }

    fn variants(upload: &[u8]) -> Vec<Vec<u8>> {
        let original = Original::decode(upload).expect("an image");
        Variant::ALL.map(|variant| original.variant(variant)).to_vec()
    }

    fn reduced(file: &[u8]) -> Vec<f64> {
        let image = image::load_from_memory(file).expect("an image").into_rgb8();
        let image = change::resize(&image, [16, 16]);
        image.as_raw().iter().map(|byte| f64::from(*byte)).collect()
    }

    fn correlation(left: &[f64], right: &[f64]) -> f64 {
        let centred = |values: &[f64]| {
            let count = f64::from(u32::try_from(values.len()).expect("a small image"));
            let mean = values.iter().sum::<f64>() / count;
            values.iter().map(|value| value - mean).collect::<Vec<_>>()
        };
        let (left, right) = (centred(left), centred(right));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(&left, &right) / (dot(&left, &left) * dot(&right, &right)).sqrt()
    }

    #[test]
    fn the_variants_of_one_file_are_the_same_each_time_and_differ_from_each_other() {
        let upload = upload(90, 60, 1);
        let first = variants(&upload);
        assert_eq!(first, variants(&upload));
        for (index, variant) in first.iter().enumerate() {
            assert!(!first[..index].contains(variant), "{}", Variant::ALL[index]);
        }
        assert_ne!(first, variants(&self::upload(90, 60, 2)));
    }

    #[test]
    fn a_variant_still_shows_its_image() {
        let [one, other] = [1, 3].map(|seed| upload(120, 100, seed));
        let (of_one, of_other) = (reduced(&one), reduced(&other));
        for (variant, file) in Variant::ALL.iter().zip(variants(&one)) {
            let found = reduced(&file);
            let [own, foreign] = [&of_one, &of_other].map(|image| correlation(&found, image));
            assert!(foreign < own && 0.4 < own, "{variant}: {own} {foreign}");
        }
    }

    #[test]
    fn tiny_long_and_grey_images_have_variants_too() {
        let mut grey = Vec::new();
        let image = GrayImage::from_fn(40, 3, |column, _| Luma([(6 * column).to_le_bytes()[0]]));
        image.write_to(&mut Cursor::new(&mut grey), ImageFormat::Png).expect("a file");
        for upload in [upload(1, 1, 1), upload(2, 900, 1), upload(1500, 3, 1), grey] {
            for file in variants(&upload) {
                let image = image::load_from_memory(&file).expect("an image");
                assert!(image.width().max(image.height()) <= LONGEST);
            }
        }
        assert!(Original::decode(b"no image").is_err());
    }
}
