//! The changes of variants, without the overlay.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What is beyond the border of a turned image.
#[derive(Clone, Copy)]
enum Beyond {
    Shade(u8),
    Edge,
}

/// Returns a share of a side, at least one pixel.
pub(super) fn part(side: u32, share: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a side is a side"
    )]
    let part = (f64::from(side) * share).round() as u32;
    part.clamp(1, side)
}

/// Resizes an image to columns and rows.
pub(super) fn resize(image: &RgbImage, [width, height]: [u32; 2]) -> RgbImage {
    if image.dimensions() == (width, height) {
        return image.clone();
    }
    imageops::resize(image, width, height, FilterType::Triangle)
}

/// Cuts out a part.
pub(super) fn crop(image: &RgbImage, random: &mut ChaCha8Rng) -> RgbImage {
    let mut side = |length: u32| {
        let kept = part(length, random.random_range(0.6..=0.95));
        (random.random_range(0..=length - kept), kept)
    };
    let (left, width) = side(image.width());
    let (top, height) = side(image.height());
    imageops::crop_imm(image, left, top, width, height).to_image()
}

/// Reduces the size.
pub(super) fn scale(image: &RgbImage, random: &mut ChaCha8Rng) -> RgbImage {
    let share = random.random_range(0.25..=0.75);
    resize(image, [image.width(), image.height()].map(|side| part(side, share)))
}

/// Changes brightness, contrast, saturation and white balance.
pub(super) fn colour(mut image: RgbImage, random: &mut ChaCha8Rng) -> RgbImage {
    let saturation = random.random_range(0.3..=1.5_f32);
    let contrast = random.random_range(0.7..=1.3_f32);
    let brightness = random.random_range(-30.0..=30.0_f32);
    let gains = [(); 3].map(|()| random.random_range(0.88..=1.12_f32));
    for Rgb(pixel) in image.pixels_mut() {
        let [red, green, blue] = pixel.map(f32::from);
        let grey = 0.299 * red + 0.587 * green + 0.114 * blue;
        for (channel, gain) in pixel.iter_mut().zip(gains) {
            let saturated = grey + saturation * (f32::from(*channel) - grey);
            *channel = byte((gain * saturated - 128.0) * contrast + 128.0 + brightness);
        }
    }
    image
}

/// Turns around the centre. The size stays.
pub(super) fn turn(image: &RgbImage, random: &mut ChaCha8Rng) -> RgbImage {
    let degrees = random.random_range(2.0..=12.0_f32);
    let angle = if random.random_bool(0.5) { degrees } else { -degrees }.to_radians();
    let beyond = match random.random_range(0..3) {
        0 => Beyond::Shade(0),
        1 => Beyond::Shade(255),
        _ => Beyond::Edge,
    };
    let (sine, cosine) = angle.sin_cos();
    let [width, height] = [image.width(), image.height()].map(single);
    let (middle, centre) = ((width - 1.0) / 2.0, (height - 1.0) / 2.0);
    RgbImage::from_fn(image.width(), image.height(), |column, row| {
        let (x, y) = (single(column) - middle, single(row) - centre);
        let x_from = cosine * x - sine * y + middle;
        let y_from = sine * x + cosine * y + centre;
        let is_inside =
            (-0.5..width - 0.5).contains(&x_from) && (-0.5..height - 0.5).contains(&y_from);
        match beyond {
            Beyond::Shade(shade) if !is_inside => Rgb([shade; 3]),
            _ => {
                let inside = |at: f32, length: f32| at.clamp(0.0, length - 1.0);
                let [x, y] = [inside(x_from, width), inside(y_from, height)];
                imageops::interpolate_bilinear(image, x, y).unwrap_or(Rgb([0; 3]))
            }
        }
    })
}

#[expect(clippy::cast_precision_loss, reason = "a side is far below 2^24 pixels")]
pub(super) fn single(place: u32) -> f32 {
    place as f32
}

pub(super) fn byte(value: f32) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a byte"
    )]
    let byte = value.round().clamp(0.0, 255.0) as u8;
    byte
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn seeds() -> impl Iterator<Item = ChaCha8Rng> {
        (0..40).map(ChaCha8Rng::seed_from_u64)
    }

    fn gradient() -> RgbImage {
        RgbImage::from_fn(50, 40, |column, row| {
            Rgb([5 * column, 6 * row, 90].map(|value| value.to_le_bytes()[0]))
        })
    }

    #[test]
    fn a_crop_is_a_part() {
        let image = gradient();
        for mut random in seeds() {
            let cropped = crop(&image, &mut random);
            let (width, height) = cropped.dimensions();
            assert!((30..=48).contains(&width) && (24..=38).contains(&height), "{width} {height}");
            let Rgb([red, green, _]) = *cropped.get_pixel(0, 0);
            let (left, top) = (u32::from(red) / 5, u32::from(green) / 6);
            let part = imageops::crop_imm(&image, left, top, width, height).to_image();
            assert_eq!(cropped, part);
        }
    }

    #[test]
    fn a_scaled_image_has_smaller_sides() {
        for mut random in seeds() {
            let (width, height) = scale(&gradient(), &mut random).dimensions();
            assert!((12..=38).contains(&width) && (10..=30).contains(&height), "{width} {height}");
        }
    }

    #[test]
    fn a_turned_image_keeps_its_centre_and_its_size() {
        let image = RgbImage::from_fn(41, 41, |column, row| {
            let is_dot = (19..22).contains(&column) && (19..22).contains(&row);
            Rgb([if is_dot { 250 } else { 20 }; 3])
        });
        for mut random in seeds() {
            let turned = turn(&image, &mut random);
            assert_eq!(turned.dimensions(), image.dimensions());
            assert!(200 < turned.get_pixel(20, 20).0[0]);
            assert_ne!(turn(&gradient(), &mut random), gradient());
        }
    }

    #[test]
    fn grey_stays_almost_grey_and_colours_change() {
        for mut random in seeds() {
            let grey = colour(RgbImage::from_pixel(2, 2, Rgb([120; 3])), &mut random);
            let Rgb(pixel) = *grey.get_pixel(0, 0);
            assert!(pixel.iter().max().unwrap() - pixel.iter().min().unwrap() < 50, "{pixel:?}");
            assert_ne!(colour(gradient(), &mut random), gradient());
        }
    }
}
