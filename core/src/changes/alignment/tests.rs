//! Alignments of made images whose places are known.

use super::*;
use crate::preprocessing::{Detail, Limits, Photograph, Point};

type Matrix = [[f64; 3]; 2];

const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];

fn grey([width, height]: [u32; 2], level: impl Fn(Point) -> f64) -> Photograph {
    let mut upload = format!("P5 {width} {height} 255\n").into_bytes();
    for row in 0..height {
        upload.extend((0..width).map(|column| {
            let place = [column, row].map(|pixel| f64::from(pixel) + 0.5);
            level(place).round() as u8
        }));
    }
    Photograph::decode(&upload, &Limits::default(), Detail::Fine).expect("a photograph")
}

fn apply(matrix: Matrix, [x, y]: Point) -> Point {
    matrix.map(|[a, b, shift]| a * x + b * y + shift)
}

const fn shifted(x: f64, y: f64) -> Matrix {
    [[1.0, 0.0, x], [0.0, 1.0, y]]
}

/// A number from 0 to 1 without a pattern.
fn hash(x: i64, y: i64, seed: i64) -> f64 {
    let mut bits = (x * 73_856_093) ^ (y * 19_349_663) ^ (seed * 83_492_791);
    for _ in 0..3 {
        bits = (bits ^ (bits >> 13)).wrapping_mul(0x5bd1_e995) & 0x7fff_ffff;
    }
    (bits & 0xffff) as f64 / 65_535.0
}

/// A smooth surface without a pattern, from 0 to 255. Another seed is another scene.
fn scene([x, y]: Point, seed: i64) -> f64 {
    let layer = |size: f64, seed: i64| {
        let [x, y] = [x / size, y / size];
        let [column, row] = [x.floor(), y.floor()];
        let smooth = |part: f64| part * part * (3.0 - 2.0 * part);
        let [right, below] = [smooth(x - column), smooth(y - row)];
        let at = |across: i64, down: i64| hash(column as i64 + across, row as i64 + down, seed);
        let line = |down| at(0, down) * (1.0 - right) + at(1, down) * right;
        line(0) * (1.0 - below) + line(1) * below
    };
    20.0 + 215.0
        * (layer(40.0, seed) * 0.4 + layer(11.0, seed + 1) * 0.4 + layer(5.0, seed + 2) * 0.2)
}

/// Black letters on white lines: 1 pixel is all or nothing.
fn page([x, y]: Point) -> f64 {
    let [column, row] = [x.floor() as i64, y.floor() as i64];
    let [letter, line] = [column.div_euclid(8), row.div_euclid(16)];
    let [across, down] = [column.rem_euclid(8), row.rem_euclid(16)];
    let is_space = hash(letter, line, 5) < 0.2 || 6 <= across || 10 <= down;
    // 20 letters, whose strokes are 2 pixels wide.
    let kind = (hash(letter, line, 6) * 20.0) as i64;
    if !is_space && hash(across / 2, down / 2, 100 + kind) < 0.5 { 0.0 } else { 255.0 }
}

fn error(placement: &Placement, matrix: Matrix, [width, height]: [u32; 2]) -> f64 {
    let [width, height] = [width, height].map(f64::from);
    let corners = [[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]];
    let distance = |corner| {
        let [found, known] = [placement.apply(corner), apply(matrix, corner)];
        (found[0] - known[0]).hypot(found[1] - known[1])
    };
    corners.into_iter().map(distance).fold(0.0, f64::max)
}

/// Aligns a scene with itself, moved by a matrix, by each of the ways.
#[track_caller]
fn check(matrix: Matrix, kind: AlignmentKind, hows: &[Align], tolerance: f64) {
    let before = grey([220, 180], |place| scene(place, 0));
    let after = grey([200, 190], |place| scene(apply(matrix, place), 0));
    for how in hows {
        let placement = align(&before, &after, *how).expect("an alignment");
        assert_eq!(placement.kind, kind, "{how}: {placement:?}");
        let error = error(&placement, matrix, after.size());
        assert!(error < tolerance, "{how}: {error} pixels, {placement:?}");
        assert!(0.9 < placement.confidence, "{how}: {placement:?}");
    }
}

#[test]
fn shifts_are_found() {
    for [x, y] in [[5.0, -3.0], [0.4, 7.3], [-60.25, 31.5]] {
        check(shifted(x, y), AlignmentKind::Shift, &[Align::Auto, Align::Shift], 0.1);
    }
}

#[test]
fn what_is_not_moved_is_aligned_by_nothing() {
    check(IDENTITY, AlignmentKind::None, &[Align::Auto, Align::None], 1e-9);
    check(IDENTITY, AlignmentKind::Shift, &[Align::Shift], 1e-9);
}

