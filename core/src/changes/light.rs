//! Exposure and white balance, evened out between two photographs.

use serde::{Deserialize, Serialize};

use super::overlay::Overlay;

/// The levels of a channel.
const LEVELS: usize = 256;

/// How the light of a photograph differs from that of an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Light {
    /// For each channel, grey or red, green and blue. All are unchanged if no difference of light explains the images
    /// clearly better.
    pub channels: Vec<Tone>,
}

/// How the light of one channel differs: a level of `before` becomes `gain * level + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tone {
    /// The contrast, from 1/3 to 3.
    pub gain: f64,
    /// In levels of 0 to 255.
    pub offset: f64,
}

impl Overlay {
    /// Gives `before` the light of `after`, where the light differs. What is lighter or darker in `after` than `before` can
    /// become is clipped: there, one of the two was clipped when it was taken.
    ///
    /// Changed areas do not matter, as long as they are less than half of the pixels of most levels. The images stay as
    /// they are if they differ too much, or if they are uniform.
    pub fn even_out(&mut self) -> Light {
        let area = self.covered.len();
        let planes = self.before.chunks_exact_mut(area).zip(self.after.chunks_exact_mut(area));
        let channels = planes.map(|(before, after)| {
            let tone = Pairs::of(before, after, &self.covered).tone();
            tone.apply(before, after, &self.covered);
            tone
        });
        Light { channels: channels.collect() }
    }
}

impl Tone {
    /// No difference.
    pub const UNCHANGED: Self = Self { gain: 1.0, offset: 0.0 };

    /// The level that a level becomes, from 0 to 255.
    fn level(&self, level: f64) -> f64 {
        (self.gain * level + self.offset).clamp(0.0, 255.0)
    }

    fn apply(&self, before: &mut [u8], after: &mut [u8], covered: &[bool]) {
        if *self == Self::UNCHANGED {
            return;
        }
        let table: Vec<u8> =
            (0..=u8::MAX).map(|level| self.level(level.into()).round() as u8).collect();
        let (darkest, lightest) = (table[0], table[LEVELS - 1]);
        let pixels = before.iter_mut().zip(after).zip(covered);
        for ((before, after), _) in pixels.filter(|(_, is_covered)| **is_covered) {
            *before = table[usize::from(*before)];
            *after = (*after).clamp(darkest, lightest);
        }
    }
}

/// How often each level of `before` is at the same place as each level of `after`.
struct Pairs {
    /// `[before, after]`
    counts: Vec<u32>,
}

impl Pairs {
    fn of(before: &[u8], after: &[u8], covered: &[bool]) -> Self {
        let mut counts = vec![0; LEVELS * LEVELS];
        for ((before, after), is_covered) in before.iter().zip(after).zip(covered) {
            counts[usize::from(*before) * LEVELS + usize::from(*after)] += u32::from(*is_covered);
        }
        Self { counts }
    }

    /// The tone that explains the pairs, or [`Tone::UNCHANGED`].
    fn tone(&self) -> Tone {
        /// The least product of the slopes of both directions, which is a squared correlation: below it, the images
        /// differ in more than their light.
        const LEAST: f64 = 0.5;
        /// By how much a tone must lower the differences.
        const CLEARLY: f64 = 0.9;
        let there = curve(|before, after| self.counts[before * LEVELS + after]);
        let back = curve(|after, before| self.counts[before * LEVELS + after]);
        let (Some(there), Some(back)) = (best_line(there), best_line(back)) else {
            return Tone::UNCHANGED;
        };
        if !(0.0 < there.slope && 0.0 < back.slope && LEAST < there.slope * back.slope) {
            return Tone::UNCHANGED;
        }
        // Noise flattens both lines. It does not change their ratio.
        let gain = (there.slope / back.slope).sqrt();
        let middle = [there.middle[0] + back.middle[1], there.middle[1] + back.middle[0]];
        let tone = Tone { gain, offset: (middle[1] - gain * middle[0]) / 2.0 };
        let is_sound = (1.0 / 3.0..=3.0).contains(&gain);
        let is_clear = self.difference(&tone) < CLEARLY * self.difference(&Tone::UNCHANGED);
        if is_sound && is_clear { tone } else { Tone::UNCHANGED }
    }

