//! How often somebody seen once is recognised among others seen once.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
use siamese_core::score::Embedding;
use thiserror::Error;

use super::real;

/// N-way, K-shot episodes within groups of identities that are alike.
///
/// Names tell the groups: `Greek/character01` is of the group `Greek`, and names without a `/`
/// are one group. An episode draws `ways` identities of one group; `shots` images of each are
/// known, and another one of each is asked for: whose known image is nearest? Groups take turns,
/// so that each weighs the same.
///
/// Where all identities of a group have equally many images, the k-th of each is taken to come
/// from one hand: the known ones then come from other hands than those asked for, one hand for
/// each shot. On Omniglot, whose k-th image is the k-th drawer's, with 20 ways and one shot, this
/// is the task of B. Lake, R. Salakhutdinov, J. Tenenbaum, *Human-level concept learning through
/// probabilistic program induction*, Science 2015, on drawn rather than their fixed sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneShot {
    /// Identities in an episode; at least 2.
    pub ways: usize,
    /// Images known of each; at least 1.
    pub shots: usize,
    /// How many episodes are drawn, each with one question for each identity; at least 1.
    pub episodes: u32,
    /// The same seed draws the same episodes, on any number of threads.
    pub seed: u64,
}

/// What came of the episodes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OneShotRate {
    /// Identities in an episode.
    pub ways: usize,
    /// Images known of each.
    pub shots: usize,
    /// Episodes drawn.
    pub episodes: u32,
    /// The share of questions answered wrongly, in `[0, 1]`, where each group weighs the same; a nearest one that is level with
    /// others counts as one of them picked blindly. Guessing errs in `1 - 1 / ways`.
    pub error: f64,
    /// The standard error of `error`, from the shares of the episodes within each group: how far other
    /// episodes of these identities would move it. Other groups may move it more.
    pub standard_error: f64,
    /// The error within each group, in the order of their names.
    pub groups: Vec<GroupRate>,
    /// Groups with too few identities for an episode.
    pub left_out: Vec<String>,
}

/// The error within one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupRate {
    /// What its identities' names begin with; empty for those without a `/`.
    pub name: String,
    /// How many identities it has with images enough.
    pub identities: usize,
    /// The share of questions answered wrongly.
    pub error: f64,
}

/// Why there are no episodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoEpisode {
    /// There is nothing to choose between, or nothing to choose by.
    #[error(
        "an episode takes 2 identities or more, with 1 known image or more of each, and there \
         must be one episode: {ways} ways, {shots} shots, {episodes} episodes won't do"
    )]
    Nothing {
        /// Identities asked for.
        ways: usize,
        /// Known images asked for.
        shots: usize,
        /// Episodes asked for.
        episodes: u32,
    },
    /// No group is large enough.
    #[error(
        "no folder has {ways} identities with {images} images or more each; the largest has \
         {largest}: ask for fewer"
    )]
    TooFewIdentities {
        /// Identities in an episode.
        ways: usize,
        /// Images that each of them needs.
        images: usize,
        /// Identities in the largest group.
        largest: usize,
    },
}

impl OneShot {
    /// Draws the episodes. `names` and `embeddings` are by identity, in one order.
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
            return Err(NoEpisode::Nothing { ways, shots, episodes });
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
        // Fewer episodes than groups leave the last groups without one.
        let played = large.len().min(errors.len());
        let of_groups: Vec<(f64, f64)> = (0..played)
            .map(|at| {
                mean(&errors.iter().skip(at).step_by(large.len()).copied().collect::<Vec<_>>())
            })
            .collect();
        let (error, _) = mean(&of_groups.iter().map(|it| it.0).collect::<Vec<_>>());
        // Groups are not drawn, so that what lies between them is no chance.
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

    /// The share of one episode's questions that are answered wrongly.
    fn episode(&self, group: &[&[Embedding]], random: &mut ChaCha8Rng) -> f64 {
        let drawn: Vec<_> =
            index::sample(random, group.len(), self.ways).iter().map(|at| group[at]).collect();
        let is_even = group.iter().all(|it| it.len() == group[0].len());
        let common = is_even.then(|| index::sample(random, group[0].len(), self.shots + 1));
        let (mut known, mut asked) = (Vec::new(), Vec::new());
        for (identity, images) in drawn.iter().enumerate() {
            let places = match &common {
                Some(places) => places.clone(),
                None => index::sample(random, images.len(), self.shots + 1),
            };
            asked.push(&images[places.index(0)]);
            known.extend(places.iter().skip(1).map(|place| (identity, &images[place])));
        }
        let wrong =
            asked.iter().enumerate().map(|(identity, image)| wrong(identity, image, &known));
        mean(&wrong.collect::<Vec<_>>()).0
    }
}

/// How wrong the nearest of `known` is: 0 if it is of this identity, 1 if not, and between them
/// where several are level.
fn wrong(identity: usize, image: &Embedding, known: &[(usize, &Embedding)]) -> f64 {
    let distances: Vec<_> = known.iter().map(|(_, it)| image.distance(it).get()).collect();
    let nearest = distances.iter().copied().fold(f64::INFINITY, f64::min);
    let level = known.iter().zip(&distances).filter(|(_, it)| **it <= nearest);
    let errors: Vec<f64> =
        level.map(|((whose, _), _)| if *whose == identity { 0.0 } else { 1.0 }).collect();
    mean(&errors).0
}

