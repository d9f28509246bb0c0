//! Whether the images that a model sees now are still like those of its calibration.

use super::Familiarity;

/// The images of a day at 10 pairs a second.
const IMAGES_OF_A_DAY: f64 = 24.0 * 60.0 * 60.0 * 10.0 * 2.0;

/// How much of the possible is bet on each image. A larger bet notices a change sooner, and is misled sooner by many images
/// of one unusual identity in a row.
const BET: f64 = 0.5;

/// The evidence is not collected beyond this many times the alarm, so that the stream can recover.
const BEYOND: f64 = 10.0;

/// The evidence that a stream of images is less familiar than a calibration allows.
///
/// It is the Shiryaev-Roberts statistic `R ← (1 + R) · (1 + (m - f) / 2)` for the familiarity `f` of each image, where `m` is
/// the [tolerated](Familiarity::tolerated) mean (A. Shiryaev, *On optimum methods in quickest detection problems*, 1963;
/// the factor is a bet on a bounded mean, as in I. Waudby-Smith, A. Ramdas, *Estimating means of bounded random variables
/// by betting*, 2024). Images that are familiar reduce it, so in effect it sums over the last one or two hundred.
///
/// **False alarms.** As long as the expected familiarity of each image, given those before it, is at least `m`, the
/// expected factor is at most 1. So `R - n` after `n` images is a supermartingale, and the mean number of images until
/// `R` reaches `c` is at least `c`, whatever the distribution is. `c` is 1,728,000: the images of a day at 10 pairs a
/// second. **Delay.** If nearly all images are unfamiliar, `R` grows by a factor of nearly `1 + m / 2` for each: some 72
/// images for an `m` of 0.45, and 106 for one of 0.3.
///
/// Many images of one unusual identity in a row are evidence too: then the expected familiarity, given those before, is
/// lower.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stream {
    evidence: f64,
}

impl Stream {
    /// Adds an image of the model of `described`, with its [familiarity](Familiarity::of).
    pub fn add(&mut self, described: &Familiarity, familiarity: f64) {
        let factor = 1.0 + BET * (described.tolerated() - familiarity);
        self.evidence = ((1.0 + self.evidence) * factor).clamp(0.0, BEYOND * IMAGES_OF_A_DAY);
    }

    /// How much evidence there is, as a share of that of an alarm, on a logarithmic scale: 0 without any, and 1 or more,
    /// up to 1.2, if the stream is unlike the calibration.
    pub fn drift(self) -> f64 {
        self.evidence.ln_1p() / IMAGES_OF_A_DAY.ln_1p()
    }

    /// Whether the stream is unlike the calibration.
    pub fn is_unfamiliar(self) -> bool {
        1.0 <= self.drift()
    }
}
