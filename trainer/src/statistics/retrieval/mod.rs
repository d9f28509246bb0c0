//! Retrieval: how well each image finds the other images of its identity.

mod ranking;

use serde::Serialize;

use super::{Bootstrap, Comparisons, Difference, Interval, Unit, real, real64};
use ranking::{Ranking, rankings};

/// The results of retrieval. Each image is a query once, and ranks all other images by their distance. An image whose
/// identity has no other image finds nothing, so it is no query; others still rank it. All queries have the same weight.
///
/// Images at the same distance have no order, so each result is the mean over all orders of them (F. `McSherry`, M.
/// Najork, *Computing information retrieval performance measures efficiently in the presence of tied scores*, 2008). A
/// model that maps everything to one point is therefore as good as chance.
///
/// The intervals are over the identities of the queries. The images that a query ranks stay the same, because copies of
/// an identity that is drawn twice would be at the top of each ranking.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Retrieval {
    /// The share of queries whose nearest image is of their identity, in [0, 1]: recall at 1, which K. Musgrave, S.
    /// Belongie, S.-N. Lim, *A metric learning reality check*, 2020, call precision at 1.
    pub recall_at_1: Estimate,
    /// The share of queries with an image of their identity among the nearest five, in [0, 1] (H. Oh Song et al., *Deep
    /// metric learning via lifted structured feature embedding*, 2016).
    pub recall_at_5: Estimate,
    /// The mean over queries of the average precision, in [0, 1] (C. Manning, P. Raghavan, H. Schütze, *Introduction to
    /// information retrieval*, 2008, chapter 8). The average precision is the mean, over all images of the identity, of
    /// the share of such images at their rank or before. It counts all ranks, other than `MAP@R` of Musgrave et al.
    pub mean_average_precision: Estimate,
    /// The number of queries; at least 1.
    pub queries: u64,
    /// The number of images that are no queries, because their identity has no other image.
    pub left_out: u64,
}

/// A share in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The measured value.
    pub value: f64,
    /// Its interval; `None` without resamples.
    #[serde(flatten)]
    pub interval: Option<Interval>,
}

/// The sums of the results over the queries of an identity, in the order of [`Retrieval`], and their number.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    results: [f64; 3],
    queries: u64,
}

impl Retrieval {
    /// The names of the results, in the order of [`estimates`](Self::estimates).
    pub const NAMES: [&str; 3] = ["Recall@1", "Recall@5", "mAP"];

    /// Measures all images; `None` for a list, which compares only its own pairs, so there is no ranking.
    pub fn of(comparisons: &Comparisons, bootstrap: Bootstrap) -> Option<Self> {
        let sums = Sums::of_all(comparisons)?;
        let drawn = bootstrap.draws(comparisons, |copies| Sums::mean(&sums, copies));
        let values = Sums::mean(&sums, &vec![1; sums.len()])?;
        let estimate = |at: usize| Estimate {
            value: values[at],
            interval: Interval::of(drawn.iter().map(|values| values[at])),
        };
        let queries = sums.iter().map(|sums| sums.queries).sum();
        let images: u64 = comparisons.images().iter().map(|count| u64::from(*count)).sum();
        Some(Self {
            recall_at_1: estimate(0),
            recall_at_5: estimate(1),
            mean_average_precision: estimate(2),
            queries,
            left_out: images - queries,
        })
    }

    /// Returns the results in the order of their [names](Self::NAMES).
    pub fn estimates(&self) -> [Estimate; 3] {
        [self.recall_at_1, self.recall_at_5, self.mean_average_precision]
    }

    /// Returns the differences of two models on the same images, in the order of the [names](Self::NAMES): the second
    /// model's results minus the first's, with the same resamples for both. `None` for a list, or without resamples.
    ///
    /// # Panics
    ///
    /// If the comparisons are not of the same images.
    pub fn differences(
        first: &Comparisons,
        second: &Comparisons,
        bootstrap: Bootstrap,
    ) -> Option<[Difference; 3]> {
        assert_eq!(first.images(), second.images(), "both compare the same images");
        let sums = [Sums::of_all(first)?, Sums::of_all(second)?];
        let less = |copies: &[u64]| {
            let [first, second] = [Sums::mean(&sums[0], copies)?, Sums::mean(&sums[1], copies)?];
            Some([0, 1, 2].map(|at| second[at] - first[at]))
        };
        let measured = less(&vec![1; first.images().len()])?;
        let drawn = bootstrap.draws(first, less);
        let of = |at: usize| {
            Difference::of(measured[at], drawn.iter().map(|values| values[at]).collect())
        };
        Some([of(0)?, of(1)?, of(2)?])
    }
}

