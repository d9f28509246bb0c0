//! How much images are like those that a model was calibrated on.

use std::fmt::{Display, Formatter};

use serde::Serialize;
use siamese_core::score::{Example, Familiarity, NotDescribed, UNFAMILIAR};

use super::Embedded;

/// How much images are like those that their model was calibrated on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Familiar {
    /// The share of the images that the server would warn of, in `[0, 1]`.
    pub unfamiliar: f64,
    /// The mean familiarity; 0.5 is expected of images like those of the calibration.
    pub mean: f64,
}

impl Embedded {
    /// Describes what the images look like to the model.
    pub fn familiarity(&self) -> Result<Familiarity, NotDescribed> {
        let images = self.with_statistics();
        let examples: Vec<_> = images
            .iter()
            .map(|(identity, embedding, statistics)| Example {
                identity: *identity,
                embedding,
                statistics,
            })
            .collect();
        Familiarity::fit(&examples)
    }

    /// Compares the images with the description on the model's card; `None` if it has none.
    pub(super) fn familiar(&self) -> Option<Familiar> {
        let described = self.card().familiarity.as_ref()?;
        let images = self.with_statistics();
        let values = images
            .iter()
            .filter_map(|(_, embedding, statistics)| described.of(embedding, statistics));
        let (mut count, mut unfamiliar, mut sum) = (0.0, 0.0, 0.0);
        for value in values {
            count += 1.0;
            sum += value;
            if value < UNFAMILIAR {
                unfamiliar += 1.0;
            }
        }
        (0.0 < count).then(|| Familiar { unfamiliar: unfamiliar / count, mean: sum / count })
    }
}

impl Display for Familiar {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} % of these images are unlike those of the calibration, and the mean familiarity is {:.2}; some {:.0} % and \
             0.50 are expected of similar ones",
            100.0 * self.unfamiliar,
            self.mean,
            100.0 * UNFAMILIAR
        )
    }
}
