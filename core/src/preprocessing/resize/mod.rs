//! Resizes an image to a model's input size.

mod kernel;
mod transpose;

use pulp::{Arch, Simd, WithSimd};

use kernel::Kernel;

use super::Colour;
use super::fit::{Part, Size, Target, all};
use super::samples::Image;
use super::side::Side;

/// Resizes an image to a target, as Pillow's `convert` and then `resize`, `ImageOps.pad` or `ImageOps.fit` do with
/// `BILINEAR`.
///
/// # Shapes
///
/// [`Image::planes`] planes, one after another, each `[height, width]` of `target`.
pub(super) fn fit(image: &Image, target: &Target) -> Vec<u8> {
    let (part, size) = target.resizing(image.size());
    let resized = resize_part(image, target.colour, part, size);
    if size == target.size { resized } else { centre(&resized, size, target.size) }
}

/// Resizes a part of an image by the antialiased triangle filter.
///
/// # Shapes
///
/// [`Image::planes`] planes, one after another, each `[height, width]` of `size`.
pub(super) fn resize_part(image: &Image, colour: Colour, part: Part, size: Size) -> Vec<u8> {
    Arch::new().dispatch(Resizing { image, colour, size, part })
}

/// The number of rows that are read before their columns are resized.
const ROWS: usize = 64;

/// A resize to run. Its loops are compiled once for any processor and once for those with wide vectors, where they
/// take a third of the time.
struct Resizing<'a> {
    image: &'a Image,
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

/// Resizes a part of an image by the antialiased triangle filter, in two passes.
#[inline(always)]
fn resize(&Resizing { image, colour, size, ref part }: &Resizing<'_>) -> Vec<u8> {
    let across = kernel(image.rows(), part.rows, size.height);
    let along = kernel(image.columns(), part.columns, size.width);
    let [width, height] = [image.columns(), image.rows()].map(|side| side.samples() as usize);
    // Of a small part, only its own samples are read.
    let columns = along.as_ref().map_or(0..width, Kernel::span);
    let width = columns.len();
    let [target_width, target_height] = [size.width, size.height].map(|side| side as usize);
    let rows = across.as_ref().map_or(0..height, Kernel::span);

    // Each pass rounds, so the order of the passes affects the last bit.
    let columns_first = is_columns_first(image.size(), size);
    let (along_first, along_last) = if columns_first { (None, along) } else { (along, None) };
    let line_width = if along_first.is_some() { target_width } else { width };
    let planes = image.planes(colour);
    let plane_size = rows.len() * line_width;
    let mut resized = vec![0; planes * plane_size];
    if let Some(kernel) = &along_first {
        // A block of rows at a time: all rows in their full width would take as much memory as the image.
        let mut block = vec![0; planes * ROWS * width];
        for first in rows.clone().step_by(ROWS) {
            let count = ROWS.min(rows.end - first);
            let lines = &mut block[..planes * count * width];
            for row in 0..count {
                let planes = lines.chunks_exact_mut(count * width);
                let row_planes = planes.map(|plane| &mut plane[row * width..][..width]);
                image.read_row(first + row, columns.start, row_planes);
            }
            let start = (first - rows.start) * line_width;
            let targets = resized.chunks_exact_mut(plane_size);
            for (lines, plane) in lines.chunks_exact(count * width).zip(targets) {
                kernel.along(lines, &mut plane[start..][..count * line_width]);
            }
        }
    } else {
        for (index, row) in rows.enumerate() {
            let planes = resized.chunks_exact_mut(plane_size);
            let row_planes = planes.map(|plane| &mut plane[index * width..][..width]);
            image.read_row(row, columns.start, row_planes);
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
        kernel.along(&resized, &mut target);
        resized = target;
    }
    resized
}

/// Whether columns are resized before rows: if the height shrinks by more than twice as many pixels as the width, as
/// in Pillow since 13.0. Older versions always resized rows first.
fn is_columns_first(image: Size, target: Size) -> bool {
    let shrinks = |from: u32, to: u32| i64::from(from) - i64::from(to);
    let height = shrinks(image.height, target.height);
    0 < height && 2 * shrinks(image.width, target.width) < height
}

/// The kernel from a part of a side to a target; `None` if the side is unchanged.
fn kernel(side: Side, part: [f32; 2], target: u32) -> Option<Kernel> {
    #[expect(clippy::float_cmp, reason = "only an exactly whole side is unchanged")]
    let unchanged = side == Side::whole(target) && part == all(target);
    (!unchanged).then(|| Kernel::new(side, part, target as usize))
}

/// Centres each plane on black. Odd differences are rounded to the even position, as in Python.
fn centre(planes: &[u8], size: Size, target: Size) -> Vec<u8> {
    let [width, height, target_width, target_height] =
        [size.width, size.height, target.width, target.height].map(|side| side as usize);
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

/// Half of an integer; a remainder is rounded to the even neighbour.
fn half(number: usize) -> usize {
    let half = number / 2;
    if number % 4 == 3 { half + 1 } else { half }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Samples;
    use super::super::{Fit, Reduction};
    use super::*;

    const fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    const fn grey(width: u32, height: u32, fit: Fit) -> Target {
        Target { size: size(width, height), colour: Colour::Grey, fit, reduction: Reduction::Never }
    }

    fn image(width: u32, height: u32, bytes: Vec<u8>) -> Image {
        let image = image::GrayImage::from_raw(width, height, bytes);
        Image::new(Samples::Grey(image.expect("one byte for each pixel")))
    }

    #[test]
    fn halves_are_rounded_to_the_even_neighbour() {
        assert_eq!([0, 1, 2, 3, 4, 5, 7].map(half), [0, 0, 1, 2, 2, 2, 4]);
    }

    #[test]
    fn padding_is_black_and_symmetric() {
        let padded = fit(&image(2, 4, vec![255; 8]), &grey(4, 4, Fit::Pad));
        assert_eq!(padded, [[0, 255, 255, 0]; 4].concat());
    }

    #[test]
    fn a_crop_is_the_middle() {
        let row = image(4, 1, vec![1, 2, 3, 4]);
        assert_eq!(fit(&row, &grey(2, 1, Fit::Crop)), [2, 3]);
    }

    #[test]
    fn an_image_of_the_target_size_is_unchanged() {
        let image = image(2, 2, vec![1, 2, 3, 4]);
        for each_fit in [Fit::Stretch, Fit::Pad, Fit::Crop] {
            assert_eq!(fit(&image, &grey(2, 2, each_fit)), [1, 2, 3, 4], "{each_fit}");
        }
    }

    #[test]
    fn a_sample_has_the_weight_of_the_pixels_it_covers() {
        // Nine pixels. The last one has a sample of its own, with 5/61 of the weight.
        let image =
            image::GrayImage::from_raw(2, 1, vec![90, 180]).expect("one byte for each sample");
        let image = Image::halved(Samples::Grey(image), size(9, 1), 3);
        assert_eq!(fit(&image, &grey(1, 1, Fit::Stretch)), [97]);
        let turned = image.upright(image::metadata::Orientation::Rotate180);
        assert_eq!(fit(&turned, &grey(1, 1, Fit::Stretch)), [97]);
    }
}
