//! How the primary image is cropped and turned. The EXIF orientation of a HEIC repeats it, so it is not applied.

use heifer_isobmff::HeifFile;
use heifer_isobmff::boxes::Property;
use image::metadata::Orientation;
use image::{RgbImage, imageops};

use super::layout::corrupt;
use super::picture::unreadable;
use crate::preprocessing::DecodeError;
use crate::preprocessing::samples::{Image, Samples};

/// One of each: a crop, a rotation and a reflection.
const MOST: usize = 3;

/// Applies what the file states for its primary image, in the order of the file.
pub(super) fn apply(file: &HeifFile, image: RgbImage) -> Result<Image, DecodeError> {
    let properties = file.item_properties(file.primary_id).map_err(unreadable)?;
    let transforms: Vec<&Property> = properties
        .filter(|property| {
            matches!(
                property,
                Property::CleanAperture { .. } | Property::Rotation(_) | Property::Mirror(_)
            )
        })
        .take(MOST + 1)
        .collect();
    if MOST < transforms.len() {
        return Err(corrupt("more transforms than there are kinds"));
    }
    let upright =
        |image: RgbImage, orientation| Image::new(Samples::Rgb(image)).upright(orientation);
    let mut image = image;
    for transform in transforms {
        let orientation = match *transform {
            Property::CleanAperture { width, height, horiz_offset, vert_offset } => {
                let columns = kept(image.width(), width, horiz_offset);
                let rows = kept(image.height(), height, vert_offset);
                let (Some([left, width]), Some([top, height])) = (columns, rows) else {
                    return Err(corrupt("a crop outside the image"));
                };
                image = imageops::crop_imm(&image, left, top, width, height).to_image();
                continue;
            }
            Property::Rotation(quarters) => anticlockwise(quarters),
            Property::Mirror(true) => Orientation::FlipVertical,
            _ => Orientation::FlipHorizontal,
        };
        image = match upright(image, orientation).into_samples() {
            Samples::Rgb(image) => image,
            Samples::Grey(_) => unreachable!("turning an image keeps its channels"),
        };
    }
    Ok(Image::new(Samples::Rgb(image)))
}

fn anticlockwise(quarters: u8) -> Orientation {
    match quarters % 4 {
        0 => Orientation::NoTransforms,
        1 => Orientation::Rotate270,
        2 => Orientation::Rotate180,
        _ => Orientation::Rotate90,
    }
}

/// The first pixel of a side and the number of pixels that a crop keeps. The crop states how long the rest is, and how far
/// its centre is from that of the image, both as fractions. `None` if no pixel is left.
fn kept(side: u32, length: (u32, u32), offset: (i32, u32)) -> Option<[u32; 2]> {
    if length.1 == 0 || offset.1 == 0 {
        return None;
    }
    let length = f64::from(length.0) / f64::from(length.1);
    let centre = f64::from(offset.0) / f64::from(offset.1) + f64::from(side) / 2.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let [start, length] =
        [centre - length / 2.0, length].map(|place| place.round().max(0.0) as u32);
    let length = length.min(side.checked_sub(start)?);
    (0 < length).then_some([start, length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_is_around_the_centre_and_its_offset() {
        for (length, offset, expected) in [
            ((60, 1), (0, 1), Some([20, 60])),
            ((60, 1), (-20, 1), Some([0, 60])),
            ((121, 2), (1, 2), Some([20, 61])),
            ((60, 1), (40, 1), Some([60, 40])),
            ((u32::MAX, 1), (0, 1), Some([0, 100])),
            ((60, 1), (i32::MAX, 1), None),
            ((0, 1), (0, 1), None),
            ((60, 0), (0, 1), None),
            ((60, 1), (0, 0), None),
        ] {
            assert_eq!(kept(100, length, offset), expected, "{length:?} {offset:?}");
        }
    }
}
