//! Batches from a list.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Batch;
use crate::config::{LossKind, Sampling};
use crate::data::{ListedPair, Listing};
use crate::learn::loss::{Pairs, Triplets};

/// The same pairs and the different pairs of a list. Equally many of each kind are drawn, even if there are few.
#[derive(Clone, Debug)]
pub(super) struct Draws<'a> {
    listing: &'a Listing,
    same: Vec<ListedPair>,
    different: Vec<ListedPair>,
}

impl<'a> Draws<'a> {
    /// Sorts the pairs of a list by label; there must be pairs of both kinds.
    pub(super) fn new(listing: &'a Listing) -> Self {
        let (same, different) = listing.pairs().iter().partition(|pair| pair.is_same);
        Self { listing, same, different }
    }

    /// Draws pairs, of which half are same pairs, or triplets. The number of images is about that of `sampling`.
    pub(super) fn draw(
        &self,
        sampling: Sampling,
        loss: LossKind,
        random: &mut ChaCha8Rng,
    ) -> Batch {
        let of_each = if loss == LossKind::Triplet { 3 } else { 2 };
        let draws = match sampling {
            Sampling::Drawn { draws } => draws,
            Sampling::Balanced { .. } => sampling.draws() / of_each,
        };
        let mut batch = Batch::default();
        if loss == LossKind::Triplet {
            for _ in 0..draws.max(1) {
                batch.images.extend(pick(self.listing.triplets(), random));
            }
            batch.triplets = Triplets::neighbours(batch.images.len());
        } else {
            // At least one of each kind.
            let draws = draws.max(2);
            for draw in 0..draws {
                let pairs = if draw % 2 == 0 { &self.same } else { &self.different };
                let ListedPair { left, right, .. } = pick(pairs, random);
                batch.images.extend([left, right]);
            }
            batch.pairs = Pairs::labelled((0..draws).map(|draw| draw % 2 == 1));
        }
        batch
    }
}

fn pick<T: Copy>(from: &[T], random: &mut ChaCha8Rng) -> T {
    from[random.random_range(0..from.len())]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rand::SeedableRng;
    use tempfile::TempDir;

    use super::*;
    use crate::data::Collection;

    fn draw(list: &str, sampling: Sampling, loss: LossKind) -> (Listing, Batch) {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("list.csv");
        fs::write(&path, list).expect("a file");
        let list = Collection::open(&path).expect("a list").listing().expect("a list").clone();
        let batch = Draws::new(&list).draw(sampling, loss, &mut ChaCha8Rng::seed_from_u64(1));
        (list, batch)
    }

    #[test]
    fn half_of_the_pairs_are_same_pairs_even_if_there_are_few() {
        let list = "a,b,same\n1,2,1\n3,4,0\n5,6,0\n7,8,0\n";
        let balanced = Sampling::Balanced { identities: 10, images: 4 };
        let (list, batch) = draw(list, balanced, LossKind::Contrastive);
        assert_eq!((batch.images.len(), batch.pairs.len()), (40, 20));
        for (two, different) in batch.images.chunks(2).zip(&batch.pairs.different) {
            let listed = list.pairs().iter().find(|pair| [pair.left, pair.right] == two);
            assert_eq!(listed.map(|pair| pair.is_same), Some(!different));
        }
        assert_eq!(batch.pairs.different.iter().filter(|different| **different).count(), 10);
    }

    #[test]
    fn triplets_are_drawn_unchanged() {
        let list = "anchor,positive,negative\n1,2,3\n4,5,6\n";
        let (list, batch) = draw(list, Sampling::Drawn { draws: 8 }, LossKind::Triplet);
        assert_eq!(batch.triplets.anchor.len(), 8);
        for three in batch.images.chunks(3) {
            assert!(list.triplets().iter().any(|triplet| triplet == three), "{three:?}");
        }
    }
}
