//! A model's preprocessing.

use std::borrow::Cow;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::decode::{Goal, decode, guard, serves_both};
use super::fit::{Size, Target};
use super::resize::fit;
use super::samples::Image;
use super::{Colour, DecodeError, Fit, Limits, Pixels, Reduction};

/// The longest permitted side of a model's input.
const MAX_SIDE: u32 = 4_096;

/// The least difference of black and white in the input. It is no model's, and the differences between images would vanish
/// in the products of a network. What a larger one is worth depends on the network, so a run shows it.
const LEAST_CONTRAST: f32 = 1e-12;

/// How an image becomes a model's input, in this order: colour, size, scale.
///
/// A value is `(byte * scale - mean) / std`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preprocessing {
    /// Rows of the model's input.
    pub height: u32,
    /// Columns of the model's input.
    pub width: u32,
    /// The channels of the model's input.
    pub colour: Colour,
    /// How an image of other proportions is fitted.
    pub fit: Fit,
    /// The factor for a byte, 0 to 255; 1/255 gives 0 to 1.
    pub scale: f32,
    /// The number subtracted next: one for all channels, or one for each.
    pub mean: Vec<f32>,
    /// The divisor applied last: one for all channels, or one for each; never 0.
    pub std: Vec<f32>,
}

/// An image at the input's size before it is scaled: bytes, plane after plane. One grey plane, or red, green and blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planes(Vec<u8>);

/// Why a [`Preprocessing`] is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum InvalidPreprocessing {
    /// A side is 0 or longer than 4096.
    #[error("each side of the input must be between 1 and {MAX_SIDE}")]
    Side,
    /// The scale is 0 or not finite.
    #[error("the scale must be a finite number other than 0")]
    Scale,
    /// The number of means is neither 1 nor the number of channels, or a mean is not finite.
    #[error("the mean must be one finite number, or one for each channel")]
    Mean,
    /// A mean is outside the range of the scaled bytes.
    #[error(
        "the scale makes 0 to {top} of the bytes, so a mean of {mean} is for another range: for a mean and a std of \
         bytes (0 to 255), set scale to 1; else divide both by 255"
    )]
    Range {
        /// The mean.
        mean: f32,
        /// The largest scaled byte.
        top: f32,
    },
    /// The number of standard deviations is neither 1 nor the number of channels, or one is not positive.
    #[error("the std must be one positive number, or one for each channel")]
    Std,
    /// Black and white are nearly the same input, or infinitely far apart.
    #[error(
        "after scale and std, black and white are {0:e} apart in the input, so the model could not tell images apart: \
         for an input of 0 to 1, set scale to 1/255 and std to 1"
    )]
    Contrast(f32),
}

