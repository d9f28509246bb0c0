//! Pairs of images, sorted by distance.

use rayon::prelude::*;
use siamese_core::score::{Distance, Embedding, Rates};
use thiserror::Error;

use super::{Unit, real};

/// All pairs of the images of some identities, or listed pairs. For listed pairs, components take the role of identities.
///
/// Invariant: there are same pairs and different pairs, and pairs are in order of ascending distance. Without a list, there
/// are at least two identities, and every image is compared with every other.
#[derive(Clone, Debug)]
pub struct Comparisons {
    unit: Unit,
    /// The number of images of each identity.
    images: Vec<u32>,
    /// The numbers of same and different pairs within each identity.
    within: Vec<[u64; 2]>,
    pairs: Vec<Comparison>,
}

/// Two images and their distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The distance of the two embeddings.
    pub distance: Distance,
    /// The index of the identity of each image.
    pub identities: [u32; 2],
    /// The index of each image within its identity.
    pub images: [u32; 2],
    /// Whether it is a same pair.
    pub is_same: bool,
}

/// Images cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotComparable {
    /// There are too few identities for different pairs.
    #[error("at least two identities are needed, and there are {0}")]
    TooFewIdentities(usize),
    /// There is no same pair.
    #[error("no identity has two images, so there are no same pairs")]
    NoSamePairs,
    /// There is no different pair.
    #[error("there are no different pairs")]
    NoDifferentPairs,
}

