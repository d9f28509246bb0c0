//! What an image looks like to a model, in a few numbers: brightness, contrast, colour, sharpness and layout.

use super::{Pixels, Preprocessing};

/// The most sizes at which sharpness is measured: the input, then each a half of the one before.
const SIZES: usize = 5;

/// No size has a shorter side, in pixels, unless the input has.
const SHORTEST: usize = 4;

/// The cells of the layout along each side.
const CELLS: usize = 3;

/// Left to right, and top to bottom.
const MIRRORS: usize = 2;

/// Numbers are added in this many independent sums, which wide vectors hold.
const LANES: usize = 16;

/// An image of one channel, row by row; 0 is black and 1 is white.
struct Plane {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

impl Preprocessing {
    /// The number of [`statistics`](Self::statistics) of an image.
    pub fn statistics_count(&self) -> usize {
        let [channels, height, width] = self.shape();
        let colours = usize::from(channels != 1);
        channels + 1 + colours + 2 * sizes(height, width) + MIRRORS + CELLS * CELLS
    }

    /// Measures a model's input, in the range of the bytes scaled to `[0, 1]`.
    ///
    /// The numbers are, in this order: the mean of each channel; the logarithm of the contrast, which is the standard
    /// deviation of the brightness; for several channels the logarithm of the saturation, which is the mean difference
    /// of the largest and the smallest channel; for each of up to five sizes the logarithm of the mean difference of
    /// neighbours, horizontally and vertically; the correlation of the brightness with its mirror images, left to right and
    /// top to bottom; and the mean brightness of nine cells, row by row.
    ///
    /// # Panics
    ///
    /// If the pixels do not have the shape of the preprocessing.
    pub fn statistics(&self, pixels: &Pixels) -> Vec<f32> {
        let [channels, height, width] = self.shape();
        let area = height * width;
        assert_eq!(pixels.values().len(), channels * area, "pixels of this preprocessing");
        let planes: Vec<_> = pixels.values().chunks_exact(area).collect();
        let to_range: Vec<_> = (0..channels).map(|channel| self.to_range(channel)).collect();

        let mut numbers = Vec::with_capacity(self.statistics_count());
        for (plane, [factor, offset]) in planes.iter().zip(&to_range) {
            numbers.push(mean(plane) * factor + offset);
        }
        let brightness = Plane { values: brightness(&planes, &to_range), height, width };
        let middle = mean(&brightness.values);
        let contrast = mean_of(&brightness.values, |value| (value - middle).powi(2)).sqrt();
        numbers.push(logarithm(contrast, 0.01));
        if 1 < channels {
            numbers.push(logarithm(saturation(&planes, &to_range), 0.01));
        }
        let symmetry = brightness.symmetry(middle, contrast);
        let cells = brightness.cells();
        let mut plane = brightness;
        for size in 0..sizes(height, width) {
            if 0 < size {
                plane = plane.halved();
            }
            numbers.extend(plane.sharpness().map(|difference| logarithm(difference, 0.003)));
        }
        numbers.extend(symmetry);
        numbers.extend(cells);
        numbers
    }

    /// The factor and the offset that bring a channel of a model's input to the range 0 to 1.
    fn to_range(&self, channel: usize) -> [f32; 2] {
        let of_channel = |numbers: &[f32]| numbers[channel % numbers.len()];
        [of_channel(&self.std), of_channel(&self.mean)].map(|number| number / self.scale / 255.0)
    }
}

/// The number of sizes at which the sharpness of an input is measured.
fn sizes(height: usize, width: usize) -> usize {
    let shorter = height.min(width);
    1 + (1..SIZES).take_while(|halvings| SHORTEST <= shorter >> halvings).count()
}

/// The mean of the channels at each place.
fn brightness(planes: &[&[f32]], to_range: &[[f32; 2]]) -> Vec<f32> {
    let mut sum = vec![0.0; planes[0].len()];
    for (plane, [factor, offset]) in planes.iter().zip(to_range) {
        for (sum, value) in sum.iter_mut().zip(*plane) {
            *sum += value * factor + offset;
        }
    }
    let share = 1.0 / as_f32(planes.len());
    for sum in &mut sum {
        *sum *= share;
    }
    sum
}

/// The mean difference of the largest and the smallest channel.
fn saturation(planes: &[&[f32]], to_range: &[[f32; 2]]) -> f32 {
    /// The places that are worked on at once.
    const PART: usize = 64 * LANES;
    let area = planes[0].len();
    let mut sum = 0.0;
    let [mut largest, mut smallest] = [[0.0; PART]; 2];
    for start in (0..area).step_by(PART) {
        let size = PART.min(area - start);
        let (largest, smallest) = (&mut largest[..size], &mut smallest[..size]);
        largest.fill(f32::NEG_INFINITY);
        smallest.fill(f32::INFINITY);
        for (plane, [factor, offset]) in planes.iter().zip(to_range) {
            let values = &plane[start..start + size];
            let limits = largest.iter_mut().zip(smallest.iter_mut());
            for (value, (largest, smallest)) in values.iter().zip(limits) {
                let value = value * factor + offset;
                *largest = if *largest < value { value } else { *largest };
                *smallest = if value < *smallest { value } else { *smallest };
            }
        }
        sum += differences(largest, smallest);
    }
    as_mean(sum, area)
}

impl Plane {
    /// The mean difference of neighbours, horizontally and vertically; 0 if there are none.
    fn sharpness(&self) -> [f32; 2] {
        let Self { values, height, width } = self;
        let beside: f64 =
            values.chunks_exact(*width).map(|row| differences(&row[1..], &row[..width - 1])).sum();
        let below = differences(&values[*width..], &values[..(height - 1) * width]);
        [as_mean(beside, height * (width - 1)), as_mean(below, (height - 1) * width)]
    }