impl Preprocessing {
    /// The input's `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.colour.channels(), self.height as usize, self.width as usize]
    }

    /// Checks that the preprocessing can be applied.
    pub fn validate(&self) -> Result<(), InvalidPreprocessing> {
        let channels = self.colour.channels();
        let fits = |numbers: &[f32]| numbers.len() == 1 || numbers.len() == channels;
        let all_finite = |numbers: &[f32]| numbers.iter().all(|number| number.is_finite());
        if ![self.height, self.width].iter().all(|side| (1..=MAX_SIDE).contains(side)) {
            return Err(InvalidPreprocessing::Side);
        }
        if !self.scale.is_finite() || self.scale == 0.0 {
            return Err(InvalidPreprocessing::Scale);
        }
        if !fits(&self.mean) || !all_finite(&self.mean) {
            return Err(InvalidPreprocessing::Mean);
        }
        // Rounded, because 255 * (1/255) is not quite 1. A mean of -1 to 1 may be on purpose, whatever the scale is.
        let top = (255.0 * self.scale * 1e4).round() / 1e4;
        if let Some(mean) = self.mean.iter().find(|mean| top.abs().max(1.0) < mean.abs()) {
            return Err(InvalidPreprocessing::Range { mean: *mean, top });
        }
        if !fits(&self.std)
            || !all_finite(&self.std)
            || self.std.iter().any(|number| *number <= 0.0)
        {
            return Err(InvalidPreprocessing::Std);
        }
        let contrasts = self.std.iter().map(|std| (255.0 * self.scale / std).abs());
        let is_usable = |contrast: &f32| contrast.is_finite() && LEAST_CONTRAST <= *contrast;
        match contrasts.into_iter().find(|contrast| !is_usable(contrast)) {
            Some(contrast) => Err(InvalidPreprocessing::Contrast(contrast)),
            None => Ok(()),
        }
    }

    /// Turns an upload into a model's input, with the [default reduction](Reduction::Invisible).
    ///
    /// It never panics on an upload: a panic in decoding or resizing becomes [`DecodeError::DecoderFailed`].
    ///
    /// # Panics
    ///
    /// If the preprocessing is not [valid](Self::validate).
    pub fn preprocess(&self, upload: &[u8], limits: &Limits) -> Result<Pixels, DecodeError> {
        Ok(self.pixels(&self.planes(upload, limits, Reduction::default())?))
    }

    /// The part of [`preprocess`](Self::preprocess) that depends on the upload: decode, colour and fit.
    pub fn planes(
        &self,
        upload: &[u8],
        limits: &Limits,
        reduction: Reduction,
    ) -> Result<Planes, DecodeError> {
        let target = Target { reduction, ..self.target() };
        guard(|| Ok(Planes(fit(&decode(upload, limits, Goal::Input(&target))?, &target))))
    }

    /// The [planes](Self::planes) of an upload for each of several fits. One decode is shared by all fits that it
    /// suits.
    pub fn planes_by_fit(
        &self,
        upload: &[u8],
        limits: &Limits,
        fits: &[Fit],
    ) -> Result<Vec<Planes>, DecodeError> {
        guard(|| {
            let mut decoded: Option<(Image, Target)> = None;
            let mut planes = Vec::with_capacity(fits.len());
            for each_fit in fits {
                let target = Target { fit: *each_fit, ..self.target() };
                let image = match decoded.take() {
                    Some((image, last)) if serves_both(image.size(), &last, &target) => image,
                    _ => decode(upload, limits, Goal::Input(&target))?,
                };
                planes.push(Planes(fit(&image, &target)));
                decoded = Some((image, target));
            }
            Ok(planes)
        })
    }

    /// Takes planes from another process; `None` if their length does not match this preprocessing.
    pub fn planes_of(&self, bytes: Vec<u8>) -> Option<Planes> {
        let [channels, height, width] = self.shape();
        let planes = [1, channels].into_iter().any(|planes| bytes.len() == planes * height * width);
        planes.then_some(Planes(bytes))
    }

    /// Encodes planes as a PNG of the input's size. It is grey if the planes are grey. Its colours are correct for any
    /// order of the model's channels.
    pub fn png(&self, planes: &Planes) -> Vec<u8> {
        png(&planes.0, [self.width, self.height])
    }

    /// Scales planes to the model's numbers: the last part of [`preprocess`](Self::preprocess).
    pub fn pixels(&self, planes: &Planes) -> Pixels {
        let [channels, height, width] = self.shape();
        let mut values = Vec::with_capacity(channels * height * width);
        // The single plane of a grey image is used for all channels.
        let planes: Vec<_> = planes.0.chunks_exact(height * width).cycle().take(channels).collect();
        for channel in 0..channels {
            let plane = match self.colour {
                Colour::Grey | Colour::Rgb => planes[channel],
                Colour::Bgr => planes[channels - 1 - channel],
            };
            let table = self.table(channel);
            values.extend(plane.iter().map(|byte| table[usize::from(*byte)]));
        }
        Pixels::new(values)
    }

    fn target(&self) -> Target {
        let size = Size { width: self.width, height: self.height };
        Target { size, colour: self.colour, fit: self.fit, reduction: Reduction::default() }
    }

    /// The value of each of the 256 bytes in a channel.
    fn table(&self, channel: usize) -> [f32; 256] {
        let for_channel =
            |numbers: &[f32]| if numbers.len() == 1 { numbers[0] } else { numbers[channel] };
        let (mean, std) = (for_channel(&self.mean), for_channel(&self.std));
        let mut byte = 0.0;
        [(); 256].map(|()| {
            let value = (byte * self.scale - mean) / std;
            byte += 1.0;
            value
        })
    }
}