impl Sums {
    /// Ranks all images, and sums by identity; `None` for a list.
    fn of_all(comparisons: &Comparisons) -> Option<Vec<Self>> {
        if comparisons.unit() == Unit::Component {
            return None;
        }
        Some(rankings(comparisons).iter().map(|rankings| Self::of(rankings)).collect())
    }

    fn of(rankings: &[Ranking]) -> Self {
        let mut sums = Self::default();
        for ranking in rankings.iter().filter(|ranking| 0 < ranking.found) {
            let [at_1, at_5] = ranking.recall;
            let results = [at_1, at_5, ranking.precisions / real(ranking.found)];
            for (sum, result) in sums.results.iter_mut().zip(results) {
                *sum += result;
            }
            sums.queries += 1;
        }
        sums
    }

    /// Returns the means over all queries, where each identity counts as often as `copies` says; `None` without a query.
    fn mean(sums: &[Self], copies: &[u64]) -> Option<[f64; 3]> {
        let queries: u64 =
            sums.iter().zip(copies).map(|(sums, copies)| copies * sums.queries).sum();
        let mean = |at: usize| {
            let weighted =
                sums.iter().zip(copies).map(|(it, copies)| real64(*copies) * it.results[at]);
            weighted.sum::<f64>() / real64(queries)
        };
        (0 < queries).then(|| [mean(0), mean(1), mean(2)])
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use siamese_core::score::Embedding;

    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 100, seed: 0 };

    fn measure(points: &[Vec<Embedding>]) -> Retrieval {
        let comparisons = Comparisons::new(points).expect("pairs");
        Retrieval::of(&comparisons, BOOTSTRAP).expect("identities")
    }

    fn points(values: &[&[f32]]) -> Vec<Vec<Embedding>> {
        let point = |value: &f32| Embedding::new([*value]).expect("a point");
        values.iter().map(|images_of| images_of.iter().map(point).collect()).collect()
    }

    #[track_caller]
    fn check(found: Retrieval, [at_1, at_5, precision]: [f64; 3], [queries, left_out]: [u64; 2]) {
        for (Estimate { value: found, interval }, expected) in
            found.estimates().into_iter().zip([at_1, at_5, precision])
        {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
            let Interval { low, high } = interval.expect("resamples");
            assert!(low <= found + 1e-12 && found <= high + 1e-12, "{low} {found} {high}");
        }
        assert_eq!([found.queries, found.left_out], [queries, left_out]);
    }