    /// The correlation with the mirror images, left to right and top to bottom: 1 if they are equal, and 0 for a flat
    /// image.
    fn symmetry(&self, middle: f32, contrast: f32) -> [f32; MIRRORS] {
        let variance = (contrast + 0.01).powi(2);
        let product = |a: f32, b: f32| (a - middle) * (b - middle);
        let rows = || self.values.chunks_exact(self.width);
        let mut reversed = vec![0.0; self.width];
        let mut across = 0.0;
        for row in rows() {
            reversed.copy_from_slice(row);
            reversed.reverse();
            across += sum_over(row, &reversed, product);
        }
        let down = rows().zip(rows().rev()).map(|(a, b)| sum_over(a, b, product)).sum();
        [across, down].map(|sum| as_mean(sum, self.values.len()) / variance)
    }

    /// Each two by two values as their mean. The last row or column of an odd side is left out.
    fn halved(&self) -> Self {
        let (height, width) = (self.height / 2, self.width / 2);
        let mut values = Vec::with_capacity(height * width);
        for rows in self.values.chunks_exact(2 * self.width) {
            let (upper, lower) = rows.split_at(self.width);
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            values.extend(
                pairs.map(|(upper, lower)| (upper[0] + upper[1] + lower[0] + lower[1]) / 4.0),
            );
        }
        Self { values, height, width }
    }

    /// The mean of each cell, row by row; 0 for a cell without pixels.
    fn cells(&self) -> impl Iterator<Item = f32> + use<> {
        let mut sums = [[0.0_f64; CELLS]; CELLS];
        let edges = |side: usize| {
            [(); CELLS + 1].map({
                let mut edge = 0;
                move |()| {
                    edge += 1;
                    (edge - 1) * side / CELLS
                }
            })
        };
        let (rows, columns) = (edges(self.height), edges(self.width));
        for (at, row) in self.values.chunks_exact(self.width).enumerate() {
            let band = rows[1..CELLS].iter().filter(|edge| **edge <= at).count();
            for (sum, edges) in sums[band].iter_mut().zip(columns.windows(2)) {
                *sum += total(&row[edges[0]..edges[1]]);
            }
        }
        let places = (0..CELLS).flat_map(|band| (0..CELLS).map(move |cell| [band, cell]));
        places.map(move |[band, cell]| {
            let area = (rows[band + 1] - rows[band]) * (columns[cell + 1] - columns[cell]);
            as_mean(sums[band][cell], area)
        })
    }
}

fn mean(values: &[f32]) -> f32 {
    as_mean(total(values), values.len())
}

fn total(values: &[f32]) -> f64 {
    sum_of(values, |value| value)
}

fn mean_of(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    as_mean(sum_of(values, of), values.len())
}

fn sum_of(values: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    let sum = |values: &[f32]| {
        let (lanes, rest) = values.as_chunks::<LANES>();
        let mut sums = [0.0_f32; LANES];
        for lane in lanes {
            for (sum, value) in sums.iter_mut().zip(lane) {
                *sum += of(*value);
            }
        }
        f64::from(sums.iter().sum::<f32>() + rest.iter().map(|value| of(*value)).sum::<f32>())
    };
    // Sums of at most some thousand values keep their digits in f32.
    values.chunks(256 * LANES).map(sum).sum()
}

/// The sum of the absolute differences.
fn differences(a: &[f32], b: &[f32]) -> f64 {
    sum_over(a, b, |a, b| (a - b).abs())
}

fn sum_over(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f64 {
    let sum = |(a, b): (&[f32], &[f32])| {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        let mut sums = [0.0_f32; LANES];
        for (a, b) in a.iter().zip(b) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += of(*a, *b);
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| of(*a, *b)).sum();
        f64::from(sums.iter().sum::<f32>() + rest)
    };
    a.chunks(256 * LANES).zip(b.chunks(256 * LANES)).map(sum).sum()
}

#[expect(clippy::cast_possible_truncation, reason = "a mean needs no more digits")]
fn as_mean(sum: f64, count: usize) -> f32 {
    if count == 0 { 0.0 } else { (sum / f64::from(as_f32(count))) as f32 }
}

#[expect(clippy::cast_precision_loss, reason = "a number of pixels, for a mean")]
fn as_f32(count: usize) -> f32 {
    count as f32
}

/// A logarithm that does not fall below that of `smallest`, so that differences between nearly flat images are small.
fn logarithm(value: f32, smallest: f32) -> f32 {
    (value + smallest).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::{Colour, Fit};

    fn preprocessing(colour: Colour, [height, width]: [u32; 2]) -> Preprocessing {
        Preprocessing {
            height,
            width,
            colour,
            fit: Fit::Stretch,
            scale: 1.0 / 255.0,
            mean: vec![0.5],
            std: vec![0.25],
        }
    }

    fn measured(preprocessing: &Preprocessing, byte: impl Fn([usize; 3]) -> f32) -> Vec<f32> {
        let [channels, height, width] = preprocessing.shape();
        let mut values = Vec::new();
        for at in 0..channels * height * width {
            let place = [at / (height * width), at / width % height, at % width];
            values.push((byte(place) / 255.0 - 0.5) / 0.25);
        }
        preprocessing.statistics(&Pixels::new(values))
    }

    #[track_caller]
    fn near(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-4, "{found}, not {expected}");
    }

