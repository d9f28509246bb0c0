//! An upright image as large as the search for a face or for changes needs it.

use std::f64::consts::FRAC_PI_2;

use serde::{Deserialize, Serialize};

use super::area::Area;
use super::colour::Colour;
use super::decode::{Goal, decode, guard};
use super::fit::{Part, Size};
use super::resize::resize_part;
use super::samples::{Image, Samples};
use super::similarity::Similarity;
use super::{DecodeError, Limits};

/// The longest side of a photograph, in pixels. Larger images are reduced.
const LONGEST: u32 = 2_080;

/// How much of an image a decoder may leave out for a photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    /// Enough for a face that takes up a fifth of the image.
    Coarse,
    /// Enough for small faces.
    Fine,
    /// All that a photograph can hold.
    Full,
    /// Enough for a face in the middle of this area of the upright image. A JPEG is decoded only there.
    Of(Area),
}

impl Detail {
    /// How many times a decoder may halve the sides of an image whose longer side has this many pixels.
    pub(super) fn halvings(self, longest: u32) -> u32 {
        let least = match self {
            Self::Coarse => 480,
            Self::Fine => 1_040,
            Self::Full => LONGEST,
            Self::Of(_) => 600,
        };
        (1..=3).rev().find(|halvings| least <= longest >> halvings).unwrap_or(0)
    }
}

/// A place in an image: columns from the left, rows from the top, in pixels.
pub type Point = [f64; 2];

/// An upright image of at most 2080 pixels a side, in which faces or changes are searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photograph {
    image: Image,
    /// The size of the whole image before it was reduced.
    full: Size,
    /// The area of the whole image that it shows.
    area: Area,
    /// Whether a decode of a part has more detail.
    is_coarse: bool,
}

/// What the bytes of a photograph are.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PhotographForm {
    /// Columns and rows.
    pub size: [u32; 2],
    /// Columns and rows of the whole image before it was reduced.
    pub full: [u32; 2],
    /// The area of the whole image that it shows.
    pub area: Area,
    /// Whether a decode of a part has more detail.
    pub is_coarse: bool,
}

/// A square area of a photograph, in its pixels. It may extend beyond the photograph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Square {
    /// The centre.
    pub centre: Point,
    /// Half of the side; positive.
    pub half: f64,
    /// How far it is turned around its centre, clockwise, in radians.
    pub angle: f64,
}

impl Square {
    /// The same area, turned clockwise by quarter turns.
    #[must_use]
    pub fn turned(self, quarters: u8) -> Self {
        Self { angle: self.angle + f64::from(quarters) * FRAC_PI_2, ..self }
    }
}

impl Photograph {
    /// Decodes an upload, turns it upright, and reduces it.
    pub fn decode(upload: &[u8], limits: &Limits, detail: Detail) -> Result<Self, DecodeError> {
        guard(|| Ok(Self::of(decode(upload, limits, Goal::Photograph(detail))?)))
    }

    fn of(image: Image) -> Self {
        let (area, full) = image.part();
        let is_coarse = 0 < image.halvings();
        let image = Image::new(image.into_samples());
        let size = image.size();
        let longest = size.width.max(size.height);
        if longest <= LONGEST {
            return Self { image, full, area, is_coarse };
        }
        let reduce = |side: u32| (u64::from(side) * u64::from(LONGEST)).div_ceil(longest.into());
        let [width, height] = [size.width, size.height]
            .map(|side| u32::try_from(reduce(side)).expect("a reduced side is shorter"));
        let size = Size { width, height };
        let planes = resize_part(&image, Colour::Rgb, Part::whole(image.size()), size);
        Self { image: Image::new(Samples::of_planes(planes, size)), full, area, is_coarse }
    }

    /// Takes the bytes of a photograph that another process decoded; `None` if the sizes do not match.
    pub fn of_bytes(bytes: Vec<u8>, form: PhotographForm) -> Option<Self> {
        let PhotographForm { size: [width, height], full, area, is_coarse } = form;
        if LONGEST < width.max(height) || full.contains(&0) || area.width == 0 || area.height == 0 {
            return None;
        }
        let samples = Samples::of_bytes(bytes, Size { width, height })?;
        let [width, height] = full;
        let full = Size { width, height };
        Some(Self { image: Image::new(samples), full, area, is_coarse })
    }

