//! Measures the alignment of photographs that were moved by known transforms.
//!
//! `cargo run --release -p siamese-core --example alignment -- FOLDER [COUNT]`. FOLDER has images, also in folders of its
//! own. Each pair shows one of them with other light, noise, JPEG and pasted objects. If FOLDER has aligned pairs, as
//! `1-before.jpg` and `1-after.jpg`, each pair is moved by up to 8 whole pixels instead.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "sides and bytes are small"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use fastrand::Rng;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use siamese_core::changes::{Align, AlignmentKind, Placement, align, overlay};
use siamese_core::preprocessing::{Detail, Limits, Photograph};

/// How the name of a first image ends, if a folder has pairs.
const BEFORE: &str = "-before.jpg";
const AFTER: &str = "-after.jpg";

/// How far the images of such a pair are moved at most, in pixels.
const MARGIN: i32 = 8;

type Matrix = [[f64; 3]; 2];

/// How the second image of a pair is moved.
#[derive(Clone, Copy, Debug)]
enum Move {
    Unmoved,
    WholeShift,
    Shift,
    Affine,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let folder = arguments.next().ok_or("FOLDER is missing")?;
    let count = arguments.next().map_or(Ok(60), |text| text.to_string_lossy().parse())?;
    let mut rng = Rng::with_seed(1);
    let mut files = Vec::new();
    collect(Path::new(&folder), &mut files)?;
    files.sort();
    rng.shuffle(&mut files);
    if files.iter().any(|file| file.to_string_lossy().ends_with(BEFORE)) {
        return measure_pairs(&mut rng, &files);
    }
    println!("images of one file");
    measure(&mut rng, count, |rng| open(&files, rng))?;
    println!("mosaics of 12 images, 2048 pixels wide");
    measure(&mut rng, count / 3, |rng| mosaic(&files, rng))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "jpg") {
            files.push(path);
        }
    }
    Ok(())
}

fn open(files: &[PathBuf], rng: &mut Rng) -> Result<RgbImage, Box<dyn Error>> {
    Ok(image::open(rng.choice(files).ok_or("FOLDER is empty")?)?.into_rgb8())
}

fn mosaic(files: &[PathBuf], rng: &mut Rng) -> Result<RgbImage, Box<dyn Error>> {
    let mut all = RgbImage::new(2_048, 1_536);
    for place in 0..12 {
        let part = imageops::resize(&open(files, rng)?, 512, 512, FilterType::CatmullRom);
        imageops::replace(&mut all, &part, 512 * (place % 4), 512 * (place / 4));
    }
    Ok(all)
}

fn measure(
    rng: &mut Rng,
    count: usize,
    mut next: impl FnMut(&mut Rng) -> Result<RgbImage, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    for moved in [Move::Unmoved, Move::WholeShift, Move::Shift, Move::Affine] {
        for how in [Align::Auto, Align::Shift, Align::Affine] {
            let mut tally = Tally::default();
            for _ in 0..count {
                let [scene, other] = [next(rng)?, next(rng)?];
                let (before, after, matrix) = pair(&scene, &other, moved, rng)?;
                tally.add(&before, &after, how, Some(matrix));
            }
            println!("{:<11} {how:<7} {tally}", format!("{moved:?}"));
        }
    }
    for how in [Align::None, Align::Auto, Align::Shift, Align::Affine] {
        let mut tally = Tally::default();
        for _ in 0..count {
            let [scene, other] = [next(rng)?, next(rng)?];
            let [before, after] = [photograph(&scene, rng)?, photograph(&other, rng)?];
            tally.add(&before, &after, how, None);
        }
        println!("{:<11} {how:<7} {tally}", "Unrelated");
    }
    Ok(())
}

/// Aligns cut-outs of pairs that nearly lie on each other. The error is that against the placement before the cut-out is
/// moved, because such pairs are seldom exact.
fn measure_pairs(rng: &mut Rng, files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    for how in [Align::Auto, Align::Shift, Align::Affine, Align::None] {
        for other in [BEFORE, AFTER] {
            let mut tally = Tally::default();
            for file in files {
                let name = file.to_string_lossy();
                let Some(start) = name.strip_suffix(BEFORE) else { continue };
                let [x, y] = [(); 2].map(|()| rng.i32(-MARGIN..=MARGIN));
                let before = cut(file, [0, 0])?;
                let file = PathBuf::from(format!("{start}{other}"));
                let Ok(still) = align(&before, &cut(&file, [0, 0])?, how) else {
                    tally.failed += 1;
                    continue;
                };
                let matrix = still
                    .matrix
                    .map(|[a, b, shift]| [a, b, shift + a * f64::from(x) + b * f64::from(y)]);
                tally.add(&before, &cut(&file, [x, y])?, how, Some(matrix));
            }
            println!("moved {other:<11} {how:<7} {tally}");
        }
    }
    Ok(())
}

