//! How a picture comes to a tower's size.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How a picture comes to the shape of a tower's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Each side on its own, whatever becomes of the proportions.
    Stretch,
    /// The whole picture in its proportions, centred on black.
    Pad,
    /// The largest centred part of the right proportions.
    Crop,
}

/// A word that names no [`Fit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fit is stretch, pad or crop")]
pub struct UnknownFit;

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stretch => "stretch",
            Self::Pad => "pad",
            Self::Crop => "crop",
        })
    }
}

impl FromStr for Fit {
    type Err = UnknownFit;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "stretch" => Ok(Self::Stretch),
            "pad" => Ok(Self::Pad),
            "crop" => Ok(Self::Crop),
            _ => Err(UnknownFit),
        }
    }
}

/// Columns and rows, each at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A part of a picture, in pixels and parts of pixels.
struct Part {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// Interleaved bytes of one picture.
pub(super) struct Bytes<'a> {
    pub(super) samples: Cow<'a, [u8]>,
    pub(super) size: Size,
    /// 1 or 3.
    pub(super) channels: usize,
}

thread_local! {
    /// Keeps its buffers from one picture to the next.
    static RESIZER: RefCell<Resizer> = RefCell::default();
}

/// Fits a picture into `target`, as Pillow's `resize`, `ImageOps.pad` and `ImageOps.fit` do with
/// `BILINEAR`.
pub(super) fn fit(picture: Bytes<'_>, target: Size, fit: Fit) -> Cow<'_, [u8]> {
    match fit {
        Fit::Stretch => resize(picture, target, None),
        Fit::Crop => {
            let part = largest_part(picture.size, target);
            resize(picture, target, Some(&part))
        }
        Fit::Pad => {
            let inner = largest_inside(picture.size, target);
            let channels = picture.channels;
            let resized = resize(picture, inner, None);
            if inner == target { resized } else { centre(&resized, inner, target, channels).into() }
        }
    }
}

/// Resizes a part, or all, of a picture by the antialiased triangle filter.
fn resize<'a>(picture: Bytes<'a>, target: Size, part: Option<&Part>) -> Cow<'a, [u8]> {
    if part.is_none() && picture.size == target {
        return picture.samples;
    }
    let pixel_type = if picture.channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
    let source =
        ImageRef::new(picture.size.width, picture.size.height, &picture.samples, pixel_type)
            .expect("a picture has as many bytes as its size says");
    let mut resized = Image::new(target.width, target.height, pixel_type);
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    if let Some(part) = part {
        options = options.crop(part.left, part.top, part.width, part.height);
    }
    RESIZER
        .with_borrow_mut(|resizer| resizer.resize(&source, &mut resized, &options))
        .expect("both pictures are of one pixel type, and the part lies within");
    resized.into_vec().into()
}

/// The largest centred part with the proportions of `target`, as `ImageOps.fit` finds it.
fn largest_part(size: Size, target: Size) -> Part {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let ratio = f64::from(target.width) / f64::from(target.height);
    let (part_width, part_height) = if ratio < width / height {
        (ratio * height, height)
    } else {
        (width, (width / ratio).min(height))
    };
    Part {
        left: (width - part_width) * 0.5,
        top: (height - part_height) * 0.5,
        width: part_width,
        height: part_height,
    }
}

/// The largest size with the proportions of `size` within `target`, as `ImageOps.contain` finds
/// it, but of at least one pixel.
fn largest_inside(size: Size, target: Size) -> Size {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let (target_width, target_height) = (f64::from(target.width), f64::from(target.height));
    if target_width / target_height < width / height {
        Size { height: whole(height / width * target_width), ..target }
    } else {
        Size { width: whole(width / height * target_height), ..target }
    }
}

/// The nearest whole number of at least 1; a half goes to the even one, as in Python.
fn whole(side: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let whole = side.round_ties_even() as u32;
    whole.max(1)
}

/// Puts a picture in the middle of black, where a half goes to the even side, as in Python.
fn centre(samples: &[u8], size: Size, target: Size, channels: usize) -> Vec<u8> {
    let [width, height, target_width, target_height] =
        [size.width, size.height, target.width, target.height].map(|it| it as usize);
    let left = half(target_width - width) * channels;
    let top = half(target_height - height);
    let mut canvas = vec![0; target_width * target_height * channels];
    let rows = canvas.chunks_exact_mut(target_width * channels).skip(top);
    for (row, source) in rows.zip(samples.chunks_exact(width * channels)) {
        row[left..left + source.len()].copy_from_slice(source);
    }
    canvas
}

/// Half of a whole number, where a rest goes to the even neighbour.
fn half(number: usize) -> usize {
    let half = number / 2;
    if number % 4 == 3 { half + 1 } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        assert_eq!([0, 1, 2, 3, 4, 5, 7].map(half), [0, 0, 1, 2, 2, 2, 4]);
        assert_eq!([0.0, 0.4, 0.5, 1.5, 2.5].map(whole), [1, 1, 1, 2, 2]);
    }

    #[test]
    fn a_padded_picture_keeps_its_proportions() {
        assert_eq!(largest_inside(size(92, 112), size(100, 100)), size(82, 100));
        assert_eq!(largest_inside(size(200, 100), size(100, 100)), size(100, 50));
        assert_eq!(largest_inside(size(100, 100), size(64, 64)), size(64, 64));
        assert_eq!(largest_inside(size(1, 1000), size(64, 64)), size(1, 64));
    }

    #[test]
    fn padding_is_black_and_even() {
        let white = Bytes { samples: vec![255; 8].into(), size: size(2, 4), channels: 1 };
        let padded = fit(white, size(4, 4), Fit::Pad);
        assert_eq!(*padded, [[0, 255, 255, 0]; 4].concat());
    }

    #[test]
    fn a_crop_is_the_middle() {
        let row = Bytes { samples: vec![1, 2, 3, 4].into(), size: size(4, 1), channels: 1 };
        assert_eq!(*fit(row, size(2, 1), Fit::Crop), [2, 3]);
    }

    #[test]
    fn a_picture_of_the_right_size_is_not_copied() {
        let samples = [1, 2, 3, 4];
        let picture = Bytes { samples: samples[..].into(), size: size(2, 2), channels: 1 };
        for way in [Fit::Stretch, Fit::Pad] {
            let picture = Bytes { samples: picture.samples.clone(), ..picture };
            assert!(matches!(fit(picture, size(2, 2), way), Cow::Borrowed(_)), "{way}");
        }
    }

    #[test]
    fn words_and_fits_are_one_to_one() {
        for way in [Fit::Stretch, Fit::Pad, Fit::Crop] {
            assert_eq!(way.to_string().parse(), Ok(way));
        }
        assert_eq!("squeeze".parse::<Fit>(), Err(UnknownFit));
    }
}
