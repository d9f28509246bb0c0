//! Corners: places that differ from their surroundings in all directions.

use super::super::plane::Plane;

/// How far the slopes around a place count, in pixels.
const REACH: usize = 2;

/// The least response of a corner.
const LEAST: f32 = 0.1;

/// Columns and rows of the clearest corners, spread over the image. They are at least `margin` pixels from its edges.
///
/// The response is the smaller eigenvalue of the slopes' products (J. Shi and C. Tomasi, *Good features to track*,
/// 1994).
pub(super) fn corners(plane: &Plane, margin: usize, most: usize) -> Vec<[usize; 2]> {
    let responses = responses(plane);
    let margin = margin.max(REACH + 2);
    let inner = |length: usize| margin..length.saturating_sub(margin);
    let mut corners = Vec::new();
    for row in inner(plane.height) {
        for column in inner(plane.width) {
            let response = responses.at(column, row);
            if LEAST < response && is_peak(&responses, column, row) {
                corners.push((response, [column, row]));
            }
        }
    }
    corners.sort_by(|one, other| other.0.total_cmp(&one.0));
    spread(corners.into_iter().map(|(_, place)| place), plane, most)
}

/// The first places, but no more than some of any area.
fn spread(places: impl Iterator<Item = [usize; 2]>, plane: &Plane, most: usize) -> Vec<[usize; 2]> {
    /// How many areas there are along the longer side.
    const AREAS: usize = 16;
    let side = plane.width.max(plane.height).div_ceil(AREAS);
    let most_of_area = (3 * most).div_ceil(AREAS * AREAS);
    let mut counts = [[0; AREAS]; AREAS];
    let is_wanted = |[column, row]: &[usize; 2]| {
        let count = &mut counts[row / side][column / side];
        *count += 1;
        *count <= most_of_area
    };
    places.filter(is_wanted).take(most).collect()
}

fn is_peak(responses: &Plane, column: usize, row: usize) -> bool {
    let here = responses.at(column, row);
    let neighbours = (row - 1..=row + 1)
        .flat_map(|near_row| (column - 1..=column + 1).map(move |near| [near, near_row]));
    neighbours.filter(|place| *place != [column, row]).all(|[near, near_row]| {
        // Of equal neighbours, the first is the peak.
        let order = responses.at(near, near_row).total_cmp(&here);
        order.then((row, column).cmp(&(near_row, near))).is_lt()
    })
}

fn responses(plane: &Plane) -> Plane {
    let Plane { width, height, .. } = *plane;
    let mut products = vec![[0.0; 3]; width * height];
    for row in 1..height.max(2) - 1 {
        for column in 1..width.max(2) - 1 {
            let [x, y] = plane.slopes(column, row);
            products[row * width + column] = [x * x, x * y, y * y];
        }
    }
    let along = sums(&products, width, 1);
    let across = sums(&along, width, width);
    let response = |[xx, xy, yy]: [f32; 3]| f32::midpoint(xx, yy) - ((xx - yy) / 2.0).hypot(xy);
    Plane { width, height, values: across.into_iter().map(response).collect() }
}

/// The sums over neighbours up to [`REACH`] steps away. Lines are not told apart: their ends are no corners.
fn sums(products: &[[f32; 3]], width: usize, step: usize) -> Vec<[f32; 3]> {
    let reach = REACH * step;
    let mut sums = vec![[0.0; 3]; products.len()];
    for index in reach..products.len().saturating_sub(reach).max(reach) {
        let near = products[index - reach..=index + reach].iter().step_by(step);
        sums[index] = near.fold([0.0; 3], |sum, part| [0, 1, 2].map(|axis| sum[axis] + part[axis]));
    }
    debug_assert!(step == 1 || step == width, "neighbours are along or across");
    sums
}
