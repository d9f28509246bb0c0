//! Refines a transform by the intensities.

use super::equations::Equations;
use super::plane::Plane;
use super::transform::Transform;

/// The most places that are compared. More of them do not make the result better.
const PLACES: usize = 40_000;

/// The most steps. Five are usual.
const STEPS: usize = 25;

/// The smallest slope of a relief that can tell a place, per pixel.
const SLOPE: f32 = 0.03;

/// How far a refinement may move a corner, in pixels: beyond that it is lost.
const FARTHEST: f64 = 6.0;

/// A step that moves corners by less is the last, in pixels.
const DONE: f64 = 0.002;

/// What a refinement may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freedom {
    /// The shift alone.
    Shift,
    /// All six numbers.
    Affine,
}

/// Finds the transform of `after` to `before` near `start` with the least sum of squared differences at some
/// [`places`].
///
/// This is the inverse compositional algorithm (S. Baker and I. Matthews, *Lucas-Kanade 20 years on: a unifying
/// framework*, 2004). Each difference has a weight that falls with its size (S. Geman and D. E. `McClure`, 1987), so changed
/// areas do not matter. `None` if there is too little detail, or if it leads too far away.
pub(super) fn refine(
    before: &Plane,
    after: &Plane,
    places: &[[usize; 2]],
    start: &Transform,
    freedom: Freedom,
) -> Option<Transform> {
    let mut transform = *start;
    for _ in 0..STEPS {
        let step = step(before, after, places, &transform, freedom)?;
        transform = transform.after(&step.inverse()?);
        let is_near = transform.distance(start, after.size()) < FARTHEST;
        if !is_near {
            return None;
        }
        if step.distance(&Transform::IDENTITY, after.size()) < DONE {
            break;
        }
    }
    Some(transform)
}

/// Columns and rows of pixels with detail, evenly chosen among all of them: where a refinement compares.
pub(super) fn places(after: &Plane) -> Vec<[usize; 2]> {
    let is_steep = |[column, row]: [usize; 2]| {
        let [x, y] = after.slopes(column, row);
        SLOPE * SLOPE < x * x + y * y
    };
    let inner = |length: usize| 1..length.max(2) - 1;
    let all =
        inner(after.height).flat_map(|row| inner(after.width).map(move |column| [column, row]));
    let count = all.clone().filter(|place| is_steep(*place)).count();
    all.filter(|place| is_steep(*place)).step_by(count.div_ceil(PLACES).max(1)).collect()
}

/// The transform of `after` that brings it nearer to `before` as it is transformed now.
fn step(
    before: &Plane,
    after: &Plane,
    places: &[[usize; 2]],
    transform: &Transform,
    freedom: Freedom,
) -> Option<Transform> {
    let differences: Vec<Option<f32>> = places
        .iter()
        .map(|[column, row]| {
            let place = transform.apply([*column as f64 + 0.5, *row as f64 + 0.5]);
            Some(before.sample(place)? - after.at(*column, *row))
        })
        .collect();
    let spread = f64::from(spread(&differences)?);
    let [width, height] = after.size();
    let half = width.max(height) / 2.0;
    let mut equations = Equations::default();
    for ([column, row], difference) in places.iter().zip(&differences) {
        let Some(difference) = difference.map(f64::from) else { continue };
        let root = 1.0 + (difference / (2.0 * spread)).powi(2);
        let [x, y] = after.slopes(*column, *row).map(f64::from);
        let across = (*column as f64 + 0.5 - width / 2.0) / half;
        let down = (*row as f64 + 0.5 - height / 2.0) / half;
        let slopes = [x, y, x * across, x * down, y * across, y * down];
        equations.add(slopes, difference, (root * root).recip());
    }
    let unknowns = match freedom {
        Freedom::Shift => 2,
        Freedom::Affine => 6,
    };
    let [right, below, turns @ ..] = equations.solve(unknowns)?;
    let turns = [[turns[0], turns[1]], [turns[2], turns[3]]].map(|row| row.map(|part| part / half));
    // The places were taken from the centre.
    let centred = |[across, down]: [f64; 2]| f64::midpoint(across * width, down * height);
    Some(Transform([
        [1.0 + turns[0][0], turns[0][1], right - centred(turns[0])],
        [turns[1][0], 1.0 + turns[1][1], below - centred(turns[1])],
    ]))
}

/// The standard deviation of most differences, by their median. `None` if there are too few.
fn spread(differences: &[Option<f32>]) -> Option<f32> {
    /// Less than this is interpolation.
    const LEAST: f32 = 0.05;
    let mut sizes: Vec<f32> =
        differences.iter().flatten().map(|difference| difference.abs()).collect();
    if sizes.len() < 50 {
        return None;
    }
    let middle = sizes.len() / 2;
    let (_, median, _) = sizes.select_nth_unstable_by(middle, f32::total_cmp);
    Some((1.4826 * *median).max(LEAST))
}
