//! Where a photograph is searched for faces, from the cheapest and most common to the rarest.

use super::Face;
use super::detector::{Detector, InvalidDetector, Network};
use super::suppression::{Candidate, Shape, combine, distinct};
use crate::preprocessing::{Landmarks, Photograph, Square};

/// The margin around an image that is a crop around a face. Without one, the near network misses a face that fills the
/// frame. With one, it misses a face that takes up a third of the width of a photograph.
const MARGIN: f64 = 0.3;

/// The longest side of an image that is first taken for such a crop, in pixels.
const CROP: u32 = 256;

/// The score of the near network from which a candidate counts as a face. On photographs of groceries one in a hundred
/// reaches it; on portraits all do.
const SURE: f32 = 0.7;

/// The score from which a face is upright. Of 400 upright portraits, all but a few reach it.
const CLEAR: f32 = 0.85;

/// The score from which a face counts that is upright only after quarter turns. All of 400 portraits reach it upright, and
/// none reaches 0.85 in another direction. Where the chin is cut off, one in fourteen is less unclear in another.
const CERTAIN: f32 = 0.8;

/// The score of the far network from which the near one looks closely.
const POSSIBLE: f32 = 0.4;

/// The part of the square's side from which the points of a face are exact.
const LARGE: f64 = 0.3;

/// The cosine of the largest turn against its square at which the points of a face are exact: 15 degrees.
const LEVEL: f64 = 0.966;

/// The most looks at one candidate.
const LOOKS: usize = 3;

/// Half of the square in which the near network looks closely at a candidate, in parts of its box. The box then takes
/// up as much of the square as that of a portrait.
const CLOSE: f64 = 1.05;

/// The tiles along the longer side in which the far network searches, after the whole.
const TILES: [u32; 2] = [2, 5];

/// As many for faces that are upright only after a quarter turn, which are rarer.
const TURNED_TILES: u32 = 2;

/// The part of a tile that its neighbour has too: a face on the border of one is whole in the other.
const COMMON: f64 = 0.25;

/// The most candidates of one level that are looked at closely, for one face and for all faces. Noise has many.
const FOR_ONE: usize = 24;
const FOR_ALL: usize = 128;

/// The sessions of a search.
pub(super) struct Search {
    near: Network,
    far: Network,
}

impl Search {
    pub(super) fn new(detector: &Detector) -> Result<Self, InvalidDetector> {
        let [near, far] = detector.open()?;
        Ok(Self { near, far })
    }

    /// The faces of the whole photograph, the largest first. They are upright after the same quarter turn.
    pub(super) fn largest(&mut self, photograph: &Photograph) -> ort::Result<Vec<Face>> {
        Ok(faces(self.whole(photograph)?, photograph))
    }

    /// The faces in tiles of a photograph that shows none as a whole, the largest first: upright, then on each quarter
    /// turn.
    pub(super) fn in_tiles(&mut self, photograph: &Photograph) -> ort::Result<Vec<Face>> {
        let upright = TILES.map(|tiles| (0, tiles));
        let turned = (1..4).map(|quarters| (quarters, TURNED_TILES));
        for (quarters, tiles) in upright.into_iter().chain(turned) {
            let found = self.far(photograph, quarters, tiles, FOR_ONE)?;
            if !found.is_empty() {
                return Ok(faces(found, photograph));
            }
        }
        Ok(Vec::new())
    }

    /// A face that a coarser photograph has shown, with more exact points.
    pub(super) fn again(&mut self, photograph: &Photograph, face: &Face) -> ort::Result<Vec<Face>> {
        let [left, top, width, height] = face.area;
        let [start, end] =
            [[left, top], [left + width, top + height]].map(|corner| photograph.reduced(corner));
        let shape = Shape {
            centre: [0, 1].map(|axis| f64::midpoint(start[axis], end[axis])),
            size: [0, 1].map(|axis| end[axis] - start[axis]),
            points: face.points.points().map(|point| photograph.reduced(point)),
        };
        let found =
            self.closely(photograph, vec![Candidate { score: face.score, shape }], None, 1)?;
        Ok(if found.is_empty() { vec![*face] } else { faces(found, photograph) })
    }

