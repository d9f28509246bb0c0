//! Samples become an image of grey or RGB.

use image::{GrayImage, RgbImage};

use super::kind::{Colours, Kind};
use crate::preprocessing::decode::jpeg::ink;
use crate::preprocessing::decode::without_alpha;
use crate::preprocessing::samples::{Image, Samples};

/// Makes an image of its samples, as many a pixel as are kept.
pub(super) fn image(samples: Vec<u8>, sides: [usize; 2], kind: &Kind) -> Image {
    let samples = if kind.is_associated { divided(samples, kind) } else { samples };
    let [width, height] = sides.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    let grey = |bytes| GrayImage::from_raw(width, height, bytes).map(Samples::Grey);
    let rgb = |bytes| RgbImage::from_raw(width, height, bytes).map(Samples::Rgb);
    let image = match &kind.colours {
        Colours::BlackIsZero => grey(samples),
        Colours::WhiteIsZero => grey(samples.into_iter().map(|value| !value).collect()),
        Colours::Rgb | Colours::YCbCr => rgb(samples),
        Colours::Cmyk => rgb(ink::to_rgb(&samples)),
        Colours::Palette(colours) => {
            let pixels = samples.iter().flat_map(|index| colours[usize::from(*index)]);
            rgb(pixels.collect())
        }
    };
    Image::new(image.expect("there are as many samples as the sides make"))
}

/// Divides colours by their alpha, which is dropped: nothing can be seen of what has none.
fn divided(mut samples: Vec<u8>, kind: &Kind) -> Vec<u8> {
    for pixel in samples.chunks_exact_mut(kind.channels()) {
        let [colours @ .., alpha] = pixel else { continue };
        for value in colours {
            let whole = (u32::from(*value) * 255).checked_div(u32::from(*alpha)).unwrap_or(0);
            *value = u8::try_from(whole).unwrap_or(u8::MAX);
        }
    }
    match kind.channels() {
        2 => without_alpha::<2>(samples),
        _ => without_alpha::<4>(samples),
    }
}
