//! The tensor of a request: encoded images, or their pixels.

use std::fmt;
use std::ops::RangeInclusive;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use siamese_core::preprocessing::{Pixels, Preprocessing};

use super::{BYTES, FP32, IMAGE, PIXELS};
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::http::request::json::Json;
use crate::http::request::mistake::malformed;
use crate::http::request::source::upload;

/// How far pixels may lie outside the values that the preprocessing gives, as a share of their range: for a client whose
/// resize overshoots, or that computes in half precision.
const TOLERANCE: f32 = 0.01;

/// The images of a request.
pub(crate) enum Tensor {
    Images(Vec<Source>),
    Pixels(PixelTensor),
}

/// The pixels of images after the preprocessing.
///
/// Invariant: the number of values is the count times the product of the shape.
pub(crate) struct PixelTensor {
    count: usize,
    /// Channels, rows and columns of an image.
    shape: [usize; 3],
    values: Vec<f32>,
}

/// The elements of a tensor.
pub(super) enum Data<'a> {
    Json(Json<'a>),
    Binary(Bytes),
}

impl Tensor {
    /// Reads a tensor of at most `most` images.
    pub(super) fn read(
        name: &str,
        datatype: &str,
        shape: &[usize],
        data: Data,
        most: usize,
    ) -> Result<Self, Problem> {
        match (name, datatype, shape) {
            (IMAGE, BYTES, &[count] | &[count, 1]) => {
                check_count(count, most)?;
                Ok(Self::Images(data.images(count)?))
            }
            (PIXELS, FP32, &[count, channels, height, width]) => {
                check_count(count, most)?;
                let shape = [channels, height, width];
                let values = data.numbers(count, shape)?;
                Ok(Self::Pixels(PixelTensor { count, shape, values }))
            }
            _ => Err(malformed(
                "the input must be image, with datatype BYTES and shape [n] or [n, 1], or pixels, with datatype FP32 and \
                 shape [n, channels, height, width]",
            )
            .into()),
        }
    }

    /// The number of images.
    pub(super) fn images(&self) -> usize {
        match self {
            Self::Images(images) => images.len(),
            Self::Pixels(tensor) => tensor.count,
        }
    }

    /// The path of an image in the request, for error messages.
    pub(super) fn name(index: usize) -> String {
        format!("inputs[0].data[{index}]")
    }
}

fn check_count(count: usize, most: usize) -> Result<(), Problem> {
    if count == 0 || most < count {
        let why = format!("a request can embed 1 to {most} images");
        return Err(Fault::BatchTooLarge(why).of("shape"));
    }
    Ok(())
}

impl Data<'_> {
    fn images(self, count: usize) -> Result<Vec<Source>, Problem> {
        let images = match self {
            Self::Json(json) => decoded(json, count)?,
            Self::Binary(bytes) => sliced(bytes, count)?,
        };
        if images.len() != count {
            return Err(uneven().of("data"));
        }
        Ok(images)
    }

    fn numbers(self, count: usize, shape: [usize; 3]) -> Result<Vec<f32>, Problem> {
        let axes = [count, shape[0], shape[1], shape[2]];
        let length = axes.iter().try_fold(1_usize, |length, axis| length.checked_mul(*axis));
        let length = length.ok_or_else(|| uneven().of("shape"))?;
        let mut values = Vec::new();
        match self {
            Self::Json(Json(json)) => {
                let content = json.trim_start_matches(['[', ' ', '\n', '\r', '\t']);
                let lists = json[..json.len() - content.len()].matches('[').count();
                let axes = if lists == 1 { &[length] } else { &axes[..] };
                // An error of serde_json would repeat a whole text.
                let is_read = !json.contains('"')
                    && Numbers { values: &mut values, axes }
                        .deserialize(&mut serde_json::Deserializer::from_str(json))
                        .is_ok();
                if !is_read {
                    return Err(uneven().of("data"));
                }
            }
            Self::Binary(bytes) => {
                let (words, rest) = bytes.as_chunks();
                if !rest.is_empty() {
                    return Err(uneven().of("data"));
                }
                values.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
            }
        }
        if values.len() != length {
            return Err(uneven().of("data"));
        }
        Ok(values)
    }
}

