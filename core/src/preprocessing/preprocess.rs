//! What a model wants done to an image.

use std::borrow::Cow;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::decode::{decode, guard, serves_both};
use super::fit::{Size, Target};
use super::resize::fit;
use super::samples::Image;
use super::{Colour, DecodeError, Fit, Limits, Pixels};

/// The longest side of a model's input.
const MAX_SIDE: u32 = 4_096;

/// What a model wants done to an image, in this order: colour, size, scale.
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
    /// What a byte, 0 to 255, is multiplied by; 1/255 gives 0 to 1.
    pub scale: f32,
    /// What is then taken off: one number, or one a channel.
    pub mean: Vec<f32>,
    /// What that is then divided by: one number, or one a channel; none is 0.
    pub std: Vec<f32>,
}

/// What a model reads of an image, before the scale: bytes of the input's size, plane after plane. One of grey, or red,
/// green and blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planes(Vec<u8>);

/// Why a [`Preprocessing`] can't be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidPreprocessing {
    /// A side is 0 or longer than 4096.
    #[error("each side of the input must be from 1 to {MAX_SIDE}")]
    Side,
    /// The scale is 0 or not finite.
    #[error("the scale must be a finite number other than 0")]
    Scale,
    /// There is neither one mean nor one a channel, or one is not finite.
    #[error("the mean must be one finite number, or one a channel")]
    Mean,
    /// There is neither one standard deviation nor one a channel, or one is not positive.
    #[error("the std must be one positive number, or one a channel")]
    Std,
}

impl Preprocessing {
    /// The input's `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.colour.channels(), self.height as usize, self.width as usize]
    }

    /// Says whether it can be carried out.
    pub fn validate(&self) -> Result<(), InvalidPreprocessing> {
        let channels = self.colour.channels();
        let fits = |numbers: &[f32]| numbers.len() == 1 || numbers.len() == channels;
        let all_finite = |numbers: &[f32]| numbers.iter().all(|it| it.is_finite());
        if ![self.height, self.width].iter().all(|it| (1..=MAX_SIDE).contains(it)) {
            return Err(InvalidPreprocessing::Side);
        }
        if !self.scale.is_finite() || self.scale == 0.0 {
            return Err(InvalidPreprocessing::Scale);
        }
        if !fits(&self.mean) || !all_finite(&self.mean) {
            return Err(InvalidPreprocessing::Mean);
        }
        if !fits(&self.std) || !all_finite(&self.std) || self.std.iter().any(|it| *it <= 0.0) {
            return Err(InvalidPreprocessing::Std);
        }
        Ok(())
    }

    /// Turns an upload into what the model reads.
    ///
    /// Never panics on an upload: a panic in decoding or resizing is [`DecodeError::DecoderFailed`].
    ///
    /// # Panics
    ///
    /// If it is not [valid](Self::validate).
    pub fn preprocess(&self, upload: &[u8], limits: &Limits) -> Result<Pixels, DecodeError> {
        Ok(self.pixels(&self.planes(upload, limits)?))
    }

    /// The part of [`prepare`](Self::prepare) that depends on the upload: decode, colour and fit.
    pub fn planes(&self, upload: &[u8], limits: &Limits) -> Result<Planes, DecodeError> {
        let target = self.target();
        guard(|| Ok(Planes(fit(&decode(upload, limits, &target)?, &target))))
    }

    /// The [planes](Self::planes) of an upload fitted in each of several ways, of one decode wherever one serves them all.
    pub fn planes_by_fit(
        &self,
        upload: &[u8],
        limits: &Limits,
        fits: &[Fit],
    ) -> Result<Vec<Planes>, DecodeError> {
        guard(|| {
            let mut decoded: Option<(Image, Target)> = None;
            let mut planes = Vec::with_capacity(fits.len());
            for fit_of in fits {
                let target = Target { fit: *fit_of, ..self.target() };
                let image = match decoded.take() {
                    Some((image, last)) if serves_both(image.size(), &last, &target) => image,
                    _ => decode(upload, limits, &target)?,
                };
                planes.push(Planes(fit(&image, &target)));
                decoded = Some((image, target));
            }
            Ok(planes)
        })
    }

    /// Takes planes that were made elsewhere; `None` where they can't be of this preprocessing.
    pub fn planes_of(&self, bytes: Vec<u8>) -> Option<Planes> {
        let [channels, height, width] = self.shape();
        let planes = [1, channels].into_iter().any(|planes| bytes.len() == planes * height * width);
        planes.then_some(Planes(bytes))
    }

    /// Shows planes as a PNG of the input's size, grey where the model reads grey, its true colours whatever the order of
    /// the model's channels.
    pub fn png(&self, planes: &Planes) -> Vec<u8> {
        png(&planes.0, self.width, self.height)
    }

    /// Brings planes to the model's numbers: the last part of [`prepare`](Self::prepare).
    pub fn pixels(&self, planes: &Planes) -> Pixels {
        let [channels, height, width] = self.shape();
        let mut values = Vec::with_capacity(channels * height * width);
        // The one plane of a grey image serves all channels.
        let planes: Vec<_> = planes.0.chunks_exact(height * width).cycle().take(channels).collect();
        for channel in 0..channels {
            let plane = match self.colour {
                Colour::Grey | Colour::Rgb => planes[channel],
                Colour::Bgr => planes[channels - 1 - channel],
            };
            let table = self.table(channel);
            values.extend(plane.iter().map(|it| table[usize::from(*it)]));
        }
        Pixels::new(values)
    }

    fn target(&self) -> Target {
        let size = Size { width: self.width, height: self.height };
        Target { size, colour: self.colour, fit: self.fit }
    }

    /// What each of the 256 bytes becomes in a channel.
    fn table(&self, channel: usize) -> [f32; 256] {
        let of = |numbers: &[f32]| if numbers.len() == 1 { numbers[0] } else { numbers[channel] };
        let (mean, std) = (of(&self.mean), of(&self.std));
        let mut byte = 0.0;
        [(); 256].map(|()| {
            let value = (byte * self.scale - mean) / std;
            byte += 1.0;
            value
        })
    }
}