    /// A photograph of planes of `size` (columns and rows): one, or red, green and blue.
    ///
    /// # Panics
    ///
    /// If the number of bytes does not match.
    pub fn of_planes(planes: Vec<u8>, [width, height]: [u32; 2]) -> Self {
        let full = Size { width, height };
        let image = Image::new(Samples::of_planes(planes, full));
        Self { image, full, area: Area::whole(full), is_coarse: false }
    }

    /// What another process must know besides the bytes.
    pub fn form(&self) -> PhotographForm {
        let (size, full) = (self.size(), self.full_size());
        PhotographForm { size, full, area: self.area, is_coarse: self.is_coarse }
    }

    /// Whether a decode of a part has more detail.
    pub fn is_coarse(&self) -> bool {
        self.is_coarse
    }

    /// The bytes: one for each pixel of a grey photograph, else three.
    pub fn bytes(&self) -> &[u8] {
        self.image.bytes()
    }

    /// The most bytes of any photograph.
    pub const fn max_bytes() -> usize {
        3 * LONGEST as usize * LONGEST as usize
    }

    /// Whether it has one channel.
    pub fn is_grey(&self) -> bool {
        self.image.planes(Colour::Rgb) == 1
    }

    /// Columns and rows.
    pub fn size(&self) -> [u32; 2] {
        let Size { width, height } = self.image.size();
        [width, height]
    }

    /// Columns and rows of the whole image before it was reduced.
    pub fn full_size(&self) -> [u32; 2] {
        [self.full.width, self.full.height]
    }

    /// Where a point of the full image is in the photograph.
    pub fn reduced(&self, point: Point) -> Point {
        let (size, [start, full]) = (self.size().map(f64::from), self.shown());
        [0, 1].map(|axis| (point[axis] - start[axis]) * size[axis] / full[axis])
    }

    /// Where a point of the photograph is in the full image.
    pub fn enlarged(&self, point: Point) -> Point {
        let (size, [start, full]) = (self.size().map(f64::from), self.shown());
        [0, 1].map(|axis| start[axis] + point[axis] * full[axis] / size[axis])
    }

    /// The first point of the full image that it shows, and how much from there.
    fn shown(&self) -> [Point; 2] {
        let Area { left, top, width, height } = self.area;
        [[left, top], [width, height]].map(|point| point.map(f64::from))
    }

    /// The photograph, resized by the antialiased triangle filter. At its own size it is unchanged.
    ///
    /// # Shapes
    ///
    /// Planes `[height, width]`: one of a grey photograph, or if `colour` is grey; else red, green and blue.
    ///
    /// # Panics
    ///
    /// If a side is 0.
    pub fn planes(&self, [width, height]: [u32; 2], colour: Colour) -> Vec<u8> {
        assert!(0 < width && 0 < height, "a plane has pixels");
        let whole = Part::whole(self.image.size());
        resize_part(&self.image, colour, whole, Size { width, height })
    }

    /// A square area, resized to `side` pixels by the antialiased triangle filter. It is black beyond the photograph.
    ///
    /// # Shapes
    ///
    /// Planes `[side, side]`: one of a grey photograph, or if `colour` is grey; else red, green and blue.
    pub fn square(&self, area: Square, side: u32, colour: Colour) -> Vec<u8> {
        #[expect(clippy::float_cmp, reason = "only whole quarter turns need no interpolation")]
        let quarters = (0..4_u8).find(|quarters| f64::from(*quarters) * FRAC_PI_2 == area.angle);
        if let Some(quarters) = quarters {
            return turned(self.upright_square(area, side, colour), side as usize, quarters);
        }
        let Square { centre, half, angle } = area;
        let placing = Similarity::onto(centre, half, angle, f64::from(side));
        self.warped(&placing, [side as usize; 2], colour)
    }

