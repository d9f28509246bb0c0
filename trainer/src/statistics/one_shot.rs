//! N-way one-shot error: how often the nearest of N enrolled identities is the wrong one.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
use siamese_core::score::Embedding;
use thiserror::Error;

use super::real;

/// N-way, K-shot episodes within groups of similar identities.
///
/// The name of an identity defines its group: `Greek/character01` belongs to the group `Greek`, and names without a `/`
/// form one group. An episode draws `ways` identities of one group. For each, `shots` images are enrolled, and another
/// image is the query; the query is correct if the nearest enrolled image is of the same identity. The groups take turns,
/// so each has the same weight.
///
/// If all identities of a group have the same number of images, the k-th image of each is assumed to come from the same
/// source, such as a drawer. Queries and enrolled images then come from different sources, one for each shot. On Omniglot,
/// where the k-th image is from the k-th drawer, with 20 ways and one shot, this is the task of B. Lake, R. Salakhutdinov,
/// J. Tenenbaum, *Human-level concept learning through probabilistic program induction*, Science 2015, with random sets
/// instead of their fixed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneShot {
    /// The number of identities in an episode; at least 2.
    pub ways: usize,
    /// The number of enrolled images per identity; at least 1.
    pub shots: usize,
    /// The number of episodes, each with one query per identity; at least 1.
    pub episodes: u32,
    /// The random seed; it gives the same episodes on any number of threads.
    pub seed: u64,
}

/// The result of the episodes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OneShotRate {
    /// The number of identities in an episode.
    pub ways: usize,
    /// The number of enrolled images per identity.
    pub shots: usize,
    /// The number of episodes.
    pub episodes: u32,
    /// The share of wrong queries, in `[0, 1]`; each group has the same weight. With a tie, one of the nearest is picked at
    /// random. Random guessing gives `1 - 1 / ways`.
    pub error: f64,
    /// The standard error of `error` over episodes within each group. It covers other episodes of these identities, but not
    /// other groups.
    pub standard_error: f64,
    /// The error within each group, in the order of their names.
    pub groups: Vec<GroupRate>,
    /// The groups with too few identities for an episode.
    pub left_out: Vec<String>,
}

/// The error within one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupRate {
    /// The name of the group; empty for identities without a `/`.
    pub name: String,
    /// The number of identities with enough images.
    pub identities: usize,
    /// The share of wrong queries.
    pub error: f64,
}

/// No episodes can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoEpisode {
    /// A number is too small.
    #[error(
        "one-shot error needs at least 2 ways, 1 shot and 1 episode, not {ways} ways, {shots} shots and {episodes} \
         episodes"
    )]
    TooSmall {
        /// The requested number of identities.
        ways: usize,
        /// The requested number of enrolled images.
        shots: usize,
        /// The requested number of episodes.
        episodes: u32,
    },
    /// No group is large enough.
    #[error(
        "no folder has {ways} identities with {images} images or more each; the largest has \
         {largest}: ask for fewer"
    )]
    TooFewIdentities {
        /// The number of identities in an episode.
        ways: usize,
        /// The number of images that each needs.
        images: usize,
        /// The number of identities in the largest group.
        largest: usize,
    },
}

impl OneShot {
    /// Draws the episodes. `names` and `embeddings` are by identity, in the same order.
    ///
    /// # Panics
    ///
    /// If the embeddings differ in width.
    pub fn measure(
        &self,
        names: &[String],
        embeddings: &[Vec<Embedding>],
    ) -> Result<OneShotRate, NoEpisode> {
        let Self { ways, shots, episodes, .. } = *self;
        if ways < 2 || shots < 1 || episodes < 1 {
            return Err(NoEpisode::TooSmall { ways, shots, episodes });
        }
        let (large, small): (Vec<_>, Vec<_>) =
            groups(names, embeddings, shots).into_iter().partition(|(_, it)| ways <= it.len());
        if large.is_empty() {
            let largest = small.iter().map(|(_, it)| it.len()).max().unwrap_or_default();
            return Err(NoEpisode::TooFewIdentities { ways, images: shots + 1, largest });
        }
        let errors: Vec<f64> = (0..episodes)
            .into_par_iter()
            .map(|episode| {
                let mut random = ChaCha8Rng::seed_from_u64(self.seed);
                random.set_stream(u64::from(episode));
                let (_, group) = &large[episode as usize % large.len()];
                self.episode(group, &mut random)
            })
            .collect();
        // With fewer episodes than groups, the last groups have none.
        let played = large.len().min(errors.len());
        let of_groups: Vec<(f64, f64)> = (0..played)
            .map(|at| {
                mean(&errors.iter().skip(at).step_by(large.len()).copied().collect::<Vec<_>>())
            })
            .collect();
        let (error, _) = mean(&of_groups.iter().map(|group| group.0).collect::<Vec<_>>());
        // The groups are fixed, so the differences between them are not random.
        let variances = of_groups.iter().map(|(_, deviation)| deviation.powi(2)).sum::<f64>();
        Ok(OneShotRate {
            ways,
            shots,
            episodes,
            error,
            standard_error: variances.sqrt() / real(played),
            groups: large
                .iter()
                .zip(of_groups)
                .map(|((name, group), (error, _))| GroupRate {
                    name: (*name).to_owned(),
                    identities: group.len(),
                    error,
                })
                .collect(),
            left_out: small.into_iter().map(|(name, _)| name.to_owned()).collect(),
        })
    }