impl Planes {
    /// Takes planes of the input's size.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Encodes planes of one size (columns and rows) as a PNG file: one plane, or red, green and blue.
pub(crate) fn png(planes: &[u8], [width, height]: [u32; 2]) -> Vec<u8> {
    let area = width as usize * height as usize;
    let (colour, interleaved): (_, Cow<[u8]>) = if planes.len() == area {
        (ExtendedColorType::L8, planes.into())
    } else {
        let pixels = (0..area)
            .flat_map(|index| [planes[index], planes[area + index], planes[2 * area + index]]);
        (ExtendedColorType::Rgb8, pixels.collect())
    };
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(&interleaved, width, height, colour)
        .expect("the number of bytes matches the size, and writing to memory can't fail");
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocessing(colour: Colour) -> Preprocessing {
        Preprocessing {
            height: 1,
            width: 2,
            colour,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        }
    }

    fn two_pixels(preprocessing: &Preprocessing) -> Pixels {
        let upload = b"P6 2 1 255\n\xff\0\0\x0a\x14\x1e";
        preprocessing.preprocess(upload, &Limits::default()).expect("pixels")
    }

    #[test]
    fn channels_come_first() {
        let pixels = two_pixels(&preprocessing(Colour::Rgb));
        assert_eq!(pixels.values(), [255.0, 10.0, 0.0, 20.0, 0.0, 30.0]);
    }

    #[test]
    fn bgr_puts_blue_first_and_means_follow_the_models_order() {
        let bgr = preprocessing(Colour::Bgr);
        assert_eq!(two_pixels(&bgr).values(), [0.0, 30.0, 0.0, 20.0, 255.0, 10.0]);
        let shifted = Preprocessing { mean: vec![1.0, 2.0, 3.0], ..bgr };
        assert_eq!(two_pixels(&shifted).values(), [-1.0, 29.0, -2.0, 18.0, 252.0, 7.0]);
    }

    #[test]
    fn a_channel_has_its_own_mean_and_deviation() {
        let rgb = Preprocessing {
            scale: 0.5,
            mean: vec![1.0, 2.0, 3.0],
            std: vec![1.0, 2.0, 4.0],
            ..preprocessing(Colour::Rgb)
        };
        let pixels = two_pixels(&rgb);
        assert_eq!(pixels.values(), [126.5, 4.0, -1.0, 4.0, -0.75, 3.0]);
    }

    #[test]
    fn grey_is_luma() {
        let pixels = two_pixels(&preprocessing(Colour::Grey));
        assert_eq!(pixels.values(), [76.0, 18.0]);
    }

    #[test]
    fn the_png_shows_what_the_model_reads() {
        let upload = b"P6 2 1 255\n\xff\0\0\x0a\x14\x1e";
        for (colour, expected) in [
            (Colour::Grey, &[76, 18][..]),
            (Colour::Rgb, &[255, 0, 0, 10, 20, 30]),
            (Colour::Bgr, &[255, 0, 0, 10, 20, 30]),
        ] {
            let preprocessing = preprocessing(colour);
            let planes = preprocessing.planes(upload, &Limits::default(), Reduction::Never);
            let planes = planes.expect("planes");
            let file = preprocessing.png(&planes);
            let shown = image::load_from_memory(&file).expect("a PNG");
            assert_eq!((shown.width(), shown.height()), (2, 1));
            assert_eq!(shown.into_bytes(), expected, "{colour:?}");
        }
    }

    #[test]
    fn a_shared_decode_gives_each_fit_the_planes_of_its_own_decode() {
        let photograph = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/images/reduced-orientation-6.jpg"
        );
        let photograph = std::fs::read(photograph).expect("a photograph");
        let fits = [Fit::Stretch, Fit::Pad, Fit::Crop];
        // The first two sizes share one decode, in full and at a quarter. In the last, `pad` decodes at an eighth and
        // the other fits in full.
        let sizes = [(Colour::Rgb, [64, 48]), (Colour::Grey, [20, 15]), (Colour::Grey, [30, 5])];
        for (colour, [height, width]) in sizes {
            let preprocessing = Preprocessing { height, width, ..preprocessing(colour) };
            let planes = preprocessing.planes_by_fit(&photograph, &Limits::default(), &fits);
            for (fit, planes) in fits.into_iter().zip(planes.expect("planes")) {
                let single = Preprocessing { fit, ..preprocessing.clone() };
                let single = single.planes(&photograph, &Limits::default(), Reduction::default());
                let single = single.expect("planes");
                assert!(planes == single, "{colour:?}, {fit:?}");
            }
        }
    }

    #[test]
    fn an_empty_upload_is_refused() {
        let outcome = preprocessing(Colour::Grey).preprocess(b"", &Limits::default());
        assert!(matches!(outcome, Err(DecodeError::Empty)));
    }

    #[test]
    fn text_is_refused() {
        for upload in [&b"hello"[..], b"\0", b"<svg/>", b"%PDF-1.7", b"\x89P", b"\xff"] {
            let outcome = preprocessing(Colour::Grey).preprocess(upload, &Limits::default());
            assert!(matches!(outcome, Err(DecodeError::UnknownFormat)), "{upload:?}");
        }
    }

    #[test]
    fn an_invalid_preprocessing_is_named() {
        let valid = preprocessing(Colour::Rgb);
        assert_eq!(valid.validate(), Ok(()));
        for (invalid, expected) in [
            (Preprocessing { width: 0, ..valid.clone() }, InvalidPreprocessing::Side),
            (Preprocessing { height: 5_000, ..valid.clone() }, InvalidPreprocessing::Side),
            (Preprocessing { scale: f32::NAN, ..valid.clone() }, InvalidPreprocessing::Scale),
            (Preprocessing { scale: 0.0, ..valid.clone() }, InvalidPreprocessing::Scale),
            (Preprocessing { mean: vec![], ..valid.clone() }, InvalidPreprocessing::Mean),
            (Preprocessing { mean: vec![0.0; 2], ..valid.clone() }, InvalidPreprocessing::Mean),
            (
                Preprocessing { std: vec![1.0, 0.0, 1.0], ..valid.clone() },
                InvalidPreprocessing::Std,
            ),
            (
                Preprocessing { std: vec![f32::INFINITY], ..valid.clone() },
                InvalidPreprocessing::Std,
            ),
            (
                Preprocessing { scale: 2e-30, std: vec![1.0], ..valid.clone() },
                InvalidPreprocessing::Contrast(255.0 * 2e-30),
            ),
            (
                Preprocessing { scale: 1.0, std: vec![1e-38], ..valid },
                InvalidPreprocessing::Contrast(f32::INFINITY),
            ),
        ] {
            assert_eq!(invalid.validate(), Err(expected));
        }
    }
}