    /// Sorts the other images of each query anew, with one order of ties for each of several seeds.
    fn naive(points: &[Vec<Embedding>], seeds: u64) -> [f64; 3] {
        let flat: Vec<(usize, &Embedding)> = points
            .iter()
            .enumerate()
            .flat_map(|(identity, images)| images.iter().map(move |image| (identity, image)))
            .collect();
        let (mut sums, mut count) = ([0.0; 3], 0.0);
        for seed in 0..seeds {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            for (query, (identity, embedding)) in flat.iter().enumerate() {
                let mut others: Vec<(f64, u64, bool)> = flat
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != query)
                    .map(|(_, (other, image))| {
                        (embedding.distance(image).get(), random.random(), other == identity)
                    })
                    .collect();
                others.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let hits: Vec<bool> = others.into_iter().map(|(_, _, is_same)| is_same).collect();
                if !hits.contains(&true) {
                    continue;
                }
                let (mut found, mut precisions) = (0.0, 0.0);
                for (place, _) in hits.iter().enumerate().filter(|(_, hit)| **hit) {
                    found += 1.0;
                    precisions += found / real(place + 1);
                }
                count += 1.0;
                sums[0] += f64::from(hits[0]);
                sums[1] += f64::from(hits.iter().take(5).any(|hit| *hit));
                sums[2] += precisions / found;
            }
        }
        sums.map(|sum| sum / count)
    }

    #[test]
    fn a_small_example_by_hand() {
        // Ranks of 0: 1 (same), 3, 7. Of 1: 0 (same), 3, 7. Of 3: 1, 0, 7 (same). Of 7: 3 (same), 1, 0.
        let found = measure(&points(&[&[0.0, 1.0], &[3.0, 7.0]]));
        check(found, [0.75, 1.0, (1.0 + 1.0 + 1.0 / 3.0 + 1.0) / 4.0], [4, 0]);
    }

    #[test]
    fn an_image_without_another_of_its_identity_is_no_query_but_is_ranked() {
        let found = measure(&points(&[&[0.0, 2.0], &[], &[1.5]]));
        // 0 finds 1.5 first, and 2 finds 1.5 first.
        check(found, [0.0, 1.0, 0.5], [2, 1]);
    }

    #[test]
    fn it_equals_a_naive_ranking_of_random_points() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let points: Vec<Vec<Embedding>> = (0..12)
            .map(|identity| {
                let images = 0..1 + identity % 5;
                let mut point = || [(); 3].map(|()| random.random::<f32>());
                images.map(|_| Embedding::new(point()).expect("a point")).collect()
            })
            .collect();
        // Identities with 1 to 5 images: three with one image, and nine with more.
        check(measure(&points), naive(&points, 1), [30, 3]);
    }

    #[test]
    fn ties_have_no_order() {
        let values: &[&[f32]] = &[&[0.0, 1.0, 1.0], &[1.0, 0.0, 2.0], &[1.0, 3.0], &[0.0, 2.0]];
        let points = points(values);
        let (found, expected) = (measure(&points), naive(&points, 20_000));
        let found = found.estimates().map(|estimate| estimate.value);
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 5e-3, "{found} is not {expected}");
        }
    }

    #[test]
    fn a_model_that_maps_everything_to_one_point_is_as_good_as_chance() {
        // Each image ranks 7 others, of which one is of its identity.
        let found = measure(&points(&[&[0.0; 2], &[0.0; 2], &[0.0; 2], &[0.0; 2]]));
        let precision = (1..=7_u8).map(|place| 1.0 / f64::from(place)).sum::<f64>() / 7.0;
        check(found, [1.0 / 7.0, 5.0 / 7.0, precision], [8, 0]);
    }

    #[test]
    fn intervals_resample_the_identities_of_the_queries() {
        // One identity finds itself, and another one does not.
        let points = points(&[&[0.0, 1.0], &[10.0, 20.0], &[10.5, 19.5]]);
        let comparisons = Comparisons::new(&points).expect("pairs");
        let bootstrap = Bootstrap { resamples: 1000, seed: 0 };
        let found = Retrieval::of(&comparisons, bootstrap).expect("identities").recall_at_1;
        assert!((found.value - 1.0 / 3.0).abs() < 1e-12, "{found:?}");
        assert_eq!(found.interval, Some(Interval { low: 0.0, high: 1.0 }));
        let none = Bootstrap { resamples: 0, seed: 0 };
        let found = Retrieval::of(&comparisons, none).expect("identities").recall_at_1;
        assert_eq!(found.interval, None);
    }

    #[test]
    fn the_difference_of_two_models_uses_the_same_resamples() {
        let [good, bad] = [
            points(&[&[0.0, 1.0], &[10.0, 11.0], &[20.0, 21.0], &[30.0, 31.0]]),
            points(&[&[0.0, 10.0], &[1.0, 11.0], &[20.0, 21.0], &[30.0, 31.0]]),
        ]
        .map(|points| Comparisons::new(&points).expect("pairs"));
        let of =
            |first, second| Retrieval::differences(first, second, BOOTSTRAP).expect("resamples");
        let [at_1, _, precision] = of(&good, &bad);
        assert!(
            (at_1.value + 0.5).abs() < 1e-12 && precision.value < 0.0,
            "{at_1:?} {precision:?}"
        );
        assert!(at_1.interval.low < -0.5 && at_1.interval.high <= 0.0, "{at_1:?}");
        for same in of(&good, &good) {
            assert_eq!((same.value, same.interval), (0.0, Interval { low: 0.0, high: 0.0 }));
        }
        let none = Bootstrap { resamples: 0, seed: 0 };
        assert_eq!(Retrieval::differences(&good, &bad, none), None);
    }

    #[test]
    fn a_list_has_no_ranking() {
        let points = points(&[&[0.0, 1.0, 4.0]]);
        let pairs = [([[0, 0], [0, 1]], true), ([[0, 0], [0, 2]], false)];
        let listed = Comparisons::listed(&points, &pairs).expect("pairs");
        assert_eq!(Retrieval::of(&listed, BOOTSTRAP), None);
    }
}