impl Comparisons {
    /// Compares every image with every other one. `embeddings` are grouped by identity; an identity without images is
    /// ignored.
    ///
    /// # Panics
    ///
    /// If the embeddings differ in width.
    pub fn new(embeddings: &[Vec<Embedding>]) -> Result<Self, NotComparable> {
        let named = embeddings.iter().zip(0_u32..).filter(|(images_of, _)| !images_of.is_empty());
        let mut flat = Vec::new();
        let mut images = vec![0; embeddings.len()];
        let mut identities = 0;
        for (images_of, identity) in named {
            identities += 1;
            for (embedding, image) in images_of.iter().zip(0_u32..) {
                flat.push((identity, image, embedding));
                images[identity as usize] = image + 1;
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
            .flat_map_iter(|(at, (identity, image, embedding))| {
                flat[at + 1..].iter().map(move |(other_identity, other_image, other)| Comparison {
                    distance: embedding.distance(other),
                    identities: [*identity, *other_identity],
                    images: [*image, *other_image],
                    is_same: identity == other_identity,
                })
            })
            .collect();
        let own = |images: &u32| u64::from(*images) * u64::from(images.saturating_sub(1)) / 2;
        let within = images.iter().map(|count| [own(count), 0]).collect();
        sort(&mut pairs);
        Ok(Self { unit: Unit::Identity, images, within, pairs })
    }

    /// Compares the listed pairs. A pair has two images, each given by the index of its component and its index within it,
    /// and whether it is a same pair. `embeddings` are grouped by component.
    ///
    /// # Panics
    ///
    /// If the embeddings differ in width, or a pair is of two components.
    pub fn listed(
        embeddings: &[Vec<Embedding>],
        pairs: &[([[u32; 2]; 2], bool)],
    ) -> Result<Self, NotComparable> {
        let embedding =
            |[component, image]: [u32; 2]| &embeddings[component as usize][image as usize];
        let mut found: Vec<Comparison> = pairs
            .par_iter()
            .map(|&([left, right], is_same)| Comparison {
                distance: embedding(left).distance(embedding(right)),
                identities: [left[0], right[0]],
                images: [left[1], right[1]],
                is_same,
            })
            .collect();
        let mut within = vec![[0, 0]; embeddings.len()];
        for pair in &found {
            assert_eq!(pair.identities[0], pair.identities[1], "a pair connects its images");
            within[pair.identities[0] as usize][usize::from(!pair.is_same)] += 1;
        }
        if !found.iter().any(|pair| pair.is_same) {
            return Err(NotComparable::NoSamePairs);
        }
        if found.iter().all(|pair| pair.is_same) {
            return Err(NotComparable::NoDifferentPairs);
        }
        sort(&mut found);
        let images = embeddings.iter().map(|images| images.len().try_into().unwrap_or(u32::MAX));
        Ok(Self { unit: Unit::Component, images: images.collect(), within, pairs: found })
    }

    /// Takes measured distances of `n_components` components. A distance has the index of its component, and whether it is
    /// that of a same pair.
    ///
    /// # Panics
    ///
    /// If there is no such component.
    pub fn measured(
        n_components: usize,
        distances: impl IntoIterator<Item = (u32, Distance, bool)>,
    ) -> Result<Self, NotComparable> {
        let mut images = vec![0; n_components];
        let mut within = vec![[0, 0]; n_components];
        let pair = |(component, distance, is_same): (u32, Distance, bool)| {
            images[component as usize] = 2;
            within[component as usize][usize::from(!is_same)] += 1;
            Comparison { distance, identities: [component; 2], images: [0, 1], is_same }
        };
        let mut pairs: Vec<Comparison> = distances.into_iter().map(pair).collect();
        let [same, different] = [0, 1].map(|kind| within.iter().any(|counts| 0 < counts[kind]));
        if !same {
            return Err(NotComparable::NoSamePairs);
        }
        if !different {
            return Err(NotComparable::NoDifferentPairs);
        }
        sort(&mut pairs);
        Ok(Self { unit: Unit::Component, images, within, pairs })
    }

    /// Returns the unit of resampling.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Returns the numbers of same and different pairs within each identity, in the given order.
    pub(super) fn within(&self) -> &[[u64; 2]] {
        &self.within
    }

    /// Returns all pairs, in order of ascending distance.
    pub fn pairs(&self) -> &[Comparison] {
        &self.pairs
    }

    /// Returns the error rates at the distance of every pair, in ascending order: FMR never falls, and FNMR never rises.
    pub fn rates(&self) -> impl Iterator<Item = Rates> {
        let same = self.pairs.iter().filter(|pair| pair.is_same).count();
        let different = self.pairs.len() - same;
        let [mut seen_same, mut seen_different] = [0, 0];
        self.pairs.chunk_by(|a, b| a.distance == b.distance).map(move |ties| {
            let same_here = ties.iter().filter(|pair| pair.is_same).count();
            seen_same += same_here;
            seen_different += ties.len() - same_here;
            Rates { fmr: share(seen_different, different), fnmr: share(same - seen_same, same) }
        })
    }

    /// Returns the number of images of each identity, in the given order; 0 for ignored identities.
    pub fn images(&self) -> &[u32] {
        &self.images
    }

    /// Returns the number of identities with images (at least 2), or of components (at least 1).
    pub fn identities(&self) -> usize {
        self.images.iter().filter(|count| 0 < **count).count()
    }

    /// Returns the distances of same pairs and of different pairs, each ascending.
    pub fn distances(&self) -> [Vec<Distance>; 2] {
        let (same, different): (Vec<_>, Vec<_>) = self.pairs.iter().partition(|pair| pair.is_same);
        [same, different]
            .map(|side: Vec<Comparison>| side.iter().map(|pair| pair.distance).collect())
    }
}

/// Sorts pairs by distance. The sort is stable, so the order of ties does not depend on the threads.
fn sort(pairs: &mut [Comparison]) {
    pairs.par_sort_by(|a, b| a.distance.get().total_cmp(&b.distance.get()));
}

fn share(part: usize, whole: usize) -> f64 {
    real(part) / real(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[&[f32]]) -> Vec<Vec<Embedding>> {
        let point = |value: &f32| Embedding::new([*value]).expect("a point");
        values.iter().map(|images_of| images_of.iter().map(point).collect()).collect()
    }

    #[test]
    fn every_image_is_compared_with_every_other_once() {
        let comparisons = Comparisons::new(&points(&[&[0.0, 1.0], &[3.0]])).expect("pairs");
        let found = comparisons.pairs().iter().map(|pair| (pair.distance.get(), pair.is_same));
        assert_eq!(found.collect::<Vec<_>>(), [(1.0, true), (2.0, false), (3.0, false)]);
        assert_eq!(comparisons.pairs()[1].identities, [0, 1]);
        assert_eq!(comparisons.pairs()[1].images, [1, 0]);
    }

    #[test]
    fn rates_step_at_each_distance() {
        // Same pairs with distances 1 and 4; different pairs with 2, 3, 6 and 7.
        let comparisons = Comparisons::new(&points(&[&[0.0, 1.0], &[3.0, 7.0]])).expect("pairs");
        let rates: Vec<_> = comparisons.rates().map(|rates| (rates.fmr, rates.fnmr)).collect();
        assert_eq!(
            rates,
            [(0.0, 0.5), (0.25, 0.5), (0.5, 0.5), (0.5, 0.0), (0.75, 0.0), (1.0, 0.0)]
        );
    }

    #[test]
    fn an_identity_without_images_is_ignored_and_keeps_its_index() {
        let comparisons = Comparisons::new(&points(&[&[0.0, 1.0], &[], &[3.0]])).expect("pairs");
        assert_eq!(comparisons.identities(), 2);
        assert_eq!(comparisons.images(), [2, 0, 1]);
        assert_eq!(comparisons.pairs()[2].identities, [0, 2]);
    }

    #[test]
    fn images_without_both_kinds_of_pairs_are_rejected() {
        let refusal = |values: &[&[f32]]| Comparisons::new(&points(values)).expect_err("refused");
        assert_eq!(refusal(&[]), NotComparable::TooFewIdentities(0));
        assert_eq!(refusal(&[&[0.0, 1.0], &[]]), NotComparable::TooFewIdentities(1));
        assert_eq!(refusal(&[&[0.0], &[1.0]]), NotComparable::NoSamePairs);
    }

    #[test]
    fn measured_distances_are_pairs_within_their_component() {
        let distance = |value: f64| Distance::try_from(value).expect("a distance");
        let distances =
            [(2, distance(3.0), false), (0, distance(1.0), true), (2, distance(2.0), true)];
        let comparisons = Comparisons::measured(3, distances).expect("pairs");
        let found = comparisons.pairs().iter().map(|pair| (pair.distance.get(), pair.is_same));
        assert_eq!(found.collect::<Vec<_>>(), [(1.0, true), (2.0, true), (3.0, false)]);
        assert_eq!(
            (comparisons.identities(), comparisons.within()),
            (2, &[[1, 0], [0, 0], [1, 1]][..])
        );
        let refusal = Comparisons::measured(3, distances.into_iter().skip(1)).expect_err("refused");
        assert_eq!(refusal, NotComparable::NoDifferentPairs);
    }

    #[test]
    fn only_the_listed_pairs_are_compared() {
        let points = points(&[&[0.0, 1.0, 4.0], &[3.0, 9.0]]);
        let pairs = [([[0, 0], [0, 1]], true), ([[1, 1], [1, 0]], true), ([[0, 2], [0, 1]], false)];
        let comparisons = Comparisons::listed(&points, &pairs).expect("pairs");
        let found = comparisons.pairs().iter().map(|pair| (pair.distance.get(), pair.is_same));
        assert_eq!(found.collect::<Vec<_>>(), [(1.0, true), (3.0, false), (6.0, true)]);
        assert_eq!(comparisons.within(), [[1, 1], [1, 0]]);
        assert_eq!((comparisons.identities(), comparisons.images()), (2, &[3, 2][..]));

        let refusal = |pairs| Comparisons::listed(&points, pairs).expect_err("refused");
        assert_eq!(refusal(&pairs[..2]), NotComparable::NoDifferentPairs);
        assert_eq!(refusal(&pairs[2..]), NotComparable::NoSamePairs);
    }
}
