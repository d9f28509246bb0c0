//! A picture brought to a tower's size.

mod kernel;

use pulp::{Arch, Simd, WithSimd};

use kernel::{Kernel, LANES};

use super::Colour;
use super::fit::{Part, Size, Target, all};
use super::samples::Picture;
use super::side::Side;

/// Brings a picture to a target, as Pillow's `convert` and then `resize`, `ImageOps.pad` or
/// `ImageOps.fit` do with `BILINEAR`.
///
/// # Shapes
///
/// [`Picture::planes`] planes, one after another, each `[height, width]` of `target`.
pub(super) fn fit(picture: &Picture, target: &Target) -> Vec<u8> {
    let (part, size) = target.resizing(picture.size());
    let resized = Arch::new().dispatch(Resizing { picture, colour: target.colour, size, part });
    if size == target.size { resized } else { centre(&resized, size, target.size) }
}

/// What is to be done to a picture: its loops are compiled once for any processor and once for
/// those of wide vectors, which take a third of the time.
struct Resizing<'a> {
    picture: &'a Picture,
    colour: Colour,
    size: Size,
    part: Part,
}

impl WithSimd for Resizing<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<u8> {
        resize(&self)
    }
}

/// Resizes a part of a picture by the antialiased triangle filter, in two passes.
#[inline(always)]
fn resize(&Resizing { picture, colour, size, ref part }: &Resizing<'_>) -> Vec<u8> {
    let across = kernel(picture.rows(), part.rows, size.height);
    let along = kernel(picture.columns(), part.columns, size.width);
    let [width, height] = [picture.columns(), picture.rows()].map(|it| it.samples() as usize);
    let [target_width, target_height] = [size.width, size.height].map(|it| it as usize);
    let rows = across.as_ref().map_or(0..height, Kernel::span);

    // Each pass rounds, so that their order shows in the last bit.
    let columns_first = is_columns_first(picture.size(), size);
    let (along_first, along_last) = if columns_first { (None, along) } else { (along, None) };
    let line_width = if along_first.is_some() { target_width } else { width };
    let planes = picture.planes(colour);
    let plane_size = rows.len() * line_width;
    let mut resized = vec![0; planes * plane_size];
    let mut row_planes = vec![vec![0; width + LANES]; planes];
    for (at, row) in rows.enumerate() {
        picture.read_row(row, &mut row_planes);
        for (source, plane) in row_planes.iter().zip(resized.chunks_exact_mut(plane_size)) {
            let line = &mut plane[at * line_width..][..line_width];
            match &along_first {
                Some(kernel) => kernel.along(source, line),
                None => line.copy_from_slice(&source[..width]),
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
        resized.extend([0; LANES]);
        for (at, line) in target.chunks_exact_mut(target_width).enumerate() {
            kernel.along(&resized[at * line_width..], line);
        }
        resized = target;
    }
    resized
}

/// Whether columns are resized before rows: where the height shrinks by more than twice what the
/// width does, as in Pillow since 13.0. Before, rows always came first.
fn is_columns_first(picture: Size, target: Size) -> bool {
    let shrinks = |from: u32, to: u32| i64::from(from) - i64::from(to);
    let height = shrinks(picture.height, target.height);
    0 < height && 2 * shrinks(picture.width, target.width) < height
}

/// The kernel from a part of a side to a target, or none if that is the side as it is.
fn kernel(side: Side, part: [f32; 2], target: u32) -> Option<Kernel> {
    #[expect(clippy::float_cmp, reason = "only a whole side, to the bit, can stay as it is")]
    let as_it_is = side == Side::whole(target) && part == all(target);
    (!as_it_is).then(|| Kernel::new(side, part, target as usize))
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
    use super::super::Fit;
    use super::super::samples::Samples;
    use super::*;

    const fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    const fn grey(width: u32, height: u32, fit: Fit) -> Target {
        Target { size: size(width, height), colour: Colour::Grey, fit }
    }

    fn picture(width: u32, height: u32, bytes: Vec<u8>) -> Picture {
        let image = image::GrayImage::from_raw(width, height, bytes);
        Picture::new(Samples::Grey(image.expect("one byte a pixel")))
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        assert_eq!([0, 1, 2, 3, 4, 5, 7].map(half), [0, 0, 1, 2, 2, 2, 4]);
    }

    #[test]
    fn padding_is_black_and_even() {
        let padded = fit(&picture(2, 4, vec![255; 8]), &grey(4, 4, Fit::Pad));
        assert_eq!(padded, [[0, 255, 255, 0]; 4].concat());
    }

    #[test]
    fn a_crop_is_the_middle() {
        let row = picture(4, 1, vec![1, 2, 3, 4]);
        assert_eq!(fit(&row, &grey(2, 1, Fit::Crop)), [2, 3]);
    }

    #[test]
    fn a_picture_of_the_right_size_stays_as_it_is() {
        let picture = picture(2, 2, vec![1, 2, 3, 4]);
        for way in [Fit::Stretch, Fit::Pad, Fit::Crop] {
            assert_eq!(fit(&picture, &grey(2, 2, way)), [1, 2, 3, 4], "{way}");
        }
    }

    #[test]
    fn a_sample_counts_for_the_pixels_it_stands_for() {
        // Nine pixels, of which the last is a sample of its own and has 5/61 of the weight.
        let image = image::GrayImage::from_raw(2, 1, vec![90, 180]).expect("one byte a sample");
        let picture = Picture::halved(Samples::Grey(image), size(9, 1), 3);
        assert_eq!(fit(&picture, &grey(1, 1, Fit::Stretch)), [97]);
        let turned = picture.upright(image::metadata::Orientation::Rotate180);
        assert_eq!(fit(&turned, &grey(1, 1, Fit::Stretch)), [97]);
    }
}
