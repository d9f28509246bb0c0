//! The relief of an image: its detail without its light.

use super::plane::Plane;

/// How far the surroundings of a pixel reach, in pixels.
const REACH: usize = 10;

/// What counts as noise, in grey levels: detail of this contrast is halved, so that noise does not become detail.
const NOISE: f32 = 10.0;

/// The difference of each pixel from the mean of its surroundings, in parts of their standard deviation and [`NOISE`].
///
/// So neither exposure nor contrast nor a shadow matters, and flat areas are nearly 0. The image is blurred by one pixel
/// before that.
///
/// # Shapes
///
/// `grey` is `[height, width]`, and so is the result.
pub(super) fn relief(grey: &[u8], [width, height]: [usize; 2]) -> Plane {
    let blurred = blurred(grey, width, height);
    let mut values = vec![0.0; width * height];
    // The sums and the squares of the columns of the surroundings, which move down row by row.
    let mut sums = vec![[0_u64; 2]; width];
    let row_of = |row: usize| &blurred[row * width..][..width];
    for row in 0..REACH.min(height) {
        enter(&mut sums, row_of(row));
    }
    for row in 0..height {
        if row + REACH < height {
            enter(&mut sums, row_of(row + REACH));
        }
        if REACH < row {
            leave(&mut sums, row_of(row - REACH - 1));
        }
        let rows = (row + REACH + 1).min(height) - row.saturating_sub(REACH);
        let line = &mut values[row * width..][..width];
        lift(line, row_of(row), &sums, rows);
    }
    Plane { width, height, values }
}

fn enter(sums: &mut [[u64; 2]], line: &[u16]) {
    for (sum, value) in sums.iter_mut().zip(line) {
        let value = u64::from(*value);
        *sum = [sum[0] + value, sum[1] + value * value];
    }
}

fn leave(sums: &mut [[u64; 2]], line: &[u16]) {
    for (sum, value) in sums.iter_mut().zip(line) {
        let value = u64::from(*value);
        *sum = [sum[0] - value, sum[1] - value * value];
    }
}

/// The relief of a row. The sums of each column are over this many rows.
fn lift(line: &mut [f32], source: &[u16], sums: &[[u64; 2]], rows: usize) {
    let width = line.len();
    let mut sum = [0_u64; 2];
    for part in &sums[..REACH.min(width)] {
        sum = [sum[0] + part[0], sum[1] + part[1]];
    }
    for column in 0..width {
        if let Some(part) = sums.get(column + REACH) {
            sum = [sum[0] + part[0], sum[1] + part[1]];
        }
        if REACH < column {
            let part = sums[column - REACH - 1];
            sum = [sum[0] - part[0], sum[1] - part[1]];
        }
        let columns = (column + REACH + 1).min(width) - column.saturating_sub(REACH);
        let count = (rows * columns) as f64;
        let mean = sum[0] as f64 / count;
        let variance = (sum[1] as f64 / count - mean * mean).max(0.0);
        let scale = variance.sqrt() as f32 / SIXTEENTHS + NOISE;
        line[column] = (f32::from(source[column]) - mean as f32) / SIXTEENTHS / scale;
    }
}

/// The unit of blurred values, in parts of a grey level.
const SIXTEENTHS: f32 = 16.0;

/// The sum of 1, 2 and 1 times three neighbours, along both sides: in sixteenths of grey levels.
fn blurred(grey: &[u8], width: usize, height: usize) -> Vec<u16> {
    let mut along = Vec::with_capacity(grey.len());
    for line in grey.chunks_exact(width) {
        along.extend((0..width).map(|column| {
            let at = |column: usize| u16::from(line[column]);
            at(column.saturating_sub(1)) + 2 * at(column) + at((column + 1).min(width - 1))
        }));
    }
    let mut across = Vec::with_capacity(grey.len());
    for row in 0..height {
        let line = |row: usize| &along[row * width..][..width];
        let rows =
            line(row.saturating_sub(1)).iter().zip(line(row)).zip(line((row + 1).min(height - 1)));
        across.extend(rows.map(|((above, here), below)| above + 2 * here + below));
    }
    across
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(light: f64, contrast: f64) -> Vec<u8> {
        let level = |index: usize| {
            let [column, row] = [index % 40 / 5, index / 40 / 5];
            light + contrast * [0.0, 1.0, 0.4][(column * 3 + row * row) % 3]
        };
        (0..40 * 30).map(|index| level(index).round() as u8).collect()
    }

    #[test]
    fn light_does_not_matter() {
        let [expected, dark] =
            [squares(50.0, 200.0), squares(20.0, 100.0)].map(|grey| relief(&grey, [40, 30]).values);
        let differences = expected.iter().zip(&dark).map(|(one, other)| (one - other).abs());
        assert!(differences.fold(0.0, f32::max) < 0.3);
        assert!(1.0 < expected.iter().fold(0.0, |most: f32, value| most.max(value.abs())));
    }

    #[test]
    fn a_uniform_image_is_flat() {
        for size in [[1, 1], [1, 50], [50, 1], [30, 30]] {
            let plane = relief(&vec![200; size[0] * size[1]], size);
            assert!(plane.values.iter().all(|value| value.abs() < 1e-6), "{size:?}");
        }
    }

    #[test]
    fn surroundings_end_at_the_edges() {
        // A step is a step at any distance from the edges.
        let grey: Vec<u8> = (0..100).map(|column| if column < 50 { 0 } else { 200 }).collect();
        let plane = relief(&grey, [100, 1]);
        assert!(plane.values[48] < -0.5 && 0.5 < plane.values[51]);
        assert!(plane.values[20].abs() < 1e-6 && plane.values[80].abs() < 1e-6);
    }
}