    #[test]
    fn a_flat_grey_image_has_its_brightness_everywhere() {
        let numbers = measured(&preprocessing(Colour::Grey, [9, 12]), |_| 51.0);
        let [first, contrast, rest @ ..] = numbers.as_slice() else { panic!("no numbers") };
        near(*first, 0.2);
        near(*contrast, 0.01_f32.ln());
        let (sharpness, symmetry_and_cells) = rest.split_at(rest.len() - 11);
        let (symmetry, cells) = symmetry_and_cells.split_at(2);
        for number in symmetry {
            near(*number, 0.0);
        }
        assert_eq!(sharpness.len(), 4, "9 by 12 pixels are halved once");
        for number in sharpness {
            near(*number, 0.003_f32.ln());
        }
        for number in cells {
            near(*number, 0.2);
        }
    }

    #[test]
    fn stripes_are_sharp_across_and_not_along() {
        let stripes = |[_, _, column]: [usize; 3]| if column % 2 == 0 { 0.0 } else { 255.0 };
        let numbers = measured(&preprocessing(Colour::Grey, [8, 8]), stripes);
        near(numbers[1], 0.51_f32.ln());
        near(numbers[2], 1.003_f32.ln());
        near(numbers[3], 0.003_f32.ln());
        // Eight stripes are the reverse of their mirror image from left to right, and equal the other one.
        near(numbers[6], -(0.5_f32 / 0.51).powi(2));
        near(numbers[7], (0.5_f32 / 0.51).powi(2));
        // Halved, black and white become one grey.
        near(numbers[4], 0.003_f32.ln());
    }

    #[test]
    fn a_colour_image_has_a_saturation_and_cells_have_a_place() {
        let red_in_the_corner = |[channel, row, column]: [usize; 3]| {
            if channel == 0 && row < 2 && column < 2 { 255.0 } else { 0.0 }
        };
        let numbers = measured(&preprocessing(Colour::Rgb, [6, 6]), red_in_the_corner);
        near(numbers[0], 1.0 / 9.0);
        near(numbers[1], 0.0);
        near(numbers[4], (1.0_f32 / 9.0 + 0.01).ln());
        let cells = &numbers[numbers.len() - 9..];
        near(cells[0], 1.0 / 3.0);
        for number in &cells[1..] {
            near(*number, 0.0);
        }
    }

    #[test]
    fn every_size_has_its_count_of_finite_numbers() {
        for size in [[1, 1], [1, 7], [2, 3], [4, 4], [40, 40], [72, 60], [224, 224]] {
            for colour in [Colour::Grey, Colour::Rgb, Colour::Bgr] {
                let preprocessing = preprocessing(colour, size);
                let checks = |[channel, row, column]: [usize; 3]| {
                    if (channel + row + column).is_multiple_of(3) { 250.0 } else { 3.0 }
                };
                let numbers = measured(&preprocessing, checks);
                assert_eq!(numbers.len(), preprocessing.statistics_count(), "{size:?}, {colour:?}");
                assert!(numbers.iter().all(|number| number.is_finite()), "{numbers:?}");
            }
        }
    }
}
