//! The choice between alignments.

use super::agreement::Agreement;
use super::features::transform;
use super::pair::Pair;
use super::refine::Freedom;
use super::shift::shifts;
use super::transform::Transform;
use super::{Align, AlignmentFailed, AlignmentKind, Placement};
use crate::preprocessing::Photograph;

/// The least confidence of an alignment that is not `none`.
///
/// Measured by `examples/alignment.rs` on pairs of photographs, of which up to a third had changed: 720 of one scene have at
/// least 0.76, and 240 unrelated ones at most 0.06.
const LEAST_CONFIDENCE: f64 = 0.4;

/// How much higher the mean correlation of a less simple alignment must be.
const CLEARLY: f64 = 0.01;

/// How much more the tiles must agree for it, in standard errors. Along straight lines, few tiles can tell a shift: seven
/// that agree only after it are 2.6 standard errors.
const CERTAINLY: f64 = 2.5;

/// Sides shorter than this cannot be aligned, in pixels.
const SHORTEST: u32 = 16;

/// Finds where `after` lies in `before`.
///
/// [`Align::Auto`] takes the simplest kind that explains the images: a less simple one only if they agree clearly better.
/// If no kind is certain, it is [`AlignmentKind::None`] with its low confidence. [`Align::Shift`] and [`Align::Affine`]
/// fail instead.
///
/// The time and the memory are bounded by the size of the photographs, whatever they show.
pub fn align(
    before: &Photograph,
    after: &Photograph,
    how: Align,
) -> Result<Placement, AlignmentFailed> {
    let sizes = [before, after].map(Photograph::size);
    let is_tiny = sizes.as_flattened().iter().any(|side| *side < SHORTEST);
    let is_equal = sizes[0] == sizes[1] && before.bytes() == after.bytes();
    match how {
        Align::Auto | Align::None if is_equal => Ok(unmoved(sizes, 1.0)),
        Align::Auto | Align::None if is_tiny => Ok(unmoved(sizes, 0.0)),
        Align::Shift | Align::Affine if is_tiny => Err(AlignmentFailed { confidence: 0.0 }),
        _ => Search::new(before, after).choose(how).map(|found| found.placement(sizes)),
    }
}

fn unmoved(sizes: [[u32; 2]; 2], confidence: f64) -> Placement {
    placement(AlignmentKind::None, &Transform::IDENTITY, confidence, sizes)
}

fn placement(
    kind: AlignmentKind,
    transform: &Transform,
    confidence: f64,
    [before, after]: [[u32; 2]; 2],
) -> Placement {
    let overlap = transform.cover(after, before.map(f64::from));
    Placement { kind, matrix: transform.0, confidence, overlap }
}

/// An alignment that was found.
struct Found {
    kind: AlignmentKind,
    transform: Transform,
    agreement: Agreement,
    confidence: f64,
}

impl Found {
    fn placement(&self, sizes: [[u32; 2]; 2]) -> Placement {
        placement(self.kind, &self.transform, self.confidence, sizes)
    }

    fn is_certain(&self) -> bool {
        LEAST_CONFIDENCE <= self.confidence
    }

    /// Whether it explains the images clearly better than a simpler alignment.
    fn excels(&self, simpler: &Self) -> bool {
        simpler.agreement.mean() + CLEARLY <= self.agreement.mean()
            && CERTAINLY <= self.agreement.gain(&simpler.agreement)
    }
}

/// The search for an alignment of two photographs.
struct Search<'a> {
    before: &'a Photograph,
    after: &'a Photograph,
    pair: Pair,
    /// Shifts with their mean correlations, the best first.
    shifts: Vec<(Transform, f64)>,
}

impl<'a> Search<'a> {
    fn new(before: &'a Photograph, after: &'a Photograph) -> Self {
        let pair = Pair::new(before, after);
        let level = pair.coarsest();
        let mut shifts: Vec<(Transform, f64)> = shifts(&level.before.plane, &level.after.plane)
            .into_iter()
            .map(|shift| {
                let transform = level.full_shift(shift);
                (transform, pair.agreement(&transform).mean())
            })
            .collect();
        shifts.sort_by(|one, other| other.1.total_cmp(&one.1));
        Self { before, after, pair, shifts }
    }

