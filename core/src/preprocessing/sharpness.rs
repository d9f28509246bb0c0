//! How sharp a face is, whatever its size, its contrast and the input of the model.

use super::align::Landmarks;
use super::colour::Colour;
use super::photograph::{Photograph, Point, float};
use super::similarity::Similarity;

/// The side of the square around the face in which its sharpness is measured, in pixels.
const SIDE: usize = 43;

/// The eyes, the nose and the mouth in that square. The eyes are 24 pixels apart: finer detail than that matters little
/// to a network for faces.
const PLACES: [Point; 4] = [[9.75, 9.12], [33.75, 9.61], [21.86, 24.37], [21.37, 35.41]];

/// The length of the filter that blurs the face again, in pixels: that of the source.
const BLUR: usize = 9;

impl Photograph {
    /// How much of a face's detail is lost when it is blurred again: 0 if there is none left, up to 1. A sharp face has
    /// some 0.6, whatever its contrast. `None` if the landmarks do not determine a place, or if none of it is within
    /// the photograph.
    ///
    /// F. Crete et al., *The blur effect: perception and estimation with a new no-reference perceptual blur metric*,
    /// 2007: this is 1 minus their blur, which is that of the more blurred direction.
    pub fn sharpness(&self, face: &Landmarks) -> Option<f64> {
        let placing = Similarity::between(&PLACES, &face.points())?;
        let plane = self.warped(&placing, [SIDE; 2], Colour::Grey);
        let [width, height] = self.size().map(f64::from);
        let values = plane.iter().enumerate().map(|(index, byte)| {
            let centre = [index % SIDE, index / SIDE].map(|pixel| float(pixel) + 0.5);
            let [x, y] = placing.apply(centre);
            let is_inside = (0.0..=width).contains(&x) && (0.0..=height).contains(&y);
            is_inside.then(|| f64::from(*byte))
        });
        let values: Vec<Option<f64>> = values.collect();
        let along = lost(|place, line| values[line * SIDE + place]);
        let across = lost(|place, line| values[place * SIDE + line]);
        [along, across].into_iter().flatten().reduce(f64::min)
    }
}

/// The share of the differences between neighbours in a line that a mean of [`BLUR`] pixels removes. `None` if there are
/// no lines of that length.
fn lost(value: impl Fn(usize, usize) -> Option<f64>) -> Option<f64> {
    let (mut all, mut removed, mut is_measured) = (0.0, 0.0, false);
    for line in 0..SIDE {
        for start in 0..SIDE - BLUR {
            // Two neighbours in the middle, and the ends of their means, which have all other pixels in common.
            let middle = start + BLUR / 2;
            let [first, left, right, last] =
                [start, middle, middle + 1, start + BLUR].map(|place| value(place, line));
            let (Some(first), Some(left), Some(right), Some(last)) = (first, left, right, last)
            else {
                continue;
            };
            let before = (right - left).abs();
            let after = (last - first).abs() / float(BLUR);
            all += before;
            removed += (before - after).max(0.0);
            is_measured = true;
        }
    }
    is_measured.then(|| if 0.0 < all { removed / all } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::super::{Detail, Limits};
    use super::*;

    /// A photograph of light and dark squares without a pattern, `scale` times as large. `blur` is the length of a mean
    /// along both sides, in pixels.
    fn squares(scale: usize, contrast: f64, blur: usize) -> Photograph {
        let side = 80 * scale;
        let sharp = |x: usize, y: usize| {
            let [column, row] = [x, y].map(|place| place / (4 * scale));
            let is_light = (column * 37 + row * 59 + column * row * 11) % 7 < 3;
            if is_light { 128.0 + contrast } else { 128.0 - contrast }
        };
        let mut bytes = Vec::new();
        for y in 0..side {
            for x in 0..side {
                let near = |place: usize| place.saturating_sub(blur / 2)..=place + blur / 2;
                let values: Vec<f64> =
                    near(y).flat_map(|row| near(x).map(move |column| sharp(column, row))).collect();
                let mean = values.iter().sum::<f64>() / float(values.len());
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a byte"
                )]
                bytes.push(mean.round() as u8);
            }
        }
        let upload = [format!("P5 {side} {side} 255\n").into_bytes(), bytes].concat();
        Photograph::decode(&upload, &Limits::default(), Detail::Fine).expect("a photograph")
    }

    fn face(scale: f64, shift: f64) -> Landmarks {
        Landmarks::new(PLACES.map(|point| point.map(|part| (part + shift) * scale)))
    }

    #[test]
    fn blur_lowers_the_sharpness() {
        let sharpness = |blur| squares(1, 100.0, blur).sharpness(&face(1.0, 18.0)).expect("a face");
        let [sharp, blurred, more] = [1, 3, 7].map(sharpness);
        assert!(blurred < sharp - 0.1 && more < blurred - 0.1, "{sharp} {blurred} {more}");
        assert!(sharp <= 1.0 && 0.0 < more, "{sharp} {more}");
    }

    #[test]
    fn contrast_and_size_do_not_matter() {
        let expected = squares(1, 100.0, 3).sharpness(&face(1.0, 18.0)).expect("a face");
        let flat = squares(1, 20.0, 3).sharpness(&face(1.0, 18.0)).expect("a face");
        assert!((flat - expected).abs() < 0.03, "{flat} is not {expected}");
        let [medium, large] = [(3, 3.0), (6, 6.0)].map(|(squared, scale)| {
            squares(squared, 100.0, 1).sharpness(&face(scale, 18.0)).expect("a face")
        });
        assert!((large - medium).abs() < 0.03, "{large} is not {medium}");
    }

    #[test]
    fn what_lies_beyond_the_photograph_does_not_count() {
        let photograph = squares(1, 100.0, 7);
        let inside = photograph.sharpness(&face(1.0, 18.0)).expect("a face");
        // Half of the square is beyond the left edge, which would be the sharpest line.
        let cut = photograph.sharpness(&face(1.0, -20.0)).expect("a face");
        assert!((cut - inside).abs() < 0.15, "{cut} is not {inside}");
        assert_eq!(photograph.sharpness(&face(1.0, 500.0)), None);
        assert_eq!(photograph.sharpness(&Landmarks::new([[1.0, 1.0]; 4])), None);
        // Nothing to see is not sharp.
        assert_eq!(squares(1, 0.0, 1).sharpness(&face(1.0, 18.0)), Some(0.0));
    }
}
