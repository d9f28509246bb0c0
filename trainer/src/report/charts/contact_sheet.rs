//! A contact sheet of the worst pairs.

use std::collections::BTreeMap;

use siamese_core::score::Verdict;
use siamese_drawing::Svg;

use crate::evaluate::Evaluation;
use crate::statistics::Comparison;

/// The number of pairs of each kind.
const SHOWN: usize = 10;

/// The largest number of pairs of one kind that contain the same image.
const REPEATS: u32 = 2;

const SIDE: f64 = 96.0;
const ROW: f64 = SIDE + 14.0;
const TOP: f64 = 122.0;
const COLUMN: f64 = 452.0;
const MARGIN: f64 = 28.0;

/// Returns the closest different pairs and the farthest same pairs, the worst first. An image is in at most [`REPEATS`]
/// of them, so that a single unusual image does not fill the sheet.
pub(in crate::report) fn worst(evaluation: &Evaluation) -> [Vec<Comparison>; 2] {
    let pairs = evaluation.comparisons.pairs();
    [
        pick(pairs.iter().filter(|pair| !pair.is_same).copied(), |pair| pair),
        pick(pairs.iter().rev().filter(|pair| pair.is_same).copied(), |pair| pair),
    ]
}

/// Returns the first [`SHOWN`] pairs in which no image appears more than [`REPEATS`] times.
pub(in crate::report) fn pick<T>(
    found: impl Iterator<Item = T>,
    pair: impl Fn(&T) -> &Comparison,
) -> Vec<T> {
    let mut seen = BTreeMap::new();
    let fresh = found.filter(|candidate| {
        let pair = pair(candidate);
        let images = [0, 1].map(|side| (pair.identities[side], pair.images[side]));
        let is_fresh = images.iter().all(|image| seen.get(image).copied().unwrap_or(0) < REPEATS);
        if is_fresh {
            for image in images {
                *seen.entry(image).or_insert(0) += 1;
            }
        }
        is_fresh
    });
    fresh.take(SHOWN).collect()
}

/// Draws the worst pairs; `thumbnail` returns the data URI of an image.
pub(in crate::report) fn contact_sheet(
    evaluation: &Evaluation,
    thumbnail: &dyn Fn([u32; 2]) -> String,
) -> String {
    let columns = worst(evaluation);
    let rows = columns.iter().map(Vec::len).max().unwrap_or_default();
    let rows = f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
    let title = "The worst pairs";
    let mut svg = Svg::new(2.0 * COLUMN + MARGIN, TOP + rows * ROW + 12.0, title);
    svg.text("title", (MARGIN, 32.0), title);
    let threshold = evaluation.threshold.get();
    svg.text("note", (MARGIN, 52.0), &evaluation.headline());
    let key = format!(
        "Red: wrong verdict at the threshold {threshold:.3} {}. Images are preprocessed for the model; each is at most \
         twice in a column.",
        evaluation.threshold_source
    );
    svg.text("note", (MARGIN, 69.0), &key);
    let headings = ["Different, but close: false matches", "Same, but far: false non-matches"];
    for ((left, heading), pairs) in [MARGIN, MARGIN + COLUMN].into_iter().zip(headings).zip(columns)
    {
        svg.text("title", (left, TOP - 18.0), heading);
        for (row, pair) in (0..).zip(pairs) {
            let top = TOP + f64::from(row) * ROW;
            draw(&mut svg, evaluation, thumbnail, (left, top), &pair);
        }
    }
    svg.finish()
}

fn draw(
    svg: &mut Svg,
    evaluation: &Evaluation,
    thumbnail: &dyn Fn([u32; 2]) -> String,
    (left, top): (f64, f64),
    pair: &Comparison,
) {
    let called_same = evaluation.threshold.judge(pair.distance) == Verdict::Same;
    let wrong = called_same != pair.is_same;
    for (side, x) in [(0, left), (1, left + SIDE + 4.0)] {
        svg.image((x, top), SIDE, &thumbnail([pair.identities[side], pair.images[side]]));
    }
    let frame = if wrong { "wrong" } else { "right" };
    svg.rectangle(frame, (left - 3.0, top - 3.0), 2.0 * SIDE + 10.0, SIDE + 6.0);
    let beside = left + 2.0 * SIDE + 20.0;
    let verdict = if called_same { "called same" } else { "called different" };
    let words = if wrong { "error" } else { "" };
    svg.text("title", (beside, top + 26.0), &format!("{:.3}", pair.distance.get()));
    svg.text(words, (beside, top + 46.0), verdict);
    for (side, line) in [(0, top + 70.0), (1, top + 86.0)] {
        let name = evaluation.image_name(pair.identities[side], pair.images[side]);
        svg.text("note", (beside, line), &shortened(name));
    }
}

/// Shortens a long name to its end, which is more specific than its start.
fn shortened(name: &str) -> String {
    const LETTERS: usize = 30;
    let letters = name.chars().count();
    if letters <= LETTERS {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(letters + 1 - LETTERS)).collect()
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Distance;

    use super::*;

    #[test]
    fn no_image_fills_the_sheet() {
        let pair = |other| Comparison {
            distance: Distance::try_from(0.5).expect("a distance"),
            identities: [0, 1],
            images: [0, other],
            is_same: false,
        };
        let picked = pick([pair(1), pair(2), pair(3)].into_iter(), |pair| pair);
        assert_eq!(picked, [pair(1), pair(2)]);
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(shortened("s1/1.pgm"), "s1/1.pgm");
        let short = shortened("Early_Aramaic/character01/a-very-long-name/0012_03.png");
        assert_eq!(short.chars().count(), 30);
        assert!(short.starts_with('…') && short.ends_with("0012_03.png"), "{short}");
    }
}