    fn choose(&self, how: Align) -> Result<Found, AlignmentFailed> {
        let found = match how {
            Align::None => return Ok(self.unmoved()),
            Align::Auto => return Ok(self.simplest()),
            Align::Shift => self.shift(),
            Align::Affine => self.affine(&self.shift()),
        };
        if found.is_certain() {
            Ok(found)
        } else {
            Err(AlignmentFailed { confidence: found.confidence })
        }
    }

    fn simplest(&self) -> Found {
        let unmoved = self.unmoved();
        let shift = self.shift();
        let affine = self.affine(&shift);
        [shift, affine].into_iter().fold(unmoved, |simpler, other| {
            if other.is_certain() && other.excels(&simpler) { other } else { simpler }
        })
    }

    fn unmoved(&self) -> Found {
        let agreement = self.pair.agreement(&Transform::IDENTITY);
        let confidence = agreement.share();
        Found { kind: AlignmentKind::None, transform: Transform::IDENTITY, agreement, confidence }
    }

    /// The best shift.
    fn shift(&self) -> Found {
        let start = self.shifts.first().map_or(Transform::IDENTITY, |(transform, _)| *transform);
        let transform = snapped(&self.pair.refined(&start, Freedom::Shift));
        self.found(AlignmentKind::Shift, transform)
    }

    /// The best affine transform: near the best shift, or as the features are placed.
    fn affine(&self, shift: &Found) -> Found {
        let factor = self.pair.coarsest().after.scale[0];
        let starts = [Some(shift.transform), transform(self.before, self.after, factor)];
        let rated = starts.into_iter().flatten().map(|start| {
            let rough = self.pair.roughly_refined(&start, Freedom::Affine);
            (rough, self.pair.agreement(&rough).mean())
        });
        let (best, _) =
            rated.max_by(|one, other| one.1.total_cmp(&other.1)).expect("the shift is a start");
        self.found(AlignmentKind::Affine, self.pair.refined(&best, Freedom::Affine))
    }

    fn found(&self, kind: AlignmentKind, transform: Transform) -> Found {
        let agreement = self.pair.agreement(&transform);
        let confidence = agreement.share() * self.distinctness(&transform, agreement.mean());
        Found { kind, transform, agreement, confidence }
    }

    /// How clearly a transform is better than all shifts, from 0 to 1. In a repeating pattern, others are as good.
    fn distinctness(&self, transform: &Transform, mean: f64) -> f64 {
        /// Shifts that are nearer to each other are the same, in pixels of the coarsest scale.
        const NEAR: f64 = 4.0;
        let near = NEAR / self.pair.coarsest().after.scale[0];
        let is_other = |other: &Transform| near < other.distance(transform, self.pair.size());
        let rival = self.shifts.iter().find(|(other, _)| is_other(other));
        let rival = rival.map_or(0.0, |(other, rated)| {
            let refined = self.pair.roughly_refined(other, Freedom::Shift);
            let is_rival = is_other(&refined);
            if is_rival { self.pair.agreement(&refined).mean().max(*rated) } else { *rated }
        });
        // The more remains unexplained, the more of a difference is chance.
        let clear = 0.05 + (1.0 - mean) / 4.0;
        ((mean - rival) / clear).clamp(0.0, 1.0)
    }
}

/// A shift by whole pixels if it is close to one: such a shift needs no interpolation.
fn snapped(shift: &Transform) -> Transform {
    /// How far a measured shift may be from the true one, in pixels.
    const CLOSE: f64 = 0.1;
    let [[_, _, x], [_, _, y]] = shift.0;
    let whole = [x.round(), y.round()];
    let is_close = (x - whole[0]).abs() < CLOSE && (y - whole[1]).abs() < CLOSE;
    if is_close { Transform::shift(whole) } else { *shift }
}
