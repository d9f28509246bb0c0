//! How far a JPEG may be reduced while it is decoded, by the effect on the distances of a model.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma, Pixel, PixelWithColorType, Rgb};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use siamese_core::model::{MeasuredReduction, Model, ModelError, OnnxModel};
use siamese_core::preprocessing::{
    Colour, DecodeError, Detail, Limits, Photograph, Pixels, Preprocessing, Reduction,
};
use siamese_core::score::{Embedding, Threshold};

use crate::data::Collection;

/// The samples for each pixel of the input that are tried, the fewest first. From 12 megapixels (3000x4000) to 224x224,
/// an eighth of the size leaves 1.67.
const TRIED: [f32; 5] = [1.25, 1.66, 2.0, 3.0, 4.5];
/// The largest mean change of a distance, as a share of the threshold. Rounding alone changes distances of an 8-bit network by
/// half as much.
const TOLERATED: f64 = 0.005;
/// The largest share of changed verdicts: those of pairs whose distance is as near to the threshold as the change.
const TOLERATED_FLIPS: f64 = 0.01;
/// The identities that are measured, and the images of each.
const IDENTITIES: usize = 12;
const IMAGES: usize = 2;
/// The quality of the JPEGs: that of many cameras.
const QUALITY: u8 = 90;

/// Measures how far JPEGs may be reduced; `None` if distances change too much at any size, or if the model aligns faces, which
/// reduces photographs in a way of its own.
///
/// Few calibrations have images of many megapixels. So a selection of the images is enlarged, and saved as JPEG, to the size
/// at which an eighth leaves the number of samples. Enlarged images have little detail. But changes of distances were like
/// those of real photographs of that size: a mean of 0.71 % of the threshold beside 0.75 % (with 1.35 samples, before samples
/// had a slope).
///
/// # Errors
///
/// If the model fails.
pub fn measure_reduction(
    model: &mut OnnxModel,
    images: &Collection,
    threshold: Threshold,
) -> Result<Option<MeasuredReduction>, ModelError> {
    if model.description().preprocessor.aligns() {
        return Ok(None);
    }
    let photographs = some_photographs(images);
    let bar = bar(photographs.len());
    for samples in TRIED {
        bar.set_position(0);
        let preprocessing = model.card().preprocessing.clone();
        let inputs = |photograph: &Photograph| {
            let inputs = inputs(photograph, &preprocessing, samples);
            bar.inc(1);
            inputs.ok()
        };
        let inputs: Vec<[Pixels; 2]> = photographs.par_iter().filter_map(inputs).collect();
        let (exact, reduced): (Vec<_>, Vec<_>) = inputs.into_iter().map(<(_, _)>::from).unzip();
        let [exact, reduced] = [embeddings(model, &exact)?, embeddings(model, &reduced)?];
        match compare(&exact, &reduced, threshold, samples) {
            Some(measured) if is_tolerated(&measured) => {
                bar.finish_and_clear();
                return Ok(Some(measured));
            }
            Some(_) => {}
            None => break,
        }
    }
    bar.finish_and_clear();
    Ok(None)
}

fn is_tolerated(measured: &MeasuredReduction) -> bool {
    measured.mean_of_threshold <= TOLERATED && measured.flipped <= TOLERATED_FLIPS
}

fn bar(n_images: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("measuring reduced JPEGs {wide_bar} {pos}/{len}")
        .expect("a template that indicatif knows");
    ProgressBar::new(n_images.try_into().unwrap_or(u64::MAX)).with_style(style)
}

/// Reads two images of each of some identities. Leaves out files that cannot be read.
fn some_photographs(images: &Collection) -> Vec<Photograph> {
    let identities = images.identities();
    let count = IDENTITIES.min(identities.len());
    let selected = (0..count).map(|index| &identities[index * identities.len() / count]);
    let selected: Vec<_> =
        selected.flat_map(|identity| identity.images.iter().take(IMAGES)).collect();
    let read = |image: &&crate::data::Image| {
        let upload = image.upload(images.root()).ok()?;
        Photograph::decode(&upload, &Limits::default(), Detail::Full).ok()
    };
    selected.par_iter().filter_map(read).collect()
}