    /// All faces, the largest first: on each quarter turn those of the whole and of some tiles, and upright those of all
    /// tiles. The search ends early if it has found `enough`.
    pub(super) fn all(&mut self, photograph: &Photograph, enough: usize) -> ort::Result<Vec<Face>> {
        let mut found = Vec::new();
        'turns: for quarters in 0..4 {
            let tiles = if quarters == 0 { &TILES[..] } else { &[TURNED_TILES] };
            for tiles in [0, 1].iter().chain(tiles) {
                found.extend(match tiles {
                    0 => self.near(photograph, quarters, &margins(photograph))?.0,
                    tiles => self.far(photograph, quarters, *tiles, FOR_ALL)?,
                });
                if enough <= distinct(found.clone()).len() {
                    break 'turns;
                }
            }
        }
        Ok(faces(distinct(found), photograph))
    }

    /// The faces in the whole photograph. The other quarter turns are tried if no face is clear: a face on its side looks
    /// like an unclear one that is upright. They are searched as the upright one was found.
    fn whole(&mut self, photograph: &Photograph) -> ort::Result<Vec<Candidate>> {
        let score = |found: &[Candidate]| found.iter().map(|face| face.score).fold(0.0, f32::max);
        let margins = margins(photograph);
        let (mut best, margins) = self.near(photograph, 0, &margins)?;
        let is_far = best.is_empty();
        if is_far {
            best = self.far(photograph, 0, 1, FOR_ONE)?;
        }
        if score(&best) < CLEAR {
            for quarters in 1..4 {
                let (mut found, _) = self.near(photograph, quarters, margins)?;
                if found.is_empty() && is_far {
                    found = self.far(photograph, quarters, 1, FOR_ONE)?;
                }
                if score(&best) < score(&found) {
                    best = found;
                }
            }
        }
        Ok(best)
    }

    /// The faces that take up a large part of the photograph, and that are upright after quarter turns. The margins are
    /// tried in turn; the second result is the one with which faces were found, or all.
    fn near<'a>(
        &mut self,
        photograph: &Photograph,
        quarters: u8,
        margins: &'a [f64],
    ) -> ort::Result<(Vec<Candidate>, &'a [f64])> {
        for margin in margins.chunks(1) {
            let square = around(photograph, margin[0]).turned(quarters);
            let found = combine(self.near.run(photograph, square, SURE)?);
            // Without a margin, a large face may be cut by the frame.
            let seen_in = (0.0 < margin[0]).then_some(square);
            let found = certain(self.closely(photograph, found, seen_in, FOR_ONE)?, quarters);
            if !found.is_empty() {
                return Ok((found, margin));
            }
        }
        Ok((Vec::new(), margins))
    }

    /// The faces in tiles of the photograph, `tiles` of them along its longer side, that are upright after quarter turns.
    /// Of the candidates, `most` are looked at.
    fn far(
        &mut self,
        photograph: &Photograph,
        quarters: u8,
        tiles: u32,
        most: usize,
    ) -> ort::Result<Vec<Candidate>> {
        let mut possible = Vec::new();
        for square in squares(photograph, tiles, self.far.side()) {
            possible.extend(self.far.run(photograph, square.turned(quarters), POSSIBLE)?);
        }
        let found = self.closely(photograph, combine(possible), None, most)?;
        Ok(certain(found, quarters))
    }

    /// The faces among candidates of a square of the near network, or of the far network. The near network looks at each
    /// of the `most` surest closely, until its points are exact.
    fn closely(
        &mut self,
        photograph: &Photograph,
        candidates: Vec<Candidate>,
        seen_in: Option<Square>,
        most: usize,
    ) -> ort::Result<Vec<Candidate>> {
        let mut found = Vec::new();
        for candidate in candidates.into_iter().take(most) {
            let (mut face, mut square) = (Some(candidate), seen_in);
            for _ in 0..LOOKS {
                let Some(Candidate { shape, .. }) = face else { break };
                if square.is_some_and(|square| is_exact(&shape, square)) {
                    break;
                }
                let half = shape.longer() * CLOSE;
                let closer = Square { centre: shape.centre, half, angle: shape.angle() };
                let seen = self.near.run(photograph, closer, SURE)?;
                // Of several faces, it is the one that fills the square.
                face = combine(seen)
                    .into_iter()
                    .max_by(|one, other| one.shape.area().total_cmp(&other.shape.area()));
                square = Some(closer);
            }
            found.extend(face);
        }
        Ok(combine(found))
    }
}

/// The candidates that count if they are upright only after quarter turns.
fn certain(mut found: Vec<Candidate>, quarters: u8) -> Vec<Candidate> {
    found.retain(|candidate| quarters == 0 || CERTAIN <= candidate.score);
    found
}

/// Whether the points of a face that was seen in a square are exact.
fn is_exact(shape: &Shape, square: Square) -> bool {
    let turn = shape.angle() - square.angle;
    LARGE * 2.0 * square.half <= shape.longer() && LEVEL <= turn.cos()
}