    /// The mean difference of `after` from a tone of `before`, in levels. Changed areas count little.
    fn difference(&self, tone: &Tone) -> f64 {
        /// The most that a pixel counts.
        const MOST: f64 = 24.0;
        let (mut sum, mut count) = (0.0, 0.0);
        for (before, row) in self.counts.chunks_exact(LEVELS).enumerate() {
            let level = tone.level(before as f64);
            for (after, pixels) in row.iter().enumerate().filter(|(_, pixels)| 0 < **pixels) {
                sum += f64::from(*pixels) * (after as f64 - level).abs().min(MOST);
                count += f64::from(*pixels);
            }
        }
        // A half: less than that is not seen, so nothing is clearly better.
        sum / f64::max(count, 1.0) + 0.5
    }
}

/// A level, the median of the levels at its places, and a weight.
struct Knot {
    level: f64,
    median: f64,
    weight: f64,
}

/// For each level of one image, the median of the other image's.
fn curve(count: impl Fn(usize, usize) -> u32) -> Vec<Knot> {
    (0..LEVELS)
        .filter_map(|level| {
            let counts = || (0..LEVELS).map(|other| u64::from(count(level, other)));
            let all: u64 = counts().sum();
            let mut below = 0;
            let median = counts().position(|count| {
                below += count;
                all < 2 * below
            })?;
            // Frequent levels are surer, but a large background must not outweigh all others.
            Some(Knot { level: level as f64, median: median as f64, weight: (all as f64).sqrt() })
        })
        .collect()
}

/// A line through knots.
struct Line {
    slope: f64,
    /// A point of it.
    middle: [f64; 2],
}

/// The line through the knots that are not clipped in either image. If these do not determine one, as in an image of black
/// and white, the line through all knots.
fn best_line(knots: Vec<Knot>) -> Option<Line> {
    let is_clipped = |level: f64| level <= 0.0 || (LEVELS - 1) as f64 <= level;
    let (clipped, clear): (Vec<Knot>, Vec<Knot>) =
        knots.into_iter().partition(|knot| is_clipped(knot.level) || is_clipped(knot.median));
    line(&clear).or_else(|| line(&[clear, clipped].into_iter().flatten().collect::<Vec<_>>()))
}