impl Planes {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Planes of one size as an image's file.
fn png(planes: &[u8], width: u32, height: u32) -> Vec<u8> {
    let area = width as usize * height as usize;
    let (colour, interleaved): (_, Cow<[u8]>) = if planes.len() == area {
        (ExtendedColorType::L8, planes.into())
    } else {
        let pixels =
            (0..area).flat_map(|at| [planes[at], planes[area + at], planes[2 * area + at]]);
        (ExtendedColorType::Rgb8, pixels.collect())
    };
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(&interleaved, width, height, colour)
        .expect("memory takes an image whose size is that of its bytes");
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
    fn blue_may_come_first_and_means_are_in_the_models_order() {
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
    fn what_is_shown_is_what_is_read() {
        let upload = b"P6 2 1 255\n\xff\0\0\x0a\x14\x1e";
        for (colour, expected) in [
            (Colour::Grey, &[76, 18][..]),
            (Colour::Rgb, &[255, 0, 0, 10, 20, 30]),
            (Colour::Bgr, &[255, 0, 0, 10, 20, 30]),
        ] {
            let preprocessing = preprocessing(colour);
            let planes = preprocessing.planes(upload, &Limits::default()).expect("planes");
            let file = preprocessing.png(&planes);
            let shown = image::load_from_memory(&file).expect("a PNG");
            assert_eq!((shown.width(), shown.height()), (2, 1));
            assert_eq!(shown.into_bytes(), expected, "{colour:?}");
        }
    }

    #[test]
    fn an_image_is_fitted_in_each_way_as_in_that_alone() {
        let photograph = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/images/reduced-orientation-6.jpg"
        );
        let photograph = std::fs::read(photograph).expect("a photograph");
        let fits = [Fit::Stretch, Fit::Pad, Fit::Crop];
        // One decode serves all, in full or at a quarter; at last what is padded is decoded at an eighth, the others in full.
        let sizes = [(Colour::Rgb, [64, 48]), (Colour::Grey, [20, 15]), (Colour::Grey, [30, 5])];
        for (colour, [height, width]) in sizes {
            let preprocessing = Preprocessing { height, width, ..preprocessing(colour) };
            let planes = preprocessing.planes_by_fit(&photograph, &Limits::default(), &fits);
            for (fit, planes) in fits.into_iter().zip(planes.expect("planes")) {
                let alone = Preprocessing { fit, ..preprocessing.clone() };
                let alone = alone.planes(&photograph, &Limits::default()).expect("planes");
                assert!(planes == alone, "{colour:?}, {fit:?}");
            }
        }
    }

    #[test]
    fn no_bytes_are_no_image() {
        let answer = preprocessing(Colour::Grey).preprocess(b"", &Limits::default());
        assert!(matches!(answer, Err(DecodeError::Empty)));
    }

    #[test]
    fn text_is_no_image() {
        for upload in [&b"hello"[..], b"\0", b"<svg/>", b"%PDF-1.7", b"\x89P", b"\xff"] {
            let answer = preprocessing(Colour::Grey).preprocess(upload, &Limits::default());
            assert!(matches!(answer, Err(DecodeError::UnknownFormat)), "{upload:?}");
        }
    }

    #[test]
    fn what_cannot_be_carried_out_is_named() {
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
            (Preprocessing { std: vec![f32::INFINITY], ..valid }, InvalidPreprocessing::Std),
        ] {
            assert_eq!(invalid.validate(), Err(expected));
        }
    }
}
