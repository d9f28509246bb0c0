//! The batch of one step.

mod draws;
mod supply;

use std::ops::Range;

use rand::RngExt;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use crate::config::{LossKind, Sampling};
use crate::data::{CellTruth, Gallery};
use crate::learn::loss::{Pairs, Triplets};
pub(super) use supply::{Supplied, Supply};

/// The images of one step, and the pairs or triplets to compare.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The indices of the samples in the gallery.
    pub images: Vec<usize>,
    /// The identity of each image; empty for a list.
    pub identities: Vec<usize>,
    /// The pairs of the contrastive loss.
    pub pairs: Pairs,
    /// The triplets of the triplet loss.
    pub triplets: Triplets,
    /// What is known of each cell, for the loss of cells. There are then no images, identities, pairs or triplets.
    pub cells: Vec<CellTruth>,
}

impl Sampling {
    /// Draws a batch.
    pub fn draw(self, loss: LossKind, members: &Members, random: &mut ChaCha8Rng) -> Batch {
        let mut batch = Batch::default();
        match self {
            Self::Balanced { identities, images } => {
                for identity in sample(random, members.len(), identities.min(members.len())) {
                    batch.add_several(members, identity, images, random);
                }
                match loss {
                    LossKind::Contrastive => batch.pairs = Pairs::all(&batch.identities),
                    LossKind::Triplet => batch.triplets = Triplets::all(&batch.identities),
                    LossKind::Softmax | LossKind::MultiSimilarity | LossKind::Cells => {}
                }
            }
            Self::Drawn { draws } => {
                for draw in 0..draws {
                    match loss {
                        LossKind::Contrastive if draw % 2 == 0 => {
                            let identity = random.random_range(0..members.len());
                            batch.add_several(members, identity, 2, random);
                        }
                        LossKind::Contrastive => {
                            for identity in sample(random, members.len(), 2) {
                                batch.add_several(members, identity, 1, random);
                            }
                        }
                        LossKind::Triplet => {
                            let identities = sample(random, members.len(), 2);
                            batch.add_several(members, identities.index(0), 2, random);
                            batch.add_several(members, identities.index(1), 1, random);
                        }
                        LossKind::Softmax | LossKind::MultiSimilarity | LossKind::Cells => {
                            let identity = random.random_range(0..members.len());
                            batch.add_several(members, identity, 1, random);
                        }
                    }
                }
                match loss {
                    LossKind::Contrastive => batch.pairs = Pairs::neighbours(&batch.identities),
                    LossKind::Triplet => {
                        batch.triplets = Triplets::neighbours(batch.images.len());
                    }
                    LossKind::Softmax | LossKind::MultiSimilarity | LossKind::Cells => {}
                }
            }
        }
        batch
    }
}

impl Batch {
    /// Adds `count` images of one identity; images repeat only if there are fewer.
    fn add_several(
        &mut self,
        members: &Members,
        identity: usize,
        count: usize,
        random: &mut ChaCha8Rng,
    ) {
        let samples = members.of(identity);
        let n_distinct = count.min(samples.len());
        let distinct = sample(random, samples.len(), n_distinct);
        self.images.extend(distinct.into_iter().map(|offset| samples.start + offset));
        for _ in n_distinct..count {
            self.images.push(random.random_range(samples.clone()));
        }
        self.identities.resize(self.images.len(), identity);
    }
}

/// The samples of each identity in a gallery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(Vec<Range<usize>>);

impl Members {
    /// Finds the samples of each identity, which are consecutive.
    pub fn new(gallery: &Gallery) -> Self {
        let mut ranges: Vec<Range<usize>> = vec![0..0; gallery.identities().len()];
        for (index, sample) in gallery.samples().iter().enumerate() {
            let range = &mut ranges[sample.identity];
            *range = if range.end == 0 { index..index + 1 } else { range.start..index + 1 };
        }
        Self(ranges)
    }

    /// Returns the number of identities.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no identities.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, identity: usize) -> Range<usize> {
        self.0[identity].clone()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn members() -> Members {
        Members(vec![0..2, 2..5, 5..9])
    }

    fn draw(sampling: Sampling, loss: LossKind) -> Batch {
        sampling.draw(loss, &members(), &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[track_caller]
    fn has_correct_identities(batch: &Batch) {
        for (image, identity) in batch.images.iter().zip(&batch.identities) {
            assert!(members().of(*identity).contains(image), "{batch:?}");
        }
    }

    #[test]
    fn half_of_the_drawn_pairs_are_same_pairs_and_none_repeats_an_image() {
        let batch = draw(Sampling::Drawn { draws: 64 }, LossKind::Contrastive);
        has_correct_identities(&batch);
        assert_eq!(batch.pairs.len(), 64);
        assert_eq!(batch.pairs.different.iter().filter(|different| **different).count(), 32);
        assert!(batch.images.chunks(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_drawn_triplet_has_two_images_of_one_identity_and_one_of_another() {
        let batch = draw(Sampling::Drawn { draws: 16 }, LossKind::Triplet);
        has_correct_identities(&batch);
        assert_eq!(batch.triplets.anchor.len(), 16);
        for three in batch.identities.chunks(3) {
            assert!(three[0] == three[1] && three[1] != three[2]);
        }
    }

    #[test]
    fn a_balanced_batch_has_equally_many_images_of_each_identity() {
        let batch = draw(Sampling::Balanced { identities: 5, images: 3 }, LossKind::Contrastive);
        has_correct_identities(&batch);
        for identity in 0..3 {
            assert_eq!(batch.identities.iter().filter(|found| **found == identity).count(), 3);
        }
        assert_eq!(batch.pairs.len(), 9 * 8 / 2);
    }
}
