//! Whether images are in colour.

use std::fs;

use siamese_core::preprocessing::{Colour, Fit, Limits, Preprocessing, Reduction};

use super::Collection;

/// The largest number of images that are looked at.
const SAMPLED: usize = 32;
/// The side to which they are reduced, in pixels.
const SIDE: u32 = 32;
/// A pixel has a colour if two of its channels differ by more than this number of steps of 255. Grey images that were
/// saved as JPEG, or scanned in colour, have smaller differences.
const TINT: u8 = 24;
/// An image is in colour if more than one in this number of pixels has a colour.
const RARE: usize = 50;

impl Collection {
    /// Returns whether some of up to 32 images, spread evenly, are in colour. Files that cannot be read as images do not
    /// count.
    pub fn is_in_colour(&self) -> bool {
        let files: Vec<_> =
            self.identities().iter().flat_map(|identity| &identity.images).collect();
        let reduced = Preprocessing {
            height: SIDE,
            width: SIDE,
            colour: Colour::Rgb,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        };
        let is_in_colour = |upload: &[u8]| {
            let planes = reduced.planes(upload, &Limits::default(), Reduction::default());
            planes.is_ok_and(|planes| has_colours(planes.bytes(), (SIDE * SIDE) as usize))
        };
        let step = files.len().div_ceil(SAMPLED).max(1);
        let mut sampled = files.into_iter().step_by(step);
        sampled.any(|image| {
            fs::read(self.root().join(&image.file)).is_ok_and(|upload| is_in_colour(&upload))
        })
    }
}

/// Returns whether enough pixels of red, green and blue planes have a colour. A grey image has only one plane.
fn has_colours(planes: &[u8], area: usize) -> bool {
    let [Some(red), Some(green), Some(blue)] =
        [0, 1, 2].map(|plane| planes.get(plane * area..(plane + 1) * area))
    else {
        return false;
    };
    let is_tinted = |(red, (green, blue)): &(&u8, (&u8, &u8))| {
        let [low, high] = [(**red).min(**green).min(**blue), (**red).max(**green).max(**blue)];
        TINT < high - low
    };
    let tinted = red.iter().zip(green.iter().zip(blue)).filter(is_tinted).count();
    area < tinted * RARE
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
    use tempfile::TempDir;

    use super::*;

    #[track_caller]
    fn check(write: impl Fn(&Path), expected: bool) {
        let data = TempDir::new().expect("a folder");
        for identity in ["a", "b"] {
            fs::create_dir(data.path().join(identity)).expect("a folder");
            GrayImage::from_pixel(8, 8, Luma([90]))
                .save(data.path().join(identity).join("1.png"))
                .expect("an image");
        }
        write(&data.path().join("b"));
        let images = Collection::open(data.path()).expect("images");
        assert_eq!(images.is_in_colour(), expected);
    }

    fn image(colour: impl Fn(u32, u32) -> [u8; 3]) -> DynamicImage {
        RgbImage::from_fn(64, 64, |column, row| Rgb(colour(column, row))).into()
    }

    #[test]
    fn one_image_in_colour_is_enough() {
        check(|_| {}, false);
        check(
            |folder| image(|_, _| [200, 40, 30]).save(folder.join("2.png")).expect("saved"),
            true,
        );
        // A small object in colour.
        let small =
            |column: u32, row: u32| if column < 12 && row < 12 { [30, 160, 40] } else { [128; 3] };
        check(|folder| image(small).save(folder.join("2.jpg")).expect("saved"), true);
    }

    #[test]
    fn grey_images_in_a_format_of_colour_are_grey() {
        let grey = |column: u32, row: u32| [(3 * column + row % 7).to_le_bytes()[0]; 3];
        check(|folder| image(grey).save(folder.join("2.jpg")).expect("saved"), false);
        let paper =
            |_, row: u32| [200 - row, 196 - row, 186 - row].map(|value| value.to_le_bytes()[0]);
        check(|folder| image(paper).save(folder.join("2.jpg")).expect("saved"), false);
    }

    #[test]
    fn files_that_are_no_images_do_not_count() {
        check(|folder| fs::write(folder.join("2.png"), "no image").expect("saved"), false);
    }
}