/// Returns the inputs of the model for a large JPEG of a photograph: decoded in full, and at an eighth of its size, which
/// leaves this many samples for each pixel.
fn inputs(
    photograph: &Photograph,
    preprocessing: &Preprocessing,
    samples: f32,
) -> Result<[Pixels; 2], DecodeError> {
    let size = [preprocessing.width, preprocessing.height].map(|side| {
        let pixels = 8.0 * f64::from(samples) * f64::from(side);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let pixels = pixels.ceil() as u32;
        pixels
    });
    let upload = if photograph.is_grey() || preprocessing.colour == Colour::Grey {
        enlarged::<Luma<u8>>(photograph, Colour::Grey, size)
    } else {
        enlarged::<Rgb<u8>>(photograph, Colour::Rgb, size)
    };
    let planes = |reduction| preprocessing.planes(&upload, &Limits::default(), reduction);
    let [exact, reduced] = [planes(Reduction::Never)?, planes(Reduction::Measured(samples))?];
    Ok([preprocessing.pixels(&exact), preprocessing.pixels(&reduced)])
}

/// Returns the middle of a photograph, in the proportions of `size` (columns and rows), enlarged to it and saved as JPEG.
fn enlarged<P>(photograph: &Photograph, colour: Colour, size: [u32; 2]) -> Vec<u8>
where
    P: Pixel<Subpixel = u8> + PixelWithColorType + 'static,
{
    let all = photograph.size().map(f64::from);
    let scale = (all[0] / f64::from(size[0])).min(all[1] / f64::from(size[1]));
    let part = size.map(|side| f64::from(side) * scale);
    let start = [0, 1].map(|axis| (all[axis] - part[axis]) / 2.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2080")]
    let [width, height] = part.map(|side| (side.round() as u32).max(1));
    let planes = photograph.rectangle(start, part, [width, height], colour);
    let area = planes.len() / usize::from(P::CHANNEL_COUNT);
    let interleaved = (0..area).flat_map(|at| planes.iter().skip(at).step_by(area).copied());
    let small = ImageBuffer::<P, _>::from_raw(width, height, interleaved.collect::<Vec<u8>>())
        .expect("a sample of each plane for each pixel");
    let large = resize(&small, size[0], size[1], FilterType::CatmullRom);
    let mut file = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut file, QUALITY)
        .encode_image(&large)
        .expect("an image is written to memory");
    file.into_inner()
}

fn embeddings(
    model: &mut OnnxModel,
    images: &[Pixels],
) -> Result<Vec<Option<Embedding>>, ModelError> {
    let mut all = Vec::with_capacity(images.len());
    for image in images {
        all.extend(model.embed(std::slice::from_ref(image))?.into_iter().map(Result::ok));
    }
    Ok(all)
}

/// Compares the distances of all pairs; `None` if there are none.
fn compare(
    exact: &[Option<Embedding>],
    reduced: &[Option<Embedding>],
    threshold: Threshold,
    samples: f32,
) -> Option<MeasuredReduction> {
    let both: Vec<_> =
        exact.iter().zip(reduced).filter_map(|(a, b)| a.as_ref().zip(b.as_ref())).collect();
    let (mut pairs, mut flipped, mut sum, mut largest) = (0_u32, 0_u32, 0.0, 0.0_f64);
    for (index, (a, reduced_a)) in both.iter().enumerate() {
        for (b, reduced_b) in &both[..index] {
            let [before, after] = [a.distance(b), reduced_a.distance(reduced_b)];
            let change = (before.get() - after.get()).abs() / threshold.get();
            pairs += 1;
            sum += change;
            largest = largest.max(change);
            flipped += u32::from(threshold.judge(before) != threshold.judge(after));
        }
    }
    (0 < pairs).then(|| MeasuredReduction {
        samples,
        pairs: pairs.into(),
        mean_of_threshold: rounded(sum / f64::from(pairs)),
        largest_of_threshold: rounded(largest),
        flipped: rounded(f64::from(flipped) / f64::from(pairs)),
    })
}

/// Rounds a share to six digits after the point, as the card stores it.
fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}
