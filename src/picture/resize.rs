//! How a picture comes to a tower's size.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::kernel::Kernel;
use super::{Colour, Picture};

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

/// A part of a picture: from where to where, in pixels and parts of pixels.
///
/// In single precision because Pillow holds them so.
struct Part {
    columns: [f32; 2],
    rows: [f32; 2],
}

/// Fits a picture into `target`, as Pillow's `convert` and then `resize`, `ImageOps.pad` or
/// `ImageOps.fit` do with `BILINEAR`.
///
/// # Shapes
///
/// [`Picture::planes`] planes, one after another, each `[height, width]` of `target`.
pub(super) fn fit(picture: &Picture, colour: Colour, target: Size, fit: Fit) -> Vec<u8> {
    let size = Size { width: picture.width(), height: picture.height() };
    let whole_picture = Part { columns: all(size.width), rows: all(size.height) };
    match fit {
        Fit::Stretch => resize(picture, colour, target, &whole_picture),
        Fit::Crop => resize(picture, colour, target, &largest_part(size, target)),
        Fit::Pad => {
            let inner = largest_inside(size, target);
            let resized = resize(picture, colour, inner, &whole_picture);
            if inner == target { resized } else { centre(&resized, inner, target) }
        }
    }
}

/// Resizes a part of a picture by the antialiased triangle filter, in two passes.
fn resize(picture: &Picture, colour: Colour, target: Size, part: &Part) -> Vec<u8> {
    let across = kernel(picture.height(), part.rows, target.height);
    let along = kernel(picture.width(), part.columns, target.width);
    let [width, height] = [picture.width(), picture.height()].map(|it| it as usize);
    let [target_width, target_height] = [target.width, target.height].map(|it| it as usize);
    let rows = across.as_ref().map_or(0..height, Kernel::span);

    // Each pass rounds, so that their order shows in the last bit.
    let columns_first = is_columns_first(picture, target);
    let (along_first, along_last) = if columns_first { (None, along) } else { (along, None) };
    let line_width = if along_first.is_some() { target_width } else { width };
    let planes = picture.planes(colour);
    let plane_size = rows.len() * line_width;
    let mut resized = vec![0; planes * plane_size];
    let mut row_planes = vec![vec![0; width]; planes];
    for (at, row) in rows.enumerate() {
        picture.read_row(row, &mut row_planes);
        for (source, plane) in row_planes.iter().zip(resized.chunks_exact_mut(plane_size)) {
            let line = &mut plane[at * line_width..][..line_width];
            match &along_first {
                Some(kernel) => kernel.along(source, line),
                None => line.copy_from_slice(source),
            }
        }
    }
    if let Some(kernel) = across {
        let mut target = vec![0; planes * target_height * line_width];
        let targets = target.chunks_exact_mut(target_height * line_width);
        for (plane, target) in resized.chunks_exact(plane_size).zip(targets) {
            kernel.across(plane, line_width, target);
        }
        resized = target;
    }
    if let Some(kernel) = along_last {
        let mut target = vec![0; planes * target_height * target_width];
        let targets = target.chunks_exact_mut(target_width);
        for (line, target) in resized.chunks_exact(line_width).zip(targets) {
            kernel.along(line, target);
        }
        resized = target;
    }
    resized
}

/// Whether columns are resized before rows: where the height shrinks by more than twice what the
/// width does, as in Pillow since 13.0. Before, rows always came first.
fn is_columns_first(picture: &Picture, target: Size) -> bool {
    let shrinks = |from: u32, to: u32| i64::from(from) - i64::from(to);
    let height = shrinks(picture.height(), target.height);
    0 < height && 2 * shrinks(picture.width(), target.width) < height
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
    let (left, top) = ((width - part_width) * 0.5, (height - part_height) * 0.5);
    Part {
        columns: [left, left + part_width].map(single),
        rows: [top, top + part_height].map(single),
    }
}

/// All of a side.
fn all(side: u32) -> [f32; 2] {
    [0.0, single(f64::from(side))]
}

/// The kernel from a part of a side to a target, or none if that is the side as it is.
fn kernel(source: u32, part: [f32; 2], target: u32) -> Option<Kernel> {
    #[expect(clippy::float_cmp, reason = "only a whole side, to the bit, can stay as it is")]
    let as_it_is = source == target && part == all(source);
    (!as_it_is).then(|| Kernel::new(source as usize, part, target as usize))
}

/// To single precision.
fn single(number: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "as Pillow does")]
    let single = number as f32;
    single
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

/// Puts each plane in the middle of black, where a half goes to the even side, as in Python.
fn centre(planes: &[u8], size: Size, target: Size) -> Vec<u8> {
    let [width, height, target_width, target_height] =
        [size.width, size.height, target.width, target.height].map(|it| it as usize);
    let left = half(target_width - width);
    let top = half(target_height - height);
    let planes = planes.chunks_exact(width * height);
    let mut canvas = vec![0; planes.len() * target_width * target_height];
    for (plane, target) in planes.zip(canvas.chunks_exact_mut(target_width * target_height)) {
        let rows = target.chunks_exact_mut(target_width).skip(top);
        for (row, source) in rows.zip(plane.chunks_exact(width)) {
            row[left..left + width].copy_from_slice(source);
        }
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
    use super::super::samples::Samples;
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

    fn grey(width: u32, height: u32, bytes: Vec<u8>) -> Picture {
        let image = image::GrayImage::from_raw(width, height, bytes);
        Picture(Samples::Grey(image.expect("one byte a pixel")))
    }

    #[test]
    fn padding_is_black_and_even() {
        let white = grey(2, 4, vec![255; 8]);
        let padded = fit(&white, Colour::Grey, size(4, 4), Fit::Pad);
        assert_eq!(padded, [[0, 255, 255, 0]; 4].concat());
    }

    #[test]
    fn a_crop_is_the_middle() {
        let row = grey(4, 1, vec![1, 2, 3, 4]);
        assert_eq!(fit(&row, Colour::Grey, size(2, 1), Fit::Crop), [2, 3]);
    }

    #[test]
    fn a_picture_of_the_right_size_stays_as_it_is() {
        let picture = grey(2, 2, vec![1, 2, 3, 4]);
        for way in [Fit::Stretch, Fit::Pad, Fit::Crop] {
            assert_eq!(fit(&picture, Colour::Grey, size(2, 2), way), [1, 2, 3, 4], "{way}");
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