    /// Returns the share of wrong queries in one episode.
    fn episode(&self, group: &[&[Embedding]], random: &mut ChaCha8Rng) -> f64 {
        let drawn: Vec<_> =
            index::sample(random, group.len(), self.ways).iter().map(|at| group[at]).collect();
        let is_even = group.iter().all(|images| images.len() == group[0].len());
        let common = is_even.then(|| index::sample(random, group[0].len(), self.shots + 1));
        let (mut enrolled, mut queries) = (Vec::new(), Vec::new());
        for (identity, images) in drawn.iter().enumerate() {
            let indices = match &common {
                Some(indices) => indices.clone(),
                None => index::sample(random, images.len(), self.shots + 1),
            };
            queries.push(&images[indices.index(0)]);
            enrolled.extend(indices.iter().skip(1).map(|index| (identity, &images[index])));
        }
        let wrong =
            queries.iter().enumerate().map(|(identity, image)| wrong(identity, image, &enrolled));
        mean(&wrong.collect::<Vec<_>>()).0
    }
}

/// Returns the error of a query: 0 if the nearest enrolled image is of this identity, 1 if not, and the mean with a tie.
fn wrong(identity: usize, image: &Embedding, enrolled: &[(usize, &Embedding)]) -> f64 {
    let distances: Vec<_> =
        enrolled.iter().map(|(_, embedding)| image.distance(embedding).get()).collect();
    let nearest = distances.iter().copied().fold(f64::INFINITY, f64::min);
    let tied = enrolled.iter().zip(&distances).filter(|(_, distance)| **distance <= nearest);
    let errors: Vec<f64> =
        tied.map(|((found, _), _)| if *found == identity { 0.0 } else { 1.0 }).collect();
    mean(&errors).0
}

/// Returns the identities with enough images, by group.
fn groups<'a>(
    names: &'a [String],
    embeddings: &'a [Vec<Embedding>],
    shots: usize,
) -> BTreeMap<&'a str, Vec<&'a [Embedding]>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for (name, images) in names.iter().zip(embeddings) {
        let group = groups.entry(name.rsplit_once('/').map_or("", |(group, _)| group)).or_default();
        if shots < images.len() {
            group.push(images.as_slice());
        }
    }
    groups
}