/// Reads images as base64, in one list or in a list for each. Reads no more than `count`, and one.
fn decoded(json: Json, count: usize) -> Result<Vec<Source>, Problem> {
    const LIST: &str = "`data` must be a list of images as base64";
    let mut texts = Vec::new();
    for item in json.list(LIST).map_err(|fault| fault.of("data"))? {
        if item.0.starts_with('[') {
            texts.extend(item.list(LIST).map_err(|fault| fault.of("data"))?);
        } else {
            texts.push(item);
        }
        if count < texts.len() {
            return Err(uneven().of("data"));
        }
    }
    let image = |(index, text): (usize, Json)| {
        let text = text.text("an image must be base64 text");
        let image = text.and_then(|text| upload(&text));
        image.map_err(|fault| fault.of(format!("data[{index}]")))
    };
    texts.into_iter().enumerate().map(image).collect()
}

/// Reads images in binary: each follows its length, a little-endian `u32`. Reads no more than `count`, and one.
fn sliced(mut bytes: Bytes, count: usize) -> Result<Vec<Source>, Problem> {
    let mut images = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if rest.len() < length || images.len() == count {
            return Err(uneven().of("data"));
        }
        let mut image = bytes.split_to(size_of::<u32>() + length);
        images.push(Source::Upload(image.split_off(size_of::<u32>())));
    }
    if !bytes.is_empty() {
        return Err(uneven().of("data"));
    }
    Ok(images)
}

fn uneven() -> Fault {
    malformed("the tensor must have as many elements as its shape states, and of its datatype")
}

impl PixelTensor {
    /// One source for each image. Checks that the pixels can be those of an image after the preprocessing.
    pub(super) fn sources(self, preprocessing: &Preprocessing) -> Result<Vec<Source>, Problem> {
        let [channels, height, width] = preprocessing.shape();
        if self.shape != [channels, height, width] {
            let why = format!("the model reads pixels of shape [n, {channels}, {height}, {width}]");
            return Err(malformed(why).of("inputs[0].shape"));
        }
        let images = self.values.chunks_exact(channels * height * width).enumerate();
        let source = |(index, image): (usize, &[f32])| {
            for (channel, plane) in image.chunks_exact(height * width).enumerate() {
                let range = range(preprocessing, channel);
                if !plane.iter().all(|value| range.contains(value)) {
                    let (low, high) = range.into_inner();
                    let why = format!(
                        "the pixels of channel {channel} must be between {low} and {high}: send them after the \
                         preprocessing that the model's card states"
                    );
                    return Err(malformed(why).of(Tensor::name(index)));
                }
            }
            Ok(Source::Pixels(Pixels::new(image.to_vec())))
        };
        images.map(source).collect()
    }
}

/// The values of a channel, with a tolerance. No other values give embeddings that mean anything, or even finite ones.
fn range(preprocessing: &Preprocessing, channel: usize) -> RangeInclusive<f32> {
    let of_channel =
        |numbers: &[f32]| if numbers.len() == 1 { numbers[0] } else { numbers[channel] };
    let (mean, std) = (of_channel(&preprocessing.mean), of_channel(&preprocessing.std));
    let [black, white] = [0.0, 255.0].map(|byte| (byte * preprocessing.scale - mean) / std);
    let tolerance = TOLERANCE * (white - black).abs();
    black.min(white) - tolerance..=black.max(white) + tolerance
}

/// Collects the numbers of nested lists, which have these lengths from the outside to the inside.
struct Numbers<'a> {
    values: &'a mut Vec<f32>,
    axes: &'a [usize],
}

impl<'de> DeserializeSeed<'de> for Numbers<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Numbers<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers in lists of the shape")
    }

    #[expect(clippy::cast_possible_truncation, reason = "pixels use f32; their range is checked")]
    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        if !self.axes.is_empty() {
            return Err(E::custom("a number in place of a list"));
        }
        self.values.push(number as f32);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "pixels are small")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.visit_f64(number as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "pixels are small")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.visit_f64(number as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let [length, axes @ ..] = self.axes else {
            return Err(A::Error::custom("a list too much"));
        };
        let mut found = 0;
        while list.next_element_seed(Numbers { values: self.values, axes })?.is_some() {
            found += 1;
            if *length < found {
                return Err(A::Error::custom("a list is too long"));
            }
        }
        if found == *length { Ok(()) } else { Err(A::Error::custom("a list is too short")) }
    }
}