    pub(super) fn upright_square(&self, area: Square, side: u32, colour: Colour) -> Vec<u8> {
        let start = area.centre.map(|place| place - area.half);
        self.rectangle(start, [2.0 * area.half; 2], [side; 2], colour)
    }

    /// A rectangle from `start` of `size` pixels, resized to `target` (columns and rows) by the antialiased triangle filter.
    /// It is black beyond the photograph.
    ///
    /// # Shapes
    ///
    /// Planes `[rows, columns]`: one of a grey photograph, or if `colour` is grey; else red, green and blue.
    pub fn rectangle(
        &self,
        start: Point,
        size: Point,
        target: [u32; 2],
        colour: Colour,
    ) -> Vec<u8> {
        let [width, height] = target.map(|side| side as usize);
        let mut planes = vec![0; self.image.planes(colour) * width * height];
        let lengths = self.size();
        let spans = [0, 1].map(|axis| {
            let step = size[axis] / f64::from(target[axis]);
            Span::of(start[axis], step, target[axis], lengths[axis])
        });
        let [Some(columns), Some(rows)] = spans else { return planes };
        let part = Part { columns: columns.source, rows: rows.source };
        let inside = Size { width: columns.length(), height: rows.length() };
        let resized = resize_part(&self.image, colour, part, inside);
        let inner_width = inside.width as usize;
        let inner = resized.chunks_exact(inner_width * inside.height as usize);
        for (plane, inner) in planes.chunks_exact_mut(width * height).zip(inner) {
            let lines = plane.chunks_exact_mut(width).skip(rows.target[0] as usize);
            for (line, source) in lines.zip(inner.chunks_exact(inner_width)) {
                line[columns.target[0] as usize..][..inner_width].copy_from_slice(source);
            }
        }
        planes
    }
}

/// What planes of a square area are if it is turned clockwise by quarter turns.
fn turned(planes: Vec<u8>, side: usize, quarters: u8) -> Vec<u8> {
    if quarters == 0 {
        return planes;
    }
    let last = side - 1;
    let mut all = Vec::with_capacity(planes.len());
    for plane in planes.chunks_exact(side * side) {
        for row in 0..side {
            all.extend((0..side).map(|column| {
                let [column, row] = match quarters {
                    1 => [last - row, column],
                    2 => [last - column, last - row],
                    _ => [row, last - column],
                };
                plane[row * side + column]
            }));
        }
    }
    all
}

/// A number of pixels.
pub(super) fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a side has at most 4096 pixels"))
}

/// The positions of a square's side that lie within the photograph, and the pixels that they cover.
struct Span {
    target: [u32; 2],
    source: [f32; 2],
}

impl Span {
    /// `None` if no whole position lies within.
    fn of(start: f64, step: f64, side: u32, length: u32) -> Option<Self> {
        let length = f64::from(length);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let position = |place: f64| (place.max(0.0) as u32).min(side);
        let first = position((-start / step).ceil());
        let end = position(((length - start) / step).floor());
        #[expect(clippy::cast_possible_truncation, reason = "a photograph has at most 2080 pixels")]
        let pixel = |position: u32| (start + f64::from(position) * step).clamp(0.0, length) as f32;
        let source = [first, end].map(pixel);
        (first < end && source[0] < source[1]).then_some(Self { target: [first, end], source })
    }