/// The middle of an image, moved.
fn cut(file: &Path, shift: [i32; 2]) -> Result<Photograph, Box<dyn Error>> {
    let image = image::open(file)?.into_luma8();
    let size = [image.width(), image.height()].map(|side| side - 2 * MARGIN.unsigned_abs());
    let place = shift.map(|shift| (MARGIN + shift).unsigned_abs());
    let part = imageops::crop_imm(&image, place[0], place[1], size[0], size[1]).to_image();
    let mut bytes = format!("P5 {} {} 255\n", size[0], size[1]).into_bytes();
    bytes.extend_from_slice(&part);
    Ok(Photograph::decode(&bytes, &Limits::default(), Detail::Fine)?)
}

/// What was found in pairs of one kind.
#[derive(Default)]
struct Tally {
    errors: Vec<f64>,
    confidences: Vec<f64>,
    kinds: [usize; 3],
    failed: usize,
    seconds: f64,
    /// The sums of the mean differences of pixels, as they are known to lie and as they were found to.
    differences: [f64; 2],
}

impl Tally {
    fn add_differences(
        &mut self,
        before: &Photograph,
        after: &Photograph,
        found: &Placement,
        matrix: Option<Matrix>,
    ) {
        let Some(matrix) = matrix else { return };
        let [known, found] = [Placement { matrix, ..*found }, *found].map(|placement| {
            let mut overlay = overlay(before, after, &placement);
            overlay.even_out();
            let area = overlay.covered.len();
            let planes = overlay.before.iter().zip(&overlay.after).enumerate();
            let common = planes.filter(|(index, _)| overlay.covered[index % area]);
            let (sum, count) = common.fold((0.0, 0.0), |(sum, count), (_, (before, after))| {
                (sum + f64::from(before.abs_diff(*after)), count + 1.0)
            });
            sum / f64::max(count, 1.0)
        });
        if found > known + 2.0 && env::var_os("VERBOSE").is_some() {
            println!("{matrix:?} differs by {known}, {found}");
        }
        self.differences = [self.differences[0] + known, self.differences[1] + found];
    }

