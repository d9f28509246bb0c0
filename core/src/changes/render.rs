//! Pictures of what has changed, as PNG files.

use super::distances::Distances;
use super::regions::Region;
use crate::preprocessing::{Colour, Photograph, png};
use crate::score::Threshold;

/// The colour of a distance of the threshold, and of twice the threshold and more.
const COLOURS: [[f64; 3]; 2] = [[255.0, 200.0, 0.0], [220.0, 0.0, 40.0]];

/// How much of the image a colour covers at most.
const MOST_COVER: f64 = 0.65;

/// The lightness of what is not compared, as a share of the image's.
const SHADE: f64 = 0.45;

impl Distances {
    /// The second image with the distance of each cell as a colour, from half the threshold on, and the outlines of regions.
    /// Cells that are not compared are dark.
    ///
    /// The regions are in pixels of `image`.
    pub fn heat_map(
        &self,
        image: &Photograph,
        threshold: Threshold,
        regions: &[Region],
    ) -> Vec<u8> {
        let [width, height] = image.size().map(|side| side as usize);
        let mut planes = colours(image);
        let layout = self.layout();
        for index in 0..self.values().len() {
            let (tint, cover) = self.tint(index, threshold);
            let rows = layout.pixels(index / layout.columns, height);
            let columns = layout.pixels(index % layout.columns, width);
            for (plane, tint) in planes.chunks_exact_mut(width * height).zip(tint) {
                for pixel in rows
                    .clone()
                    .flat_map(|row| row * width + columns.start..row * width + columns.end)
                {
                    plane[pixel] = mixed(plane[pixel], tint, cover);
                }
            }
        }
        for region in regions {
            draw_outline(&mut planes, [width, height], &region.polygon);
        }
        png(&planes, image.size())
    }

    /// A grey image of the size of the second one: white where cells are changed, else black.
    pub fn mask(&self, image: &Photograph, threshold: Threshold) -> Vec<u8> {
        let [width, height] = image.size().map(|side| side as usize);
        let mut plane = vec![0; width * height];
        let layout = self.layout();
        for index in self.groups(threshold).into_iter().flatten() {
            for y in layout.pixels(index / layout.columns, height) {
                let columns = layout.pixels(index % layout.columns, width);
                plane[y * width..][columns].fill(255);
            }
        }
        png(&plane, image.size())
    }

    /// The colour of a cell, and how much of the image it covers.
    fn tint(&self, index: usize, threshold: Threshold) -> ([f64; 3], f64) {
        if !self.is_compared(index) {
            return ([0.0; 3], 1.0 - SHADE);
        }
        let times = f64::from(self.values()[index]) / threshold.get().max(f64::MIN_POSITIVE);
        let strength = (times - 1.0).clamp(0.0, 1.0);
        let cover = MOST_COVER * (2.0 * times - 1.0).clamp(0.0, 1.0);
        let tint = [0, 1, 2]
            .map(|channel| COLOURS[0][channel] * (1.0 - strength) + COLOURS[1][channel] * strength);
        (tint, cover)
    }
}

/// The planes of red, green and blue.
fn colours(image: &Photograph) -> Vec<u8> {
    let size = image.size();
    let planes = image.planes(size, Colour::Rgb);
    let area = size[0] as usize * size[1] as usize;
    if planes.len() == area { planes.repeat(3) } else { planes }
}

fn mixed(pixel: u8, other: f64, share: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two bytes"
    )]
    let mixed = (f64::from(pixel) * (1.0 - share) + other * share).round() as u8;
    mixed
}

/// Draws the edges of a polygon, which are horizontal or vertical, two pixels wide.
fn draw_outline(planes: &mut [u8], [width, height]: [usize; 2], polygon: &[[f64; 2]]) {
    let next = polygon.iter().cycle().skip(1);
    for (one, other) in polygon.iter().zip(next) {
        let span = |axis: usize, length: usize| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates"
            )]
            let pixel = |place: f64| (place.max(0.0) as usize).min(length);
            let [start, end] = [one[axis].min(other[axis]), one[axis].max(other[axis])];
            pixel((start - 1.0).round())..pixel((end + 1.0).round())
        };
        for y in span(1, height) {
            for x in span(0, width) {
                for (channel, plane) in planes.chunks_exact_mut(width * height).enumerate() {
                    plane[y * width + x] = [255, 0, 60][channel];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Grid, Mask};
    use super::*;
    use crate::preprocessing::{Detail, Fit, Limits, Preprocessing};
    use crate::score::Map;

    /// A white image of 4 by 2 pixels, as two cells of which the second is changed.
    fn changed() -> (Photograph, Distances) {
        let upload = [&b"P5 4 2 255\n"[..], &[255; 8]].concat();
        let image =
            Photograph::decode(&upload, &Limits::default(), Detail::Full).expect("an image");
        let preprocessing = Preprocessing {
            height: 2,
            width: 4,
            colour: Colour::Grey,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        };
        let grid = Grid::new(image.size(), 2.0, [1, 2], &preprocessing);
        let mut distances = Distances::new(&grid, Mask::none(image.size()).compared(&grid));
        let map = |values: [f32; 2]| Map::new(1, 2, values).expect("a map");
        distances.add(&grid, 0, [&map([0.0, 0.0]), &map([0.0, 3.0])]);
        (image, distances)
    }

    fn pixels(png: &[u8]) -> Vec<[u8; 3]> {
        let image = image::load_from_memory(png).expect("a PNG").into_rgb8();
        assert_eq!(image.dimensions(), (4, 2));
        image.pixels().map(|pixel| pixel.0).collect()
    }

    #[test]
    fn changed_cells_are_white_in_a_mask_and_coloured_in_a_heat_map() {
        let (image, distances) = changed();
        let threshold = Threshold::try_from(1.0).expect("a threshold");
        let regions = distances.regions(threshold, [&image, &image]);
        assert_eq!(regions.len(), 1);
        assert_eq!(regions[0].polygon, [[2.0, 0.0], [4.0, 0.0], [4.0, 2.0], [2.0, 2.0]]);
        let mask = pixels(&distances.mask(&image, threshold));
        let (black, white) = ([0; 3], [255; 3]);
        assert_eq!(mask, [black, black, white, white, black, black, white, white]);
        let heat = pixels(&distances.heat_map(&image, threshold, &[]));
        assert_eq!((heat[0], heat[2]), ([255; 3], [232, 89, 115]));
        let outlined = pixels(&distances.heat_map(&image, threshold, &regions));
        assert_eq!((outlined[0], outlined[2]), ([255; 3], [255, 0, 60]));
    }

    #[test]
    fn nothing_is_changed_above_the_greatest_distance() {
        let (image, distances) = changed();
        let threshold = Threshold::try_from(3.0).expect("a threshold");
        assert!(distances.regions(threshold, [&image, &image]).is_empty());
        assert!((distances.greatest() - 3.0).abs() < 1e-6);
    }
}