    fn length(&self) -> u32 {
        self.target[1] - self.target[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey photograph of 4 columns and 2 rows.
    fn small() -> Photograph {
        let upload = b"P5 4 2 255\n\x01\x02\x03\x04\x05\x06\x07\x08";
        Photograph::decode(upload, &Limits::default(), Detail::Fine).expect("a photograph")
    }

    #[test]
    fn a_square_beyond_the_photograph_is_black() {
        let area = Square { centre: [0.0, 1.0], half: 2.0, angle: 0.0 };
        let planes = small().square(area, 4, Colour::Rgb);
        assert_eq!(planes, [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 5, 6], [0, 0, 0, 0]].concat());
        let outside = Square { centre: [-9.0, 1.0], half: 2.0, angle: 0.0 };
        assert_eq!(small().square(outside, 2, Colour::Rgb), [0; 4]);
    }

    #[test]
    fn a_square_is_turned_clockwise() {
        let area = Square { centre: [2.0, 1.0], half: 1.0, angle: 0.0 };
        let turned = |quarters| small().square(area.turned(quarters), 2, Colour::Grey);
        let [upright, quarter, half, three] = [0, 1, 2, 3].map(turned);
        assert_eq!(upright, [2, 3, 6, 7]);
        // Its upper edge is the right edge of the upright square.
        assert_eq!(quarter, [3, 7, 2, 6]);
        assert_eq!(half, [7, 6, 3, 2]);
        assert_eq!(three, [6, 2, 7, 3]);
    }

    #[test]
    fn a_large_image_is_reduced() {
        let upload = [&b"P5 4160 10 255\n"[..], &vec![7; 41_600]].concat();
        let photograph =
            Photograph::decode(&upload, &Limits::default(), Detail::Fine).expect("a photograph");
        assert_eq!((photograph.size(), photograph.full_size()), ([2080, 5], [4160, 10]));
        assert!(photograph.bytes().iter().all(|byte| *byte == 7));
    }

    #[test]
    fn an_area_of_a_jpeg_shows_what_the_whole_shows_there() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/images");
        let upload = std::fs::read(format!("{folder}/reduced-orientation-6.jpg"));
        let upload = upload.expect("an image");
        let decode =
            |detail| Photograph::decode(&upload, &Limits::default(), detail).expect("a photograph");
        let whole = decode(Detail::Full);
        let [width, height] = whole.size();
        for [x, y] in [[0.0, 0.0], [200.0, 300.0], [396.0, 520.0]] {
            let part = decode(Detail::Of(Area::around([x, y], 20.0)));
            assert_eq!(part.full_size(), [width, height]);
            assert!(part.size()[0] < 100 && part.size()[1] < 100, "{:?}", part.size());
            let shown = |photograph: &Photograph| {
                let centre = photograph.reduced([x, y]);
                photograph.square(Square { centre, half: 16.0, angle: 0.0 }, 32, Colour::Rgb)
            };
            assert_eq!(shown(&part), shown(&whole), "{x}, {y}");
            let [back_x, back_y] = part.enlarged(part.reduced([x, y]));
            assert!((back_x - x).abs() < 1e-9 && (back_y - y).abs() < 1e-9);
        }
    }

    #[test]
    fn any_area_of_any_image_is_decoded_as_the_whole_is() {
        let mut random = fastrand::Rng::with_seed(5);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/images");
        for file in std::fs::read_dir(folder).expect("fixtures") {
            let path = file.expect("a file").path();
            let upload = std::fs::read(&path).expect("bytes");
            let decode = |detail| Photograph::decode(&upload, &Limits::default(), detail);
            let whole = decode(Detail::Full);
            for _ in 0..20 {
                let [left, top, width, height] = [0; 4].map(|_: u32| random.u32(..600));
                let part = decode(Detail::Of(Area { left, top, width, height }));
                match (&whole, part) {
                    (Ok(whole), Ok(part)) => {
                        assert_eq!(part.full_size(), whole.full_size(), "{path:?}");
                        assert!(part.size()[0] <= whole.size()[0], "{path:?}");
                    }
                    (Ok(_), Err(err)) => panic!("{path:?}: {err}"),
                    (Err(_), part) => {
                        let failed = matches!(part, Err(DecodeError::DecoderFailed(_)));
                        assert!(!failed, "{path:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_of_another_process_must_match_their_size() {
        let taken = |length, size, full| {
            let [width, height] = full;
            let area = Area { left: 0, top: 0, width, height };
            let form = PhotographForm { size, full, area, is_coarse: false };
            Photograph::of_bytes(vec![0; length], form)
        };
        assert!(taken(6, [3, 2], [3, 2]).is_some());
        assert!(taken(18, [3, 2], [30, 20]).is_some());
        for (length, size, full) in [
            (7, [3, 2], [3, 2]),
            (0, [0, 2], [3, 2]),
            (6, [3, 2], [0, 2]),
            (2081, [2081, 1], [9, 9]),
        ] {
            assert_eq!(taken(length, size, full), None);
        }
    }
}
