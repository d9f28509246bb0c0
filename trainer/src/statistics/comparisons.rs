//! All pairs of pictures, by distance.

use rayon::prelude::*;
use siamese::score::{Distance, Embedding, Rates};
use thiserror::Error;

/// Every pair of the pictures of some identities.
///
/// Invariant: there are at least two identities, at least one of them has two pictures, and the
/// pairs are in ascending distance.
#[derive(Clone, Debug)]
pub struct Comparisons {
    /// How many pictures each identity has; at least 1.
    pictures: Vec<u32>,
    pairs: Vec<Comparison>,
}

/// Two pictures and how far apart they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// How far apart the two embeddings are.
    pub distance: Distance,
    /// The identity of either picture, by its place in what was compared.
    pub identities: [u32; 2],
    /// The place of either picture among those of its identity.
    pub pictures: [u32; 2],
}

/// Why nothing can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotComparable {
    /// There is nobody to be different from.
    #[error("two identities or more are needed to tell them apart, and there are {0}")]
    TooFewIdentities(usize),
    /// There is no pair that ought to be called same.
    #[error("no identity has two pictures, so there is no pair that ought to be called same")]
    NoSamePairs,
}

impl Comparison {
    /// Whether the two pictures show one identity.
    pub fn is_same(&self) -> bool {
        self.identities[0] == self.identities[1]
    }
}

impl Comparisons {
    /// Compares every picture with every other one. `embeddings` are grouped by identity; an
    /// identity without any is left out.
    ///
    /// # Panics
    ///
    /// If the embeddings differ in width.
    pub fn new(embeddings: &[Vec<Embedding>]) -> Result<Self, NotComparable> {
        let named = embeddings.iter().zip(0_u32..).filter(|(of_one, _)| !of_one.is_empty());
        let mut flat = Vec::new();
        let mut pictures = vec![0; embeddings.len()];
        let mut identities = 0;
        for (of_one, identity) in named {
            identities += 1;
            for (embedding, picture) in of_one.iter().zip(0_u32..) {
                flat.push((identity, picture, embedding));
                pictures[identity as usize] = picture + 1;
            }
        }
        if identities < 2 {
            return Err(NotComparable::TooFewIdentities(identities));
        }
        if flat.len() == identities {
            return Err(NotComparable::NoSamePairs);
        }
        let mut pairs: Vec<Comparison> = flat
            .par_iter()
            .enumerate()
            .flat_map_iter(|(at, (identity, picture, embedding))| {
                flat[at + 1..].iter().map(|(other_identity, other_picture, other)| Comparison {
                    distance: embedding.distance(other),
                    identities: [*identity, *other_identity],
                    pictures: [*picture, *other_picture],
                })
            })
            .collect();
        // Stable, so that ties stand in the order of the pictures whatever the number of threads.
        pairs.par_sort_by(|a, b| a.distance.get().total_cmp(&b.distance.get()));
        Ok(Self { pictures, pairs })
    }

    /// All pairs, in ascending distance.
    pub fn pairs(&self) -> &[Comparison] {
        &self.pairs
    }

    /// The error rates at the distance of every pair, which grows: FMR never falls, FNMR never rises.
    pub fn rates(&self) -> impl Iterator<Item = Rates> {
        let same = self.pairs.iter().filter(|it| it.is_same()).count();
        let different = self.pairs.len() - same;
        let [mut seen_same, mut seen_different] = [0, 0];
        self.pairs.chunk_by(|a, b| a.distance == b.distance).map(move |ties| {
            let same_here = ties.iter().filter(|it| it.is_same()).count();
            seen_same += same_here;
            seen_different += ties.len() - same_here;
            Rates { fmr: share(seen_different, different), fnmr: share(same - seen_same, same) }
        })
    }

    /// How many pictures each identity has, in the order given; 0 for those left out.
    pub fn pictures(&self) -> &[u32] {
        &self.pictures
    }

    /// How many identities have pictures; at least 2.
    pub fn identities(&self) -> usize {
        self.pictures.iter().filter(|it| 0 < **it).count()
    }

    /// The distances of same pairs, and those of different pairs, each ascending.
    pub fn distances(&self) -> [Vec<Distance>; 2] {
        let (same, different): (Vec<_>, Vec<_>) = self.pairs.iter().partition(|it| it.is_same());
        [same, different].map(|side: Vec<Comparison>| side.iter().map(|it| it.distance).collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "no one has 2^53 pairs")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[&[f32]]) -> Vec<Vec<Embedding>> {
        let point = |it: &f32| Embedding::new([*it]).expect("a point");
        values.iter().map(|of_one| of_one.iter().map(point).collect()).collect()
    }

    #[test]
    fn every_picture_meets_every_other_one_once() {
        let comparisons = Comparisons::new(&points(&[&[0.0, 1.0], &[3.0]])).expect("pairs");
        let found = comparisons.pairs().iter().map(|it| (it.distance.get(), it.is_same()));
        assert_eq!(found.collect::<Vec<_>>(), [(1.0, true), (2.0, false), (3.0, false)]);
        assert_eq!(comparisons.pairs()[1].identities, [0, 1]);
        assert_eq!(comparisons.pairs()[1].pictures, [1, 0]);
    }

    #[test]
    fn rates_step_at_each_distance() {
        // Same pairs at 1 and 4; different ones at 2, 3, 6 and 7.
        let comparisons = Comparisons::new(&points(&[&[0.0, 1.0], &[3.0, 7.0]])).expect("pairs");
        let rates: Vec<_> = comparisons.rates().map(|it| (it.fmr, it.fnmr)).collect();
        assert_eq!(
            rates,
            [(0.0, 0.5), (0.25, 0.5), (0.5, 0.5), (0.5, 0.0), (0.75, 0.0), (1.0, 0.0)]
        );
    }

    #[test]
    fn an_identity_without_pictures_is_left_out_and_keeps_its_place() {
        let comparisons = Comparisons::new(&points(&[&[0.0, 1.0], &[], &[3.0]])).expect("pairs");
        assert_eq!(comparisons.identities(), 2);
        assert_eq!(comparisons.pictures(), [2, 0, 1]);
        assert_eq!(comparisons.pairs()[2].identities, [0, 2]);
    }

    #[test]
    fn what_can_not_be_told_apart_is_refused() {
        let refusal = |values: &[&[f32]]| Comparisons::new(&points(values)).expect_err("refused");
        assert_eq!(refusal(&[]), NotComparable::TooFewIdentities(0));
        assert_eq!(refusal(&[&[0.0, 1.0], &[]]), NotComparable::TooFewIdentities(1));
        assert_eq!(refusal(&[&[0.0], &[1.0]]), NotComparable::NoSamePairs);
    }
}
