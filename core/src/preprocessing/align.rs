//! Alignment: cuts a face out of a photograph so that its eyes, nose and mouth are at given places.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::photograph::{Photograph, Point, float};
use super::similarity::Similarity;
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
#[serde(transparent)]
pub struct Alignment(Landmarks);

/// The text is not an [`Alignment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "it must be four different points such as `48,45 101,46 75,79 74,104`: two eyes, nose and mouth"
)]
pub struct InvalidAlignment;

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

    /// An estimate of how far the head is turned, in degrees: positive if the nose points to the right eye's side, which
    /// is the right of an upright image.
    ///
    /// In a head turned by an angle `t`, the tip of the nose, which lies a depth `d` in front of the eyes, moves by
    /// `d·sin(t)` along the line from eye to eye, and half the distance of the eyes, `e`, shrinks to `e·cos(t)`. Their
    /// ratio is `d/e·tan(t)`.
    pub fn yaw(&self) -> f64 {
        /// The depth of the nose in halves of the distance of the eyes. It is 1.27 in a head (in the canonical face of
        /// `MediaPipe`), but the points of its detector follow only a part of a turn: fitted to portraits that were
        /// turned by known angles.
        const DEPTH: f64 = 0.75;
        let half = [0, 1].map(|axis| (self.right_eye[axis] - self.left_eye[axis]) / 2.0);
        let nose = [0, 1]
            .map(|axis| self.nose[axis] - f64::midpoint(self.left_eye[axis], self.right_eye[axis]));
        let along = nose[0] * half[0] + nose[1] * half[1];
        let square = half[0] * half[0] + half[1] * half[1];
        (along / DEPTH).atan2(square).to_degrees()
    }
}

impl Alignment {
    /// Whether the points can be a face in an input: within it, the eyes from left to right, and apart from each other.
    pub fn is_a_face_in(&self, preprocessing: &Preprocessing) -> bool {
        /// The smallest distance of the eyes, and of the mouth from them, in parts of the input.
        const LEAST: f64 = 0.05;
        let [_, height, width] = preprocessing.shape();
        let [width, height] = [width, height].map(float);
        let is_within = |[x, y]: Point| (0.0..=width).contains(&x) && (0.0..=height).contains(&y);
        let Landmarks { left_eye, right_eye, mouth, .. } = self.0;
        self.0.points().into_iter().all(is_within)
            && left_eye[0] + LEAST * width <= right_eye[0]
            && left_eye[1].max(right_eye[1]) + LEAST * height <= mouth[1]
    }

    /// The same places in an input of another size.
    #[must_use]
    pub fn scaled(&self, columns: f64, rows: f64) -> Self {
        Self(Landmarks::new(self.0.points().map(|[x, y]| [x * columns, y * rows])))
    }

    /// Cuts the face with these points out of a photograph, as planes of the model's input. Also returns how many pixels
    /// of the photograph one pixel of the input is wide. `None` if the points do not determine a place.
    ///
    /// The transform is the similarity with the least sum of squared distances from the points to their places.
    pub fn chip(
        &self,
        photograph: &Photograph,
        face: &Landmarks,
        preprocessing: &Preprocessing,
    ) -> Option<(Planes, f64)> {
        let placing = Similarity::between(&self.0.points(), &face.points())?;
        let [_, height, width] = preprocessing.shape();
        let planes = photograph.warped(&placing, [width, height], preprocessing.colour);
        Some((Planes::new(planes), placing.scale()))
    }
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
        Similarity::between(&points, &points).ok_or(InvalidAlignment)?;
        Ok(Self(Landmarks::new(points)))
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
    use super::super::{Colour, Detail, Fit, Limits};
    use super::*;

    const PLACES: [Point; 4] = [[2.0, 2.0], [6.0, 2.0], [4.0, 4.0], [4.0, 6.0]];

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
        let photograph =
            Photograph::decode(&upload, &Limits::default(), Detail::Fine).expect("a photograph");
        let alignment = Alignment(Landmarks::new(PLACES));
        let chip = |points| {
            let face = Landmarks::new(points);
            alignment.chip(&photograph, &face, &preprocessing).expect("a chip").0
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
    fn the_nose_shows_where_a_head_is_turned() {
        let turned = |eye: [f64; 2], nose: [f64; 2]| {
            let [other, mouth] = [eye.map(|part| -part), [0.0, 9.0]];
            Landmarks::new([other, eye, nose, mouth]).yaw()
        };
        assert!(turned([4.0, 0.0], [0.0, 3.0]).abs() < 1e-9);
        // 45 degrees: the nose moves by its depth when the eyes have the distance that they show.
        assert!((turned([4.0, 0.0], [3.0, 3.0]) - 45.0).abs() < 1e-9);
        assert!((turned([4.0, 0.0], [-3.0, 3.0]) + 45.0).abs() < 1e-9);
        // The same head on its side, turned clockwise.
        assert!((turned([0.0, 4.0], [-3.0, 3.0]) - 45.0).abs() < 1e-9);
        // Eyes at one place give no direction.
        assert!(turned([0.0, 0.0], [3.0, 3.0]).is_finite());
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
