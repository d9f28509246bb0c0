//! Alignment: cuts a face out of a photograph so that its eyes, nose and mouth are at given places.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::photograph::{Photograph, Point, Square};
use super::{Planes, Preprocessing};

/// Points of a face in an image: columns from the left and rows from the top, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Landmarks {
    /// The eye on the left of the image.
    pub left_eye: [f64; 2],
    /// The eye on the right of the image.
    pub right_eye: [f64; 2],
    /// The tip of the nose.
    pub nose: [f64; 2],
    /// The centre of the mouth.
    pub mouth: [f64; 2],
}

/// Where the points of a face lie in the model's input.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Alignment(Landmarks);

/// The text is not an [`Alignment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "it must be four different points such as `48,45 101,46 75,79 74,104`: two eyes, nose and mouth"
)]
pub struct InvalidAlignment;

/// A scaling, rotation and shift of the plane.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Similarity {
    /// The first column of the matrix `[[a, -b], [b, a]]`.
    a: f64,
    b: f64,
    shift: Point,
}

impl Landmarks {
    /// Takes the points in the order of the fields.
    pub fn new([left_eye, right_eye, nose, mouth]: [Point; 4]) -> Self {
        Self { left_eye, right_eye, nose, mouth }
    }

    /// The points in the order of the fields.
    pub fn points(&self) -> [Point; 4] {
        [self.left_eye, self.right_eye, self.nose, self.mouth]
    }

    /// The angle of the line from eye to eye, clockwise, in degrees.
    pub fn roll(&self) -> f64 {
        let [x, y] = [0, 1].map(|axis| self.right_eye[axis] - self.left_eye[axis]);
        y.atan2(x).to_degrees()
    }
}

impl Alignment {
    /// Cuts the face with these points out of a photograph, as planes of the model's input. `None` if the points do
    /// not determine a place.
    ///
    /// The transform is the similarity with the least sum of squared distances from the points to their places.
    pub fn chip(
        &self,
        photograph: &Photograph,
        face: &Landmarks,
        preprocessing: &Preprocessing,
    ) -> Option<Planes> {
        let placing = Similarity::between(&self.0, face)?;
        let [_, height, width] = preprocessing.shape();
        let [columns, rows] = [width, height].map(float);
        // An area around the chip is resized so that its pixels are those of the chip, and then turned.
        let step = placing.scale().max(1.0);
        let centre = placing.apply([columns / 2.0, rows / 2.0]);
        let reach = placing.scale() * columns.hypot(rows) / 2.0 + 2.0 * step;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let side = (2.0 * reach / step).ceil() as u32;
        let half = f64::from(side) * step / 2.0;
        let square = photograph.square(Square { centre, half }, side, preprocessing.colour);
        let side = side as usize;
        let mut planes = Vec::with_capacity(square.len() / (side * side) * width * height);
        for plane in square.chunks_exact(side * side) {
            for row in 0..height {
                for column in 0..width {
                    let place = placing.apply([float(column) + 0.5, float(row) + 0.5]);
                    let [x, y] =
                        [0, 1].map(|axis| (place[axis] - centre[axis] + half) / step - 0.5);
                    planes.push(between_pixels(plane, side, [x, y]));
                }
            }
        }
        Some(Planes::new(planes))
    }
}

impl Similarity {
    /// The similarity that maps `from` to `to` with the least sum of squared distances (S. Umeyama, *Least-squares
    /// estimation of transformation parameters between two point patterns*, 1991, without reflections). `None` if it
    /// has no inverse.
    fn between(from: &Landmarks, to: &Landmarks) -> Option<Self> {
        let [from, to] = [from, to].map(Landmarks::points);
        let [from_centre, to_centre] = [&from, &to].map(centre);
        let (mut size, mut a, mut b) = (0.0, 0.0, 0.0);
        for (from, to) in from.iter().zip(&to) {
            let [x, y] = [0, 1].map(|axis| from[axis] - from_centre[axis]);
            let [u, v] = [0, 1].map(|axis| to[axis] - to_centre[axis]);
            size += x * x + y * y;
            a += x * u + y * v;
            b += x * v - y * u;
        }
        let (a, b) = (a / size, b / size);
        let turned = Self { a, b, shift: [0.0; 2] }.apply(from_centre);
        let shift = [0, 1].map(|axis| to_centre[axis] - turned[axis]);
        let similarity = Self { a, b, shift };
        let is_sound = similarity.scale().is_normal() && shift.iter().all(|part| part.is_finite());
        is_sound.then_some(similarity)
    }

    fn apply(&self, [x, y]: Point) -> Point {
        let Self { a, b, shift } = self;
        [a * x - b * y + shift[0], b * x + a * y + shift[1]]
    }