/// The margins in which a face is searched in turn.
fn margins(photograph: &Photograph) -> [f64; 2] {
    let [width, height] = photograph.size();
    if width.max(height) <= CROP { [MARGIN, 0.0] } else { [0.0, MARGIN] }
}

/// The whole photograph with a margin.
fn around(photograph: &Photograph, margin: f64) -> Square {
    let [width, height] = photograph.size().map(f64::from);
    Square {
        centre: [width / 2.0, height / 2.0],
        half: width.max(height) * (0.5 + margin),
        angle: 0.0,
    }
}

/// Tiles that cover the photograph. There are none if they would be smaller than the detector's input, `least` pixels:
/// a face in them would be too small to be recognised.
fn squares(photograph: &Photograph, tiles: u32, least: u32) -> Vec<Square> {
    if tiles == 1 {
        return vec![around(photograph, 0.0)];
    }
    let sides = photograph.size().map(f64::from);
    let longer = sides[0].max(sides[1]);
    let own = 1.0 - COMMON;
    let side = longer / (1.0 + f64::from(tiles - 1) * own);
    if side < f64::from(least) {
        return Vec::new();
    }
    let centres = |length: f64| -> Vec<f64> {
        if length <= side {
            return vec![length / 2.0];
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few tiles")]
        let steps = ((length - side) / (own * side) - 1e-9).ceil() as u32;
        let step = (length - side) / f64::from(steps);
        (0..=steps).map(|index| side / 2.0 + f64::from(index) * step).collect()
    };
    let (columns, rows) = (centres(sides[0]), centres(sides[1]));
    let row = |y: f64| {
        columns.iter().map(move |x| Square { centre: [*x, y], half: side / 2.0, angle: 0.0 })
    };
    rows.into_iter().flat_map(row).collect()
}

/// Whether two faces of one image are the same.
pub(super) fn is_same(one: &Face, other: &Face) -> bool {
    let shape = |Face { area: [left, top, width, height], points, .. }: &Face| Shape {
        centre: [left + width / 2.0, top + height / 2.0],
        size: [*width, *height],
        points: points.points(),
    };
    shape(one).shows_face_of(&shape(other))
}

/// Candidates as faces of the full image, the largest first.
fn faces(found: Vec<Candidate>, photograph: &Photograph) -> Vec<Face> {
    let mut found = combine(found);
    found.sort_by(|one, other| other.shape.area().total_cmp(&one.shape.area()));
    let face = |Candidate { score, shape }: Candidate| {
        let corner = |sign: f64| {
            let corner = [0, 1].map(|axis| shape.centre[axis] + sign * shape.size[axis] / 2.0);
            photograph.enlarged(corner)
        };
        let [start, end] = [corner(-1.0), corner(1.0)];
        let points = shape.points.map(|point| photograph.enlarged(point).map(tenths));
        let points = Landmarks::new(points);
        let sharpness = photograph.sharpness(&Landmarks::new(shape.points)).unwrap_or(0.0);
        Face {
            area: [start[0], start[1], end[0] - start[0], end[1] - start[1]].map(tenths),
            points,
            score,
            roll: tenths(points.roll()),
            yaw: points.yaw().round(),
            sharpness: (100.0 * sharpness).round() / 100.0,
            searched_width: shape.size[0],
        }
    };
    found.into_iter().map(face).collect()
}

/// Rounded to tenths: the detector is no more exact.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::{Detail, Limits};

    fn photograph(width: u32, height: u32) -> Photograph {
        let pixels = vec![0; width as usize * height as usize];
        let upload = [format!("P5 {width} {height} 255\n").as_bytes(), &pixels].concat();
        Photograph::decode(&upload, &Limits::default(), Detail::Fine).expect("a photograph")
    }

    #[test]
    fn tiles_cover_the_photograph() {
        for (size, tiles, expected) in
            [((1000, 750), 2, 4), ((1000, 500), 2, 2), ((1000, 750), 5, 20), ((2000, 10), 5, 5)]
        {
            let squares = squares(&photograph(size.0, size.1), tiles, 100);
            assert_eq!(squares.len(), expected, "{size:?} in {tiles}");
            for (axis, length) in [size.0, size.1].into_iter().enumerate() {
                let covers = |place: u32| {
                    let distance = |tile: &Square| (f64::from(place) - tile.centre[axis]).abs();
                    squares.iter().any(|tile| distance(tile) <= tile.half + 1e-9)
                };
                assert!((0..=length).all(covers));
            }
        }
    }

    #[test]
    fn a_small_photograph_is_not_cut_into_tiles() {
        assert!(squares(&photograph(300, 200), 2, 192).is_empty());
        assert_eq!(squares(&photograph(300, 200), 1, 192).len(), 1);
    }
}
