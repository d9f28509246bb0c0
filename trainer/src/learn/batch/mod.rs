//! What one step sees.

mod draws;
mod supply;

use std::ops::Range;

use rand::RngExt;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use crate::config::{LossKind, Sampling};
use crate::data::Gallery;
use crate::learn::loss::{Pairs, Triplets};
pub(super) use supply::{Supplied, Supply};

/// The images of one step, and what is compared with what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Places among the gallery's samples.
    pub images: Vec<usize>,
    /// The identity of each; of a list's images nobody says.
    pub identities: Vec<usize>,
    /// What a contrastive loss compares.
    pub pairs: Pairs,
    /// What a triplet loss compares.
    pub triplets: Triplets,
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
                    LossKind::Softmax | LossKind::MultiSimilarity => {}
                }
            }
            Self::Drawn { draws } => {
                for at in 0..draws {
                    match loss {
                        LossKind::Contrastive if at % 2 == 0 => {
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
                        LossKind::Softmax | LossKind::MultiSimilarity => {
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
                    LossKind::Softmax | LossKind::MultiSimilarity => {}
                }
            }
        }
        batch
    }
}

impl Batch {
    /// Adds `count` images of one identity, no two the same while there are enough.
    fn add_several(
        &mut self,
        members: &Members,
        identity: usize,
        count: usize,
        random: &mut ChaCha8Rng,
    ) {
        let places = members.of(identity);
        let n_distinct = count.min(places.len());
        let distinct = sample(random, places.len(), n_distinct);
        self.images.extend(distinct.into_iter().map(|it| places.start + it));
        for _ in n_distinct..count {
            self.images.push(random.random_range(places.clone()));
        }
        self.identities.resize(self.images.len(), identity);
    }
}

/// Which of a gallery's samples show whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(Vec<Range<usize>>);

impl Members {
    /// Finds each identity's samples, which stand side by side.
    pub fn new(gallery: &Gallery) -> Self {
        let mut ranges: Vec<Range<usize>> = vec![0..0; gallery.identities().len()];
        for (at, sample) in gallery.samples().iter().enumerate() {
            let range = &mut ranges[sample.identity];
            *range = if range.end == 0 { at..at + 1 } else { range.start..at + 1 };
        }
        Self(ranges)
    }

    /// How many identities there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
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
    fn shows(batch: &Batch) {
        for (image, identity) in batch.images.iter().zip(&batch.identities) {
            assert!(members().of(*identity).contains(image), "{batch:?}");
        }
    }

    #[test]
    fn half_of_the_drawn_pairs_are_the_same_and_none_is_one_image_twice() {
        let batch = draw(Sampling::Drawn { draws: 64 }, LossKind::Contrastive);
        shows(&batch);
        assert_eq!(batch.pairs.len(), 64);
        assert_eq!(batch.pairs.different.iter().filter(|it| **it).count(), 32);
        assert!(batch.images.chunks(2).all(|it| it[0] != it[1]));
    }

    #[test]
    fn a_drawn_triplet_is_two_of_one_and_one_of_another() {
        let batch = draw(Sampling::Drawn { draws: 16 }, LossKind::Triplet);
        shows(&batch);
        assert_eq!(batch.triplets.anchor.len(), 16);
        for three in batch.identities.chunks(3) {
            assert!(three[0] == three[1] && three[1] != three[2]);
        }
    }

    #[test]
    fn a_balanced_batch_has_as_many_of_each() {
        let batch = draw(Sampling::Balanced { identities: 5, images: 3 }, LossKind::Contrastive);
        shows(&batch);
        for identity in 0..3 {
            assert_eq!(batch.identities.iter().filter(|it| **it == identity).count(), 3);
        }
        assert_eq!(batch.pairs.len(), 9 * 8 / 2);
    }
}