/// Identities with an image more than the shots, by the folder that their names begin with.
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

/// The mean of values, of which there is one at least, and its standard error: 0 for a single one.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = real(values.len());
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|it| (it - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0) / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWENTY: OneShot = OneShot { ways: 20, shots: 1, episodes: 40, seed: 1 };

    /// `n_identities` in a group, each with 4 images at the places that `place` gives.
    fn group(
        group: &str,
        n_identities: u8,
        place: impl Fn(u8, u8) -> [f32; 2],
    ) -> (Vec<String>, Vec<Vec<Embedding>>) {
        let of_one = |who| {
            let images = (0..4).map(|at| Embedding::new(place(who, at)).expect("a point"));
            (format!("{group}/character{who:02}"), images.collect())
        };
        (0..n_identities).map(of_one).unzip()
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
            group("Greek", 24, |who, at| [f32::from(who), f32::from(at) / 10.0]);
        let rate = TWENTY.measure(&names, &embeddings).expect("episodes");
        assert!(rate.error.abs() < 1e-12 && rate.standard_error.abs() < 1e-12, "{rate:?}");
    }

    #[test]
    fn a_model_that_tells_nothing_errs_as_often_as_a_guess() {
        let (names, embeddings) = group("Greek", 24, |_, _| [1.0, 1.0]);
        let rate = TWENTY.measure(&names, &embeddings).expect("episodes");
        assert!((rate.error - 0.95).abs() < 1e-12, "{rate:?}");
    }

    #[test]
    fn each_group_plays_by_itself_and_weighs_the_same() {
        // The two groups lie at the same places: across them nothing could be told apart.
        let told_apart = group("Greek", 5, |who, _| [f32::from(who), 0.0]);
        let not = group("Latin", 9, |_, _| [0.0, 0.0]);
        let (names, embeddings) = both(told_apart, not);
        let rate = OneShot { ways: 5, ..TWENTY }.measure(&names, &embeddings).expect("episodes");
        let errors: Vec<_> =
            rate.groups.iter().map(|it| (it.name.as_str(), it.identities)).collect();
        assert_eq!(errors, [("Greek", 5), ("Latin", 9)]);
        assert!(rate.groups[0].error.abs() < 1e-12 && (rate.groups[1].error - 0.8).abs() < 1e-12);
        assert!((rate.error - 0.4).abs() < 1e-12 && rate.standard_error < 1e-12, "{rate:?}");
    }

    #[test]
    fn what_is_asked_for_is_by_another_hand_than_what_is_known() {
        // The hand moves an image farther than the character does, but all known ones alike.
        let (names, embeddings) =
            group("Greek", 20, |who, at| [f32::from(who), 100.0 * f32::from(at)]);
        let rate = TWENTY.measure(&names, &embeddings).expect("episodes");
        assert!(rate.error.abs() < 1e-12, "{rate:?}");
    }

    #[test]
    fn uneven_folders_draw_each_their_own_images() {
        let (names, mut embeddings) =
            group("", 6, |who, at| [f32::from(who), f32::from(at) / 10.0]);
        embeddings[2].truncate(2);
        embeddings[3].truncate(1);
        let five = OneShot { ways: 5, ..TWENTY };
        let rate = five.measure(&names, &embeddings).expect("episodes");
        assert_eq!(rate.groups[0].identities, 5);
        assert!(rate.error.abs() < 1e-12, "{rate:?}");
    }

    #[test]
    fn more_shots_err_less() {
        let noisy = |who: u8, at: u8| {
            let shift = f32::from(who.wrapping_mul(91).wrapping_add(at.wrapping_mul(53)) % 16);
            [f32::from(who) + shift / 5.0, 0.0]
        };
        let (names, embeddings) = group("Greek", 20, noisy);
        let [one, three] = [1, 3].map(|shots| {
            OneShot { shots, ..TWENTY }.measure(&names, &embeddings).expect("episodes").error
        });
        assert!(0.0 < three && three < one, "{three} {one}");
    }

    #[test]
    fn a_seed_repeats_its_episodes() {
        let (names, embeddings) =
            group("Greek", 30, |who, at| [f32::from(who % 7), f32::from(at * who % 5)]);
        let draw =
            |seed| OneShot { seed, ..TWENTY }.measure(&names, &embeddings).expect("episodes");
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1).error.to_bits(), draw(2).error.to_bits());
        assert!(0.0 < draw(1).standard_error);
    }

    #[test]
    fn a_group_too_small_is_left_out_and_none_large_enough_refused() {
        let place = |who: u8, at: u8| [f32::from(who), f32::from(at) / 10.0];
        let (names, embeddings) = both(group("Greek", 20, place), group("Latin", 3, place));
        assert_eq!(TWENTY.measure(&names, &embeddings).expect("episodes").left_out, ["Latin"]);
        let refusal = OneShot { ways: 21, ..TWENTY }.measure(&names, &embeddings);
        let expected = NoEpisode::TooFewIdentities { ways: 21, images: 2, largest: 20 };
        assert_eq!(refusal, Err(expected));
        let refusal = OneShot { ways: 1, ..TWENTY }.measure(&names, &embeddings);
        assert!(matches!(refusal, Err(NoEpisode::Nothing { .. })));
    }
}