    fn scale(&self) -> f64 {
        self.a.hypot(self.b)
    }
}

fn centre(points: &[Point; 4]) -> Point {
    [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / 4.0)
}

fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a side has at most 4096 pixels"))
}

/// The value between the four pixels around a place, by bilinear interpolation; `[0, 0]` is the first pixel's centre.
fn between_pixels(plane: &[u8], side: usize, place: Point) -> u8 {
    let last = float(side - 1);
    let [(column, x), (row, y)] = place.map(|part| {
        let part = part.clamp(0.0, last);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within a side"
        )]
        let pixel = (part as usize).min(side.saturating_sub(2));
        (pixel, part - float(pixel))
    });
    let at = |row: usize, column: usize| f64::from(plane[row * side + column]);
    let line = |row: usize| at(row, column) * (1.0 - x) + at(row, column + 1) * x;
    let value = line(row) * (1.0 - y) + line(row + 1) * y;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between bytes")]
    let byte = value.round() as u8;
    byte
}

impl FromStr for Alignment {
    type Err = InvalidAlignment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let point = |text: &str| {
            let (x, y) = text.split_once(',')?;
            let numbers = [x.parse().ok()?, y.parse().ok()?];
            numbers.iter().all(|number: &f64| number.is_finite()).then_some(numbers)
        };
        let points: Option<Vec<Point>> = text.split_whitespace().map(point).collect();
        let points = points.and_then(|points| points.try_into().ok()).ok_or(InvalidAlignment)?;
        let points = Landmarks::new(points);
        Similarity::between(&points, &points).ok_or(InvalidAlignment)?;
        Ok(Self(points))
    }
}

impl Display for Alignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = self.0.points().map(|[x, y]| format!("{x},{y}"));
        f.write_str(&points.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Colour, Fit, Limits};
    use super::*;

    const PLACES: [Point; 4] = [[2.0, 2.0], [6.0, 2.0], [4.0, 4.0], [4.0, 6.0]];

    fn between(from: [Point; 4], to: [Point; 4]) -> Option<Similarity> {
        Similarity::between(&Landmarks::new(from), &Landmarks::new(to))
    }

    #[test]
    fn a_similarity_is_found_again() {
        let known = Similarity { a: 1.5, b: -0.5, shift: [3.0, -7.0] };
        let moved = PLACES.map(|point| known.apply(point));
        let found = between(PLACES, moved).expect("a similarity");
        assert!((found.a - 1.5).abs() < 1e-12 && (found.b + 0.5).abs() < 1e-12);
        assert!((found.shift[0] - 3.0).abs() < 1e-12 && (found.shift[1] + 7.0).abs() < 1e-12);
    }

    #[test]
    fn points_at_one_place_determine_nothing() {
        assert_eq!(between([[1.0, 1.0]; 4], PLACES), None);
        assert_eq!(between(PLACES, [[1.0, 1.0]; 4]), None);
        assert_eq!(between(PLACES, [[f64::NAN, 1.0]; 4]), None);
    }

    #[test]
    fn a_chip_at_its_own_place_is_the_image() {
        let pixels: Vec<u8> = (0..64).map(|index| index * 3).collect();
        let upload = [&b"P5 8 8 255\n"[..], &pixels].concat();
        let preprocessing = Preprocessing {
            height: 8,
            width: 8,
            colour: Colour::Grey,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        };
        let photograph = Photograph::decode(&upload, &Limits::default()).expect("a photograph");
        let alignment = Alignment(Landmarks::new(PLACES));
        let chip = |points| {
            let face = Landmarks::new(points);
            alignment.chip(&photograph, &face, &preprocessing).expect("a chip")
        };
        let chip_there = chip(PLACES);
        assert_eq!(chip_there.bytes(), pixels);
        // A quarter turn of the points turns the chip.
        let turned = PLACES.map(|[x, y]| [8.0 - y, x]);
        let expected: Vec<u8> =
            (0..64).map(|index| pixels[8 * (index % 8) + 7 - index / 8]).collect();
        assert_eq!(chip(turned).bytes(), expected);
    }

    #[test]
    fn the_text_is_read_back() {
        let text = "47.8,45.4 101.3,46.5 74.8,79.4 73.7,104";
        let alignment: Alignment = text.parse().expect("an alignment");
        assert_eq!(alignment.to_string(), text);
        for wrong in ["", "1,2 3,4 5,6", "1,2 3,4 5,6 7", "1,1 1,1 1,1 1,1", "NaN,1 2,3 4,5 6,7"] {
            assert_eq!(wrong.parse::<Alignment>(), Err(InvalidAlignment), "{wrong}");
        }
    }
}
