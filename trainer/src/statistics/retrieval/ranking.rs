//! The ranking of each query.

use crate::statistics::{Comparison, Comparisons, real};

/// The ranks of recall.
const RANKS: [usize; 2] = [1, 5];

/// The ranking of one query, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ranking {
    /// The number of images that are ranked.
    ranked: usize,
    /// The number of images of the identity among them.
    pub(super) found: usize,
    /// Whether an image of the identity is within each of the [`RANKS`], as a probability.
    pub(super) recall: [f64; RANKS.len()],
    /// The sum of the precisions at each found image.
    pub(super) precisions: f64,
    /// Among the images at the distance that is being read: all, and those of the identity.
    tied: [usize; 2],
}

/// Ranks the other images of each image, by identity.
///
/// It reads the pairs once, in the order of their distances, and keeps a few numbers for each image.
pub(super) fn rankings(comparisons: &Comparisons) -> Vec<Vec<Ranking>> {
    let of_identity = |count: &u32| vec![Ranking::default(); *count as usize];
    let mut rankings: Vec<Vec<Ranking>> = comparisons.images().iter().map(of_identity).collect();
    let image = |pair: &Comparison, side: usize| {
        [pair.identities[side], pair.images[side]].map(|index| index as usize)
    };
    let mut touched = Vec::new();
    for ties in comparisons.pairs().chunk_by(|a, b| a.distance == b.distance) {
        for pair in ties {
            for query in [0, 1].map(|side| image(pair, side)) {
                let tied = &mut rankings[query[0]][query[1]].tied;
                if tied[0] == 0 {
                    touched.push(query);
                }
                tied[0] += 1;
                tied[1] += usize::from(pair.is_same);
            }
        }
        for [identity, image] in touched.drain(..) {
            rankings[identity][image].advance();
        }
    }
    rankings
}

impl Ranking {
    /// Ranks the tied images next.
    fn advance(&mut self) {
        let [all, same] = std::mem::take(&mut self.tied);
        if self.found == 0 {
            for (recall, rank) in self.recall.iter_mut().zip(RANKS) {
                let within = rank.saturating_sub(self.ranked).min(all);
                *recall = 1.0 - missed(all, same, within);
            }
        }
        if 0 < same {
            for place in 1..=all {
                // The expected number of images of the identity before one that stands at this place.
                let before = match all {
                    1 => 0.0,
                    _ => real(place - 1) * real(same - 1) / real(all - 1),
                };
                let precision = (real(self.found) + before + 1.0) / real(self.ranked + place);
                self.precisions += real(same) / real(all) * precision;
            }
        }
        self.ranked += all;
        self.found += same;
    }
}

/// Returns the probability that none of the `same` images is among the first `within` of `all`, in random order.
fn missed(all: usize, same: usize, within: usize) -> f64 {
    (0..within).map(|drawn| real((all - drawn).saturating_sub(same)) / real(all - drawn)).product()
}
