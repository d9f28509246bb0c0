//! Shifts, by phase correlation.

use std::f32::consts::PI;

use rustfft::num_complex::Complex;
use rustfft::{FftDirection, FftPlanner};

use super::plane::Plane;
use crate::preprocessing::Point;

/// How many peaks of the correlation are candidates.
const PEAKS: usize = 6;

/// Peaks are at least this far from each other, in pixels.
const APART: usize = 3;

/// The least share of the smaller image that the other must cover.
const LEAST_COVER: f64 = 0.25;

/// The shifts that may bring a place of `after` to `before`, in whole pixels, the most likely first.
///
/// The phases of the cross power spectrum are those of a shift alone (C. Kuglin and D. Hines, *The phase correlation
/// image alignment method*, 1975). The correlation is circular, so a peak can mean up to four shifts.
pub(super) fn shifts(before: &Plane, after: &Plane) -> Vec<Point> {
    let sides = |plane: &Plane| [plane.width, plane.height];
    let [one, other] = [sides(before), sides(after)];
    // Lengths without large prime factors are fast.
    let [width, height] = [0, 1].map(|axis| one[axis].max(other[axis]).next_multiple_of(32));
    let correlation = correlation(before, after, width, height);
    let mut shifts = Vec::new();
    for [column, row] in peaks(correlation, width) {
        let both = |place: usize, length: usize| [place as f64, place as f64 - length as f64];
        for y in both(row, height) {
            for x in both(column, width) {
                if LEAST_COVER <= cover(before, after, [x, y]) {
                    shifts.push([x, y]);
                }
            }
        }
    }
    shifts
}

/// The share of the smaller image that the other covers after a shift.
fn cover(before: &Plane, after: &Plane, shift: Point) -> f64 {
    let common: f64 = (0..2)
        .map(|axis| {
            let [before, after] = [before, after].map(|plane| plane.size()[axis]);
            ((after + shift[axis]).min(before) - shift[axis].max(0.0)).max(0.0)
        })
        .product();
    let area = |plane: &Plane| plane.size()[0] * plane.size()[1];
    common / area(before).min(area(after))
}

/// The phase correlation, `[height, width]`, row by row.
fn correlation(before: &Plane, after: &Plane, width: usize, height: usize) -> Vec<f32> {
    // Two real images are transformed as one complex one.
    let mut values = vec![Complex::new(0.0, 0.0); width * height];
    place(before, width, &mut values, |value, here| value.re = here);
    place(after, width, &mut values, |value, here| value.im = here);
    let mut planner = FftPlanner::new();
    let mut transform = |values: &mut [Complex<f32>], length, direction| {
        planner.plan_fft(length, direction).process(values);
    };
    transform(&mut values, width, FftDirection::Forward);
    let mut spectrum = transposed(&values, width);
    transform(&mut spectrum, height, FftDirection::Forward);
    let mut spectrum = phases(&spectrum, width, height);
    transform(&mut spectrum, height, FftDirection::Inverse);
    let mut values = transposed(&spectrum, height);
    transform(&mut values, width, FftDirection::Inverse);
    values.into_iter().map(|value| value.re).collect()
}

/// Writes an image into the corner of a larger plane. Its edges fade out: they would correlate with each other.
fn place(
    plane: &Plane,
    width: usize,
    values: &mut [Complex<f32>],
    write: impl Fn(&mut Complex<f32>, f32),
) {
    let [along, down] = [plane.width, plane.height].map(fade);
    let rows = plane.values.chunks_exact(plane.width).zip(values.chunks_exact_mut(width));
    for ((source, target), down) in rows.zip(down) {
        for ((value, here), along) in target.iter_mut().zip(source).zip(&along) {
            write(value, here * along * down);
        }
    }
}

/// Weights that rise from 0 to 1 at both ends.
fn fade(length: usize) -> Vec<f32> {
    let rise = length as f32 / 6.0;
    let weight = |place: usize| {
        let distance = place.min(length - 1 - place) as f32 + 0.5;
        if distance < rise { (1.0 - (PI * distance / rise).cos()) / 2.0 } else { 1.0 }
    };
    (0..length).map(weight).collect()
}

/// The phases of the cross power spectrum of two images whose transform is one, `[width, height]`. High frequencies
/// have less weight, because they are mostly noise.
fn phases(spectrum: &[Complex<f32>], width: usize, height: usize) -> Vec<Complex<f32>> {
    /// The frequency with a weight of `exp(-1/2)`, in periods per pixel.
    const HIGH: f32 = 0.2;
    let weights = |length: usize| -> Vec<f32> {
        let frequency = |place: usize| place.min(length - place) as f32 / length as f32;
        (0..length).map(|place| (-(frequency(place) / HIGH).powi(2) / 2.0).exp()).collect()
    };
    let [along, down] = [width, height].map(weights);
    let mut phases = Vec::with_capacity(spectrum.len());
    for column in 0..width {
        let mirrored = (width - column) % width * height;
        for row in 0..height {
            let here = spectrum[column * height + row];
            let there = spectrum[mirrored + (height - row) % height].conj();
            let before = here + there;
            let after = (here - there) * Complex::new(0.0, -1.0);
            let cross = before * after.conj();
            phases.push(cross * (along[column] * down[row] / cross.norm().max(f32::MIN_POSITIVE)));
        }
    }
    phases
}

fn transposed(values: &[Complex<f32>], width: usize) -> Vec<Complex<f32>> {
    let mut all = Vec::with_capacity(values.len());
    for column in 0..width {
        all.extend(values.iter().skip(column).step_by(width));
    }
    all
}

/// Columns and rows of the highest values, the highest first.
fn peaks(mut values: Vec<f32>, width: usize) -> Vec<[usize; 2]> {
    let height = values.len() / width;
    let around = |place: usize, length: usize| {
        (0..=2 * APART).map(move |step| (place + length + step - APART) % length)
    };
    let mut peaks = Vec::with_capacity(PEAKS);
    for _ in 0..PEAKS {
        let highest = values.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
        let (index, _) = highest.expect("a plane has pixels");
        let [column, row] = [index % width, index / width];
        peaks.push([column, row]);
        for near_row in around(row, height) {
            for near_column in around(column, width) {
                values[near_row * width + near_column] = f32::MIN;
            }
        }
    }
    peaks
}
