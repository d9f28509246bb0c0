//! Pictures of a pair and of what the model finds in it.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use siamese_core::model::OnnxModel;
use siamese_core::preprocessing::Photograph;
use siamese_core::score::Threshold;

use super::prepared::Prepared;
use super::{MeasuredPair, Measuring};
use crate::data::Collection;

/// The longest side of a picture, in pixels.
const LONGEST: u32 = 440;

/// Pictures of a pair, as data URIs.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// The first image on the pixels of the second, with its light.
    pub before: String,
    /// The second image.
    pub after: String,
    /// The distances as colours over the second image, with the regions.
    pub heat_map: String,
    /// Columns and rows of the photographs, to which the boxes of the truth refer.
    pub size: [u32; 2],
}

impl Pictures {
    /// Compares a pair again and draws it; `None` if the images can no longer be read.
    pub fn of(
        pair: &MeasuredPair,
        images: &Collection,
        measuring: Measuring,
        threshold: Threshold,
        model: &mut OnnxModel,
    ) -> Option<Self> {
        let description = model.description().clone();
        let prepared =
            Prepared::read(&pair.pair, pair.index, images.root(), &description, measuring.shift);
        let (compared, _) = prepared.ok()?.compared(model).ok()?;
        let [before, after] = compared.images();
        let heat_map = image::load_from_memory(&compared.heat_map(threshold)).ok()?;
        Some(Self {
            before: uri(&drawn(before)),
            after: uri(&drawn(after)),
            heat_map: uri(&heat_map),
            size: after.size(),
        })
    }
}

fn drawn(photograph: &Photograph) -> DynamicImage {
    let ([width, height], bytes) = (photograph.size(), photograph.bytes().to_vec());
    let image = if photograph.is_grey() {
        GrayImage::from_raw(width, height, bytes).map(DynamicImage::from)
    } else {
        RgbImage::from_raw(width, height, bytes).map(DynamicImage::from)
    };
    image.expect("a photograph has one or three bytes for each pixel")
}

/// A reduced JPEG in a data URI.
fn uri(image: &DynamicImage) -> String {
    let is_large = LONGEST < image.width().max(image.height());
    let reduced = if is_large { image.thumbnail(LONGEST, LONGEST) } else { image.clone() };
    let mut jpeg = Cursor::new(Vec::new());
    DynamicImage::from(reduced.into_rgb8())
        .write_to(&mut jpeg, ImageFormat::Jpeg)
        .expect("memory takes a JPEG");
    format!("data:image/jpeg;base64,{}", BASE64.encode(jpeg.into_inner()))
}