/// Returns the mean of at least one value, and its standard error (0 for a single value).
fn mean(values: &[f64]) -> (f64, f64) {
    let count = real(values.len());
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0) / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWENTY: OneShot = OneShot { ways: 20, shots: 1, episodes: 40, seed: 1 };

    /// Makes a group of `n_identities` with 4 images each; `place` returns the embedding of an image.
    fn group(
        group: &str,
        n_identities: u8,
        place: impl Fn(u8, u8) -> [f32; 2],
    ) -> (Vec<String>, Vec<Vec<Embedding>>) {
        let images_of = |identity| {
            let images = (0..4).map(|at| Embedding::new(place(identity, at)).expect("a point"));
            (format!("{group}/character{identity:02}"), images.collect())
        };
        (0..n_identities).map(images_of).unzip()
    }

    fn both(
        mut a: (Vec<String>, Vec<Vec<Embedding>>),
        b: (Vec<String>, Vec<Vec<Embedding>>),
    ) -> (Vec<String>, Vec<Vec<Embedding>>) {
        a.0.extend(b.0);
        a.1.extend(b.1);
        a
    }

    #[test]
    fn identities_far_apart_are_always_recognised() {
        let (names, embeddings) =
            group("Greek", 24, |identity, at| [f32::from(identity), f32::from(at) / 10.0]);
        let rate = TWENTY.measure(&names, &embeddings).expect("episodes");
        assert!(rate.error.abs() < 1e-12 && rate.standard_error.abs() < 1e-12, "{rate:?}");
    }

    #[test]
    fn equal_embeddings_have_the_error_of_random_guessing() {
        let (names, embeddings) = group("Greek", 24, |_, _| [1.0, 1.0]);
        let rate = TWENTY.measure(&names, &embeddings).expect("episodes");
        assert!((rate.error - 0.95).abs() < 1e-12, "{rate:?}");
    }

    #[test]
    fn each_group_is_measured_separately_with_the_same_weight() {
        // The two groups have the same embeddings, so across them there would be errors.
        let told_apart = group("Greek", 5, |identity, _| [f32::from(identity), 0.0]);
        let not = group("Latin", 9, |_, _| [0.0, 0.0]);
        let (names, embeddings) = both(told_apart, not);
        let rate = OneShot { ways: 5, ..TWENTY }.measure(&names, &embeddings).expect("episodes");
        let errors: Vec<_> =
            rate.groups.iter().map(|group| (group.name.as_str(), group.identities)).collect();
        assert_eq!(errors, [("Greek", 5), ("Latin", 9)]);
        assert!(rate.groups[0].error.abs() < 1e-12 && (rate.groups[1].error - 0.8).abs() < 1e-12);
        assert!((rate.error - 0.4).abs() < 1e-12 && rate.standard_error < 1e-12, "{rate:?}");
    }

    #[test]
    fn queries_and_enrolled_images_come_from_different_sources() {
        // The source moves an image farther than the character does, but it is the same for all enrolled images.
        let (names, embeddings) =
            group("Greek", 20, |identity, at| [f32::from(identity), 100.0 * f32::from(at)]);
        let rate = TWENTY.measure(&names, &embeddings).expect("episodes");
        assert!(rate.error.abs() < 1e-12, "{rate:?}");
    }

    #[test]
    fn identities_with_different_numbers_of_images_are_drawn_separately() {
        let (names, mut embeddings) =
            group("", 6, |identity, at| [f32::from(identity), f32::from(at) / 10.0]);
        embeddings[2].truncate(2);
        embeddings[3].truncate(1);
        let five = OneShot { ways: 5, ..TWENTY };
        let rate = five.measure(&names, &embeddings).expect("episodes");
        assert_eq!(rate.groups[0].identities, 5);
        assert!(rate.error.abs() < 1e-12, "{rate:?}");
    }

    #[test]
    fn more_shots_give_a_smaller_error() {
        let noisy = |identity: u8, at: u8| {
            let shift = f32::from(identity.wrapping_mul(91).wrapping_add(at.wrapping_mul(53)) % 16);
            [f32::from(identity) + shift / 5.0, 0.0]
        };
        let (names, embeddings) = group("Greek", 20, noisy);
        let [one, three] = [1, 3].map(|shots| {
            OneShot { shots, ..TWENTY }.measure(&names, &embeddings).expect("episodes").error
        });
        assert!(0.0 < three && three < one, "{three} {one}");
    }

    #[test]
    fn the_same_seed_gives_the_same_episodes() {
        let (names, embeddings) = group("Greek", 30, |identity, at| {
            [f32::from(identity % 7), f32::from(at * identity % 5)]
        });
        let draw =
            |seed| OneShot { seed, ..TWENTY }.measure(&names, &embeddings).expect("episodes");
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1).error.to_bits(), draw(2).error.to_bits());
        assert!(0.0 < draw(1).standard_error);
    }

    #[test]
    fn a_small_group_is_skipped_and_having_only_small_groups_is_an_error() {
        let place = |identity: u8, at: u8| [f32::from(identity), f32::from(at) / 10.0];
        let (names, embeddings) = both(group("Greek", 20, place), group("Latin", 3, place));
        assert_eq!(TWENTY.measure(&names, &embeddings).expect("episodes").left_out, ["Latin"]);
        let refusal = OneShot { ways: 21, ..TWENTY }.measure(&names, &embeddings);
        let expected = NoEpisode::TooFewIdentities { ways: 21, images: 2, largest: 20 };
        assert_eq!(refusal, Err(expected));
        let refusal = OneShot { ways: 1, ..TWENTY }.measure(&names, &embeddings);
        assert!(matches!(refusal, Err(NoEpisode::TooSmall { .. })));
    }
}
