//! The two photographs at several scales.

use super::agreement::Agreement;
use super::plane::Plane;
use super::refine::{Freedom, places, refine};
use super::relief::relief;
use super::transform::Transform;
use crate::preprocessing::{Colour, Photograph, Point};

/// The greatest area in which shifts and features are searched, in pixels. Larger images are halved.
const SEARCHED: usize = 700 * 700;

/// Two reliefs at several scales: each has half the sides of the one before it.
pub(super) struct Pair {
    levels: Vec<Level>,
    /// Columns and rows of `after`.
    size: [f64; 2],
}

/// Two reliefs at one scale.
pub(super) struct Level {
    pub(super) before: Scaled,
    pub(super) after: Scaled,
    /// Where they are compared.
    places: Vec<[usize; 2]>,
}

/// A relief at some scale.
pub(super) struct Scaled {
    pub(super) plane: Plane,
    /// The length of a pixel of the photograph, along columns and rows.
    pub(super) scale: [f64; 2],
}

impl Pair {
    pub(super) fn new(before: &Photograph, after: &Photograph) -> Self {
        let level = |halvings: u32| {
            let factor = f64::from(1 << halvings).recip();
            let [before, after] = [before, after].map(|photograph| Scaled::of(photograph, factor));
            let places = places(&after.plane);
            Level { before, after, places }
        };
        let [one, other] = [before.size(), after.size()];
        let [width, height] = [0, 1].map(|axis| one[axis].max(other[axis]) as usize);
        let halvings =
            (0..).take_while(|halvings| SEARCHED < (width >> halvings) * (height >> halvings));
        let levels = (0..=halvings.count() as u32).map(level).collect();
        Self { levels, size: other.map(f64::from) }
    }

    /// The reliefs in which shifts and features are searched.
    pub(super) fn coarsest(&self) -> &Level {
        self.levels.last().expect("there is at least the full scale")
    }

    /// Columns and rows of `after`.
    pub(super) fn size(&self) -> [f64; 2] {
        self.size
    }

    /// How well the reliefs agree after a transform.
    pub(super) fn agreement(&self, transform: &Transform) -> Agreement {
        let level = self.coarsest();
        Agreement::of(&level.before.plane, &level.after.plane, &level.scaled(transform))
    }

    /// Refines a transform at the coarsest scale.
    pub(super) fn roughly_refined(&self, transform: &Transform, freedom: Freedom) -> Transform {
        self.coarsest().refined(transform, freedom)
    }

    /// Refines a transform up to the full resolution.
    pub(super) fn refined(&self, transform: &Transform, freedom: Freedom) -> Transform {
        let levels = self.levels.iter().rev();
        levels.fold(*transform, |transform, level| level.refined(&transform, freedom))
    }
}

impl Level {
    /// A transform of the photographs, between these reliefs.
    fn scaled(&self, transform: &Transform) -> Transform {
        transform.scaled(self.after.scale, self.before.scale)
    }

    /// A shift of these reliefs, between the photographs.
    pub(super) fn full_shift(&self, shift: Point) -> Transform {
        // The scales of both are equal but for rounding, which would make it more than a shift.
        Transform::shift([0, 1].map(|axis| shift[axis] / self.after.scale[axis]))
    }

    /// Refines a transform of the photographs. It stays as it is if this leads nowhere.
    fn refined(&self, transform: &Transform, freedom: Freedom) -> Transform {
        let Self { before, after, places } = self;
        match refine(&before.plane, &after.plane, places, &self.scaled(transform), freedom) {
            Some(refined) => {
                refined.scaled(after.scale.map(f64::recip), before.scale.map(f64::recip))
            }
            None => *transform,
        }
    }
}

impl Scaled {
    /// The relief of a photograph whose sides are scaled by a factor of at most 1.
    pub(super) fn of(photograph: &Photograph, factor: f64) -> Self {
        let sides = photograph.size();
        let size = sides.map(|side| (f64::from(side) * factor).round().max(1.0) as u32);
        let [width, height] = size.map(|side| side as usize);
        let plane = relief(&photograph.planes(size, Colour::Grey), [width, height]);
        Self { plane, scale: [0, 1].map(|axis| f64::from(size[axis]) / f64::from(sides[axis])) }
    }
}