    fn add(&mut self, before: &Photograph, after: &Photograph, how: Align, matrix: Option<Matrix>) {
        let start = Instant::now();
        let found = align(before, after, how);
        self.seconds += start.elapsed().as_secs_f64();
        match found {
            Ok(placement) => {
                self.confidences.push(placement.confidence);
                self.kinds[match placement.kind {
                    AlignmentKind::None => 0,
                    AlignmentKind::Shift => 1,
                    AlignmentKind::Affine => 2,
                }] += 1;
                self.add_differences(before, after, &placement, matrix);
                let error = matrix.map(|matrix| error(&placement, matrix, after.size()));
                if error.is_some_and(|error| 2.0 < error) && env::var_os("VERBOSE").is_some() {
                    println!("{matrix:?} found as {placement:?}");
                }
                self.errors.extend(error);
            }
            Err(failed) => {
                self.confidences.push(failed.confidence);
                self.failed += 1;
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quantile = |values: &[f64], part: f64| {
            let mut values = values.to_vec();
            values.sort_by(f64::total_cmp);
            let index = (part * (values.len().max(1) - 1) as f64).round() as usize;
            values.get(index).copied().unwrap_or(f64::NAN)
        };
        let [none, shift, affine] = self.kinds;
        let all = self.confidences.len();
        write!(f, "none {none:2} shift {shift:2} affine {affine:2} failed {:2}", self.failed)?;
        let [median, high, worst] = [0.5, 0.95, 1.0].map(|part| quantile(&self.errors, part));
        write!(f, " | error {median:7.3} {high:8.3} {worst:8.3}")?;
        let over = self.errors.iter().filter(|error| 2.0 < **error).count();
        write!(f, " >2px {over:2}")?;
        let [least, low, middle, most] =
            [0.0, 0.05, 0.5, 1.0].map(|part| quantile(&self.confidences, part));
        write!(f, " | confidence {least:.2} {low:.2} {middle:.2} {most:.2}")?;
        let [known, found] = self.differences.map(|sum| sum / self.errors.len().max(1) as f64);
        write!(f, " | difference {known:.2} {found:.2}")?;
        write!(f, " | {:.0} ms", 1000.0 * self.seconds / all as f64)
    }
}

/// The greatest error at a corner, in pixels.
fn error(placement: &Placement, matrix: Matrix, [width, height]: [u32; 2]) -> f64 {
    let [width, height] = [width, height].map(f64::from);
    let corners = [[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]];
    let distance = |corner| {
        let [found, known] = [placement.apply(corner), apply(matrix, corner)];
        (found[0] - known[0]).hypot(found[1] - known[1])
    };
    corners.into_iter().map(distance).fold(0.0, f64::max)
}

fn apply(matrix: Matrix, [x, y]: [f64; 2]) -> [f64; 2] {
    matrix.map(|[a, b, shift]| a * x + b * y + shift)
}

/// Two images of one scene, each with light and noise of its own. The second shows other objects and is moved.
fn pair(
    scene: &RgbImage,
    other: &RgbImage,
    moved: Move,
    rng: &mut Rng,
) -> Result<(Photograph, Photograph, Matrix), Box<dyn Error>> {
    let other = &imageops::resize(other, scene.width(), scene.height(), FilterType::Triangle);
    let [width, height] = [scene.width(), scene.height()].map(f64::from);
    let margin = [width, height].map(|side| (side * 0.1).round());
    let size = [0, 1].map(|axis| ([width, height][axis] - 2.0 * margin[axis]) as u32);
    let around = |range: f64, rng: &mut Rng| range * (2.0 * rng.f64() - 1.0);
    let shift = [width, height].map(|side| around(0.12 * side, rng));
    let matrix = match moved {
        Move::Unmoved => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        Move::WholeShift => [[1.0, 0.0, shift[0].round()], [0.0, 1.0, shift[1].round()]],
        Move::Shift => [[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]],
        Move::Affine => {
            let (sin, cos) = around(15.0, rng).to_radians().sin_cos();
            let scale = (around(1.0, rng) * 1.25_f64.ln()).exp();
            let shear = around(0.05, rng);
            let turn = [[cos, shear * cos - sin], [sin, shear * sin + cos]];
            let centre = size.map(|side| f64::from(side) / 2.0);
            // The centre stays where it is, but for half of the shift.
            [0, 1].map(|axis| {
                let [a, b] = turn[axis].map(|part| part * scale);
                let place = centre[axis] - a * centre[0] - b * centre[1];
                [a, b, place + shift[axis] / 2.0]
            })
        }
    };
    let before = RgbImage::from_fn(size[0], size[1], |column, row| {
        *scene.get_pixel(column + margin[0] as u32, row + margin[1] as u32)
    });
    let mut after = RgbImage::from_fn(size[0], size[1], |column, row| {
        let [x, y] = apply(matrix, [f64::from(column) + 0.5, f64::from(row) + 0.5]);
        sample(scene, [x + margin[0], y + margin[1]])
            .unwrap_or_else(|| *other.get_pixel(column, row))
    });
    for _ in 0..rng.usize(0..=3) {
        let sides = size.map(|side| rng.u32(side / 12..side / 3));
        let object = imageops::resize(other, sides[0], sides[1], FilterType::Triangle);
        let [x, y] = [0, 1].map(|axis| i64::from(rng.u32(0..size[axis] - sides[axis])));
        imageops::replace(&mut after, &object, x, y);
    }
    Ok((photograph(&before, rng)?, photograph(&after, rng)?, matrix))
}

/// The colour at a place, by bilinear interpolation; exactly a pixel's at its centre. `None` beyond the image.
fn sample(image: &RgbImage, [x, y]: [f64; 2]) -> Option<Rgb<u8>> {
    let [x, y] = [x - 0.5, y - 0.5];
    let [width, height] = [image.width(), image.height()].map(|side| f64::from(side - 1));
    if !(0.0 <= x && x <= width && 0.0 <= y && y <= height) {
        return None;
    }
    let [column, row] = [x as u32, y as u32];
    let [right, below] = [x - f64::from(column), y - f64::from(row)];
    let [next_column, next_row] =
        [(column + 1).min(image.width() - 1), (row + 1).min(image.height() - 1)];
    Some(Rgb([0, 1, 2].map(|channel| {
        let at = |column, row| f64::from(image.get_pixel(column, row)[channel]);
        let line = |row| at(column, row) * (1.0 - right) + at(next_column, row) * right;
        (line(row) * (1.0 - below) + line(next_row) * below).round() as u8
    })))
}

/// The image in a random light, with noise, as a JPEG.
fn photograph(image: &RgbImage, rng: &mut Rng) -> Result<Photograph, Box<dyn Error>> {
    let gain = 0.7 + 0.6 * rng.f64();
    let gains = [0, 1, 2].map(|_| gain * (0.92 + 0.16 * rng.f64()));
    let gamma = 0.8 + 0.45 * rng.f64();
    let offset = 20.0 * (2.0 * rng.f64() - 1.0);
    let noise = 8.0 * rng.f64();
    let mut image = image.clone();
    for pixel in image.pixels_mut() {
        for (value, gain) in pixel.0.iter_mut().zip(gains) {
            // Nearly a normal distribution of variance 1.
            let normal = 2.0 * (0..3).map(|_| rng.f64()).sum::<f64>() - 3.0;
            let light = 255.0 * (f64::from(*value) / 255.0).powf(gamma) * gain + offset;
            *value = (light + noise * normal).round() as u8;
        }
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, rng.u8(70..=95)).encode_image(&image)?;
    Ok(Photograph::decode(&bytes, &Limits::default(), Detail::Fine)?)
}
