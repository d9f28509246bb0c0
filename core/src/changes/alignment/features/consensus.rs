//! The transform that most matches agree with.

use super::super::equations::Equations;
use super::super::transform::Transform;
use super::description::uniform;
use crate::preprocessing::Point;

/// How many transforms are tried: with a fifth of the matches right, one of 125 is.
const TRIES: usize = 3_000;

/// How far a match may be from its place, in pixels of the scale at which features are searched.
const TOLERANCE: f64 = 4.0;

/// The least number of matches that agree. Fewer may do so by chance.
const LEAST: usize = 8;

/// The transform that most matches agree with, by random samples (M. Fischler and R. Bolles, *Random sample consensus*,
/// 1981), then by least squares. The samples are the same for the same matches. `None` if too few agree.
pub(super) fn consensus(matches: &[[Point; 2]], factor: f64) -> Option<Transform> {
    if matches.len() < LEAST {
        return None;
    }
    let tolerance = (TOLERANCE / factor).powi(2);
    let agreeing = |transform: &Transform| -> Vec<[Point; 2]> {
        matches.iter().copied().filter(|pair| error(transform, pair) < tolerance).collect()
    };
    let mut state = 7;
    let count = |transform: &Transform| {
        matches.iter().filter(|pair| error(transform, pair) < tolerance).count()
    };
    let (mut most, mut best) = (0, None);
    for _ in 0..TRIES {
        let sample = [0; 3].map(|_| {
            let index = (f64::from(uniform(&mut state)) * matches.len() as f64) as usize;
            matches[index.min(matches.len() - 1)]
        });
        if let Some(transform) = fit(&sample).filter(is_plausible) {
            let count = count(&transform);
            if most < count {
                (most, best) = (count, Some(transform));
            }
        }
    }
    // A fit to all of them is better than one to three, and more may agree with it.
    let mut best = best?;
    for _ in 0..5 {
        best = fit(&agreeing(&best)).filter(is_plausible)?;
    }
    (LEAST <= count(&best)).then_some(best)
}

/// The square of the distance of a match from its place.
fn error(transform: &Transform, [after, before]: &[Point; 2]) -> f64 {
    let place = transform.apply(*after);
    (place[0] - before[0]).powi(2) + (place[1] - before[1]).powi(2)
}

/// Whether it can be another view of one scene.
fn is_plausible(transform: &Transform) -> bool {
    let [longest, shortest] = transform.stretches();
    0.5 <= shortest && longest <= 2.0 && longest <= 1.5 * shortest
}

/// The transform with the least sum of squared errors. `None` if the places are on a line.
fn fit(matches: &[[Point; 2]]) -> Option<Transform> {
    let mean = |which: usize, axis: usize| {
        matches.iter().map(|pair| pair[which][axis]).sum::<f64>() / matches.len() as f64
    };
    let [after, before] = [0, 1].map(|which| [0, 1].map(|axis| mean(which, axis)));
    let mut equations = Equations::default();
    for pair in matches {
        let [x, y] = [0, 1].map(|axis| pair[0][axis] - after[axis]);
        equations.add([x, y, 0.0, 0.0, 0.0, 0.0], pair[1][0] - before[0], 1.0);
        equations.add([0.0, 0.0, x, y, 0.0, 0.0], pair[1][1] - before[1], 1.0);
    }
    let [a, b, c, d, _, _] = equations.solve(4)?;
    let shift = |a: f64, b: f64, axis: usize| before[axis] - a * after[0] - b * after[1];
    Some(Transform([[a, b, shift(a, b, 0)], [c, d, shift(c, d, 1)]]))
}