#[test]
fn a_whole_shift_is_exact() {
    let before = grey([300, 200], page);
    for [x, y] in [[0.0, 16.0], [8.0, -1.0], [-3.0, 90.0]] {
        let after = grey([300, 200], |place| page(apply(shifted(x, y), place)));
        let placement = align(&before, &after, Align::Auto).expect("an alignment");
        assert_eq!(placement.matrix, shifted(x, y), "{placement:?}");
        let overlap = (1.0 - f64::abs(x) / 300.0) * (1.0 - f64::abs(y) / 200.0);
        assert!((placement.overlap - overlap).abs() < 1e-9, "{placement:?}");
    }
}

#[test]
fn affine_transforms_are_found() {
    let turned = |degrees: f64, scale: f64, shear: f64| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let [a, b, c, d] = [cos, shear - sin, sin, cos].map(|part| part * scale);
        [[a, b, 110.0 - 100.0 * a - 95.0 * b], [c, d, 90.0 - 100.0 * c - 95.0 * d]]
    };
    for (degrees, scale, shear) in [(2.0, 1.0, 0.0), (-15.0, 0.8, 0.05), (12.0, 1.25, -0.05)] {
        let hows = [Align::Auto, Align::Affine];
        check(turned(degrees, scale, shear), AlignmentKind::Affine, &hows, 0.5);
    }
}

#[test]
fn changes_and_light_do_not_matter() {
    let before = grey([220, 180], |place| scene(place, 0));
    let after = grey([220, 180], |[x, y]| {
        // A third is another scene, and there is a shadow.
        let moved = if 60.0 < x && x < 180.0 && 40.0 < y && y < 140.0 {
            scene([x, y], 50)
        } else {
            scene([x + 6.0, y - 9.0], 0)
        };
        40.0 + moved * (0.4 + 0.3 * x / 220.0)
    });
    let placement = align(&before, &after, Align::Auto).expect("an alignment");
    assert_eq!(placement.kind, AlignmentKind::Shift);
    assert!(error(&placement, shifted(6.0, -9.0), [220, 180]) < 0.15, "{placement:?}");
    assert!((0.4..0.9).contains(&placement.confidence), "{placement:?}");
}

#[test]
fn unrelated_images_are_refused() {
    let before = grey([220, 180], |place| scene(place, 0));
    let after = grey([220, 180], |place| scene(place, 50));
    for how in [Align::Shift, Align::Affine] {
        let failed = align(&before, &after, how).expect_err("nothing in common");
        assert!(failed.confidence < 0.2, "{how}: {failed:?}");
    }
    for how in [Align::None, Align::Auto] {
        let placement = align(&before, &after, how).expect("it can't fail");
        assert_eq!((placement.kind, placement.matrix), (AlignmentKind::None, IDENTITY));
        assert!(placement.confidence < 0.2, "{how}: {placement:?}");
    }
}

#[test]
fn a_repeating_pattern_is_not_certain() {
    let dots = |[x, y]: Point| {
        if (x as i64 % 20 - 10).pow(2) + (y as i64 % 20 - 10).pow(2) < 30 { 0.0 } else { 255.0 }
    };
    let before = grey([240, 200], dots);
    let after = grey([240, 200], |[x, y]| dots([x + 7.0, y + 4.0]));
    let failed = align(&before, &after, Align::Shift).expect_err("many shifts fit");
    assert!(failed.confidence < 0.2, "{failed:?}");
    let placement = align(&before, &after, Align::Auto).expect("it can't fail");
    assert_eq!(placement.kind, AlignmentKind::None);
}

#[test]
fn images_without_detail_keep_their_place() {
    for [one, other] in [
        [[1, 1], [1, 1]],
        [[1, 2_080], [2_080, 1]],
        [[15, 300], [300, 200]],
        [[2_080, 16], [16, 2_080]],
        [[100, 100], [60, 80]],
    ] {
        let [before, after] =
            [(one, 100.0), (other, 200.0)].map(|(size, level)| grey(size, |_| level));
        for how in [Align::Auto, Align::None] {
            let placement = align(&before, &after, how).expect("it can't fail");
            assert_eq!(
                (placement.matrix, placement.confidence),
                (IDENTITY, 0.0),
                "{one:?} {other:?}"
            );
        }
        for how in [Align::Shift, Align::Affine] {
            assert_eq!(align(&before, &after, how), Err(AlignmentFailed { confidence: 0.0 }));
        }
    }
}

#[test]
fn equal_images_are_certainly_not_moved() {
    let uniform = grey([50, 40], |_| 7.0);
    let placement = align(&uniform, &uniform, Align::Auto).expect("it can't fail");
    let expected =
        Placement { kind: AlignmentKind::None, matrix: IDENTITY, confidence: 1.0, overlap: 1.0 };
    assert_eq!(placement, expected);
}
