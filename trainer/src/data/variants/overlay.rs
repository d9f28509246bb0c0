//! A box with text, or a logo, as on shared images.

use image::{Rgb, RgbImage};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::change::part;

/// Columns and rows of a letter's dots, with the space around it.
const LETTER: [u32; 2] = [4, 6];

/// Draws a box with lines of letters, or a disc, at a random place.
pub(super) fn add(mut image: RgbImage, random: &mut ChaCha8Rng) -> RgbImage {
    let colours = [(); 2].map(|()| Rgb(random.random::<[u8; 3]>()));
    let is_text = random.random_bool(0.5);
    let shares = if is_text { [0.3..=0.8, 0.12..=0.25] } else { [0.2..=0.4, 0.2..=0.4] };
    let [width, height] = [image.width(), image.height()];
    let [columns, rows] = shares.map(|share| random.random_range(share));
    let [columns, rows] = [part(width, columns), part(height, rows)];
    let left = random.random_range(0..=width - columns);
    let top = random.random_range(0..=height - rows);
    // Two lines of letters fit into the box.
    let dot = (rows / (2 * LETTER[1])).max(1);
    let letters = random.random::<u64>();
    for row in 0..rows {
        for column in 0..columns {
            let is_marked = if is_text {
                is_of_letter([column / dot, row / dot], letters)
            } else {
                is_of_disc([column, row], [columns, rows])
            };
            image.put_pixel(left + column, top + row, colours[usize::from(is_marked)]);
        }
    }
    image
}

/// Returns whether a dot belongs to a made-up letter: within its frame, about half of the dots do.
fn is_of_letter([column, row]: [u32; 2], letters: u64) -> bool {
    let [across, down] = [column % LETTER[0], row % LETTER[1]];
    let is_space = across == 0 || down == 0;
    let letter = u64::from(column / LETTER[0] + 7 * (row / LETTER[1]));
    // A multiplication spreads the bits (D. Knuth, *The art of computer programming*, volume 3, section 6.4).
    let bits = (letters ^ letter).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    !is_space && bits >> (across + LETTER[0] * down) & 1 == 1
}

/// Returns whether a pixel of a box belongs to the disc that fills most of it.
fn is_of_disc(place: [u32; 2], sides: [u32; 2]) -> bool {
    let away = |axis: usize| (f64::from(place[axis]) + 0.5) / f64::from(sides[axis]) - 0.5;
    away(0).powi(2) + away(1).powi(2) < 0.16
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn an_overlay_covers_a_small_part_with_two_colours() {
        for seed in 0..60 {
            let image = RgbImage::from_pixel(100, 80, Rgb([1, 2, 3]));
            let covered = add(image, &mut ChaCha8Rng::seed_from_u64(seed));
            let changed: Vec<_> = covered.pixels().filter(|pixel| pixel.0 != [1, 2, 3]).collect();
            let share = f64::from(u32::try_from(changed.len()).expect("a small image")) / 8000.0;
            assert!((0.03..=0.21).contains(&share), "{seed}: {share}");
            let first = changed[0];
            let others = changed.iter().filter(|pixel| **pixel != first).count();
            assert!(0 < others && others < changed.len(), "{seed}");
        }
    }
}