/// The line through most knots: each has a weight that falls with its distance. `None` if they have nearly one level.
fn line(knots: &[Knot]) -> Option<Line> {
    /// The distance at which a knot has a quarter of its weight, in levels: first, and at last.
    const DISTANCES: [f64; 2] = [40.0, 5.0];
    /// The least variance of levels that shows a contrast.
    const LEAST: f64 = 30.0;
    let mut weights: Vec<f64> = knots.iter().map(|knot| knot.weight).collect();
    let mut distance = DISTANCES[0];
    loop {
        let all: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mean = |value: &dyn Fn(&Knot) -> f64| {
            knots.iter().zip(&weights).map(|(knot, weight)| weight * value(knot)).sum::<f64>() / all
        };
        let middle = [mean(&|knot| knot.level), mean(&|knot| knot.median)];
        let variance = mean(&|knot| (knot.level - middle[0]).powi(2));
        let has_contrast = LEAST < variance;
        if !has_contrast {
            return None;
        }
        let slope = mean(&|knot| (knot.level - middle[0]) * (knot.median - middle[1])) / variance;
        if distance <= DISTANCES[1] {
            return Some(Line { slope, middle });
        }
        distance *= 0.8;
        for (weight, knot) in weights.iter_mut().zip(knots) {
            let error = knot.median - middle[1] - slope * (knot.level - middle[0]);
            *weight = knot.weight / (1.0 + (error / distance).powi(2)).powi(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An overlay of one row. Each level of `before` becomes one of `after`.
    fn overlay(before: &[u8], after: impl Fn(usize, f64) -> f64) -> Overlay {
        let levels = before.iter().enumerate();
        let after = levels.map(|(index, level)| after(index, f64::from(*level)).round() as u8);
        Overlay {
            size: [before.len(), 1],
            channels: 1,
            before: before.to_vec(),
            after: after.collect(),
            covered: vec![true; before.len()],
        }
    }

    fn levels() -> Vec<u8> {
        (0..20_000_u32).map(|index| (index * 7_919 % 20_011 % 241) as u8).collect()
    }

    #[track_caller]
    fn check(mut overlay: Overlay, gain: f64, offset: f64) {
        let light = overlay.even_out();
        let [tone] = light.channels[..] else { panic!("{light:?} has one channel") };
        assert!((tone.gain - gain).abs() < 0.03, "{tone:?}");
        assert!((tone.offset - offset).abs() < 3.0, "{tone:?}");
    }

    #[test]
    fn a_different_light_is_measured() {
        for (gain, offset) in [(0.7, 10.0), (1.4, -20.0), (1.0, 30.0)] {
            check(overlay(&levels(), |_, level| gain * level + offset), gain, offset);
        }
    }

    #[test]
    fn changes_do_not_matter() {
        let changed =
            |index, level| if usize::is_multiple_of(index, 3) { 250.0 } else { 0.8 * level + 5.0 };
        check(overlay(&levels(), changed), 0.8, 5.0);
    }

    #[test]
    fn noise_does_not_matter() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut noisy = |level: f64| (level + 30.0 * rng.f64() - 15.0).round() as u8;
        let scene: Vec<f64> = levels().iter().map(|level| f64::from(*level) / 2.0 + 50.0).collect();
        let before: Vec<u8> = scene.iter().map(|level| noisy(*level)).collect();
        let after: Vec<u8> = scene.iter().map(|level| noisy(0.7 * level + 20.0)).collect();
        check(overlay(&before, |index, _| f64::from(after[index])), 0.7, 20.0);
    }

    #[test]
    fn the_same_light_is_left_alone() {
        let board: Vec<u8> =
            levels().iter().map(|level| if *level < 90 { 0 } else { 255 }).collect();
        let defects =
            |index: usize, level: f64| if index.is_multiple_of(11) { 255.0 - level } else { level };
        let noise = |index: usize, level: f64| (level + (index % 5) as f64 - 2.0).clamp(0.0, 255.0);
        for mut overlay in [
            overlay(&board, |_, level| level),
            overlay(&board, defects),
            overlay(&board, noise),
            overlay(&levels(), defects),
            overlay(&levels(), noise),
            // Other images, and uniform ones.
            overlay(&levels(), |index, _| (index * 131 % 251) as f64),
            overlay(&levels(), |_, level| 255.0 - level),
            overlay(&levels(), |_, _| 100.0),
            overlay(&[100; 50], |_, _| 140.0),
            overlay(&[100; 50], |index, _| (index * 5) as f64),
        ] {
            let before = overlay.before.clone();
            let light = overlay.even_out();
            assert_eq!(light.channels, [Tone::UNCHANGED]);
            assert_eq!(overlay.before, before);
        }
    }

    #[test]
    fn clipped_highlights_are_no_difference() {
        // A longer exposure clips what is light, and a shorter one shows it.
        let clipped: Vec<u8> = levels().iter().map(|level| level.saturating_mul(2)).collect();
        let scene = levels();
        let mut overlay = overlay(&clipped, |index, _| f64::from(scene[index]));
        overlay.even_out();
        let differences = overlay.before.iter().zip(&overlay.after);
        let greatest = differences.map(|(before, after)| before.abs_diff(*after)).max();
        assert!(greatest <= Some(3), "{greatest:?}");
    }

    #[test]
    fn each_channel_has_its_own_tone_where_the_images_overlap() {
        let area = levels().len();
        let mut covered = vec![true; area];
        covered[..100].fill(false);
        let after = levels().into_iter().map(|level| level / 2 + 60);
        let mut overlay = Overlay {
            size: [area, 1],
            channels: 3,
            before: levels().repeat(3),
            after: [levels(), after.collect(), levels()].concat(),
            covered,
        };
        let light = overlay.even_out();
        assert_eq!((light.channels[0], light.channels[2]), (Tone::UNCHANGED, Tone::UNCHANGED));
        assert!((light.channels[1].gain - 0.5).abs() < 0.02, "{light:?}");
        let [before, after] =
            [&overlay.before, &overlay.after].map(|planes| &planes[area..2 * area]);
        assert_eq!(before[..100], levels()[..100]);
        let even = before.iter().zip(after).skip(100);
        assert!(
            even.map(|(before, after)| before.abs_diff(*after)).all(|difference| difference <= 2)
        );
    }
}
