//! Transforms, by features: corners whose surroundings are found again.

mod consensus;
mod corners;
mod description;

use consensus::consensus;
use corners::corners;
use description::{Bits, Pattern, smooth};

use super::pair::Scaled;
use super::transform::Transform;
use crate::preprocessing::{Photograph, Point};

/// By how much each scale is smaller than the one before it.
const STEP: f64 = 0.8;

/// How many scales are searched: with four, images are found from half to double the size.
const SCALES: i32 = 4;

/// How many corners each scale may have.
const CORNERS: [usize; SCALES as usize] = [400, 300, 225, 175];

/// A corner, and what its surroundings look like.
struct Feature {
    /// In pixels of the photograph.
    place: Point,
    bits: Bits,
}

/// The transform of `after` to `before` that most features agree with. `None` if there is no clear one.
///
/// `factor` is the scale at which features are searched, at most 1.
pub(super) fn transform(before: &Photograph, after: &Photograph, factor: f64) -> Option<Transform> {
    let [before, after] = [before, after].map(|photograph| features(photograph, factor));
    consensus(&matches(&before, &after), factor)
}

fn features(photograph: &Photograph, factor: f64) -> Vec<Feature> {
    let pattern = Pattern::new();
    let mut features = Vec::new();
    for (scale, most) in (0..SCALES).zip(CORNERS) {
        let Scaled { plane, scale } = Scaled::of(photograph, factor * STEP.powi(scale));
        let smooth = smooth(&plane);
        features.extend(corners(&plane, Pattern::REACH, most).into_iter().map(|[column, row]| {
            let place = [(column as f64 + 0.5) / scale[0], (row as f64 + 0.5) / scale[1]];
            Feature { place, bits: pattern.describe(&smooth, [column, row]) }
        }));
    }
    features
}

/// Places of `after` and `before` that look alike, and like no other place.
fn matches(before: &[Feature], after: &[Feature]) -> Vec<[Point; 2]> {
    /// The most bits of 256 that may differ. Half of them differ by chance.
    const FARTHEST: u32 = 80;
    let mut nearest_after = vec![(u32::MAX, 0); before.len()];
    let mut nearest_before = Vec::with_capacity(after.len());
    let mut distances = vec![0; before.len()];
    for (index, feature) in after.iter().enumerate() {
        for ((distance, other), nearest) in distances.iter_mut().zip(before).zip(&mut nearest_after)
        {
            *distance = feature.bits.distance(&other.bits);
            *nearest = (*nearest).min((*distance, index));
        }
        nearest_before.push(nearest(&distances, before));
    }
    let both = nearest_before.iter().zip(after).enumerate();
    both.filter_map(|(index, (nearest, feature))| {
        let (distance, other) = (*nearest)?;
        let is_mutual = nearest_after[other].1 == index;
        (distance <= FARTHEST && is_mutual).then(|| [feature.place, before[other].place])
    })
    .collect()
}

/// The nearest of some features and its distance. `None` if another one at another place is nearly as near.
fn nearest(distances: &[u32], features: &[Feature]) -> Option<(u32, usize)> {
    /// Features nearer than this are one thing at several scales, in pixels of the photograph.
    const SAME: f64 = 8.0;
    let (index, distance) = distances.iter().enumerate().min_by_key(|(_, distance)| **distance)?;
    let place = features[index].place;
    let is_elsewhere =
        |other: &Feature| SAME < (other.place[0] - place[0]).hypot(other.place[1] - place[1]);
    // Another is nearly as near if it differs in less than a quarter more bits.
    let is_rival = |other: u32| 4 * other < 5 * distance;
    let others = distances.iter().zip(features);
    let is_ambiguous =
        others.clone().any(|(other, feature)| is_rival(*other) && is_elsewhere(feature));
    (!is_ambiguous).then_some((*distance, index))
}
