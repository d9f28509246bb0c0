//! The errors of each identity.

use serde::Serialize;

use super::Evaluation;
use crate::statistics::Unit;

/// The errors of one identity at the threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfIdentity {
    /// The name of the identity.
    pub name: String,
    /// The number of its images.
    pub images: u32,
    /// The share of its pairs with other identities that are called same.
    pub fmr: f64,
    /// The share of its same pairs that are called different; `None` if it has one image.
    pub fnmr: Option<f64>,
}

impl Evaluation {
    /// Returns the errors of each identity at the threshold; empty for a list, which names no identities.
    pub fn by_identity(&self) -> Vec<OfIdentity> {
        #[derive(Clone, Copy, Default)]
        struct Tally {
            pairs: u32,
            wrong: u32,
        }
        impl Tally {
            fn share(self) -> Option<f64> {
                (0 < self.pairs).then(|| f64::from(self.wrong) / f64::from(self.pairs))
            }
        }
        if self.comparisons.unit() == Unit::Component {
            return Vec::new();
        }
        let identities = self.comparisons.images().len();
        let [mut own, mut others] = [(); 2].map(|()| vec![Tally::default(); identities]);
        for pair in self.comparisons.pairs() {
            let called_same = pair.distance.get() <= self.threshold.get();
            let [left, right] = pair.identities.map(|identity| identity as usize);
            if pair.is_same {
                own[left].pairs += 1;
                own[left].wrong += u32::from(!called_same);
            } else {
                for of_one in [left, right] {
                    others[of_one].pairs += 1;
                    others[of_one].wrong += u32::from(called_same);
                }
            }
        }
        let named = self.subject.identities.iter().zip(self.comparisons.images());
        named
            .zip(own.into_iter().zip(others))
            .filter(|((_, images), _)| 0 < **images)
            .map(|((name, images), (own, others))| OfIdentity {
                name: name.clone(),
                images: *images,
                fmr: others.share().unwrap_or_default(),
                fnmr: own.share(),
            })
            .collect()
    }
}
