use super::*;

fn threshold(value: f64) -> Threshold {
    Threshold::try_from(value).expect("a threshold")
}

/// Points on a line, so that distances are easy to see.
fn line(points: &[f32]) -> Vec<Embedding> {
    points.iter().map(|point| Embedding::new([*point]).expect("a point")).collect()
}

#[track_caller]
fn check(points: &[f32], largest: f64, expected: &[(&[usize], f64)]) {
    let groups = group(&line(points), threshold(largest), |_| ()).expect("few pairs");
    let found: Vec<(Vec<usize>, f64)> =
        groups.iter().map(|group| (members(group), group.greatest.get())).collect();
    let expected: Vec<_> =
        expected.iter().map(|(members, greatest)| (members.to_vec(), *greatest)).collect();
    assert_eq!(found, expected, "{points:?}");
}

/// The members without their copies.
fn members(group: &Group) -> Vec<usize> {
    group.members.iter().map(|copies| copies[0]).collect()
}

#[test]
fn a_chain_is_not_one_group() {
    check(&[0.0, 2.0, 3.0, 5.0], 2.0, &[(&[1, 2], 1.0)]);
    check(&[0.0, 1.0, 3.0, 4.0], 2.0, &[(&[0, 1], 1.0), (&[2, 3], 1.0)]);
    check(&[0.0, 1.0, 3.0, 4.0], 4.0, &[(&[0, 1, 2, 3], 4.0)]);
}

#[test]
fn a_pair_at_the_threshold_is_a_group() {
    check(&[0.0, 2.0], 2.0, &[(&[0, 1], 2.0)]);
    check(&[0.0, 2.0], 1.999, &[]);
}

#[test]
fn of_equal_distances_the_first_pair_is_merged() {
    check(&[0.0, 1.0, 2.0], 1.0, &[(&[0, 1], 1.0)]);
    check(&[2.0, 1.0, 0.0], 1.0, &[(&[0, 1], 1.0)]);
    check(&[0.0, 2.0, 1.0], 1.0, &[(&[0, 2], 1.0)]);
}

#[test]
fn the_largest_group_is_first() {
    check(&[9.0, 9.5, 0.0, 0.5, 0.25], 0.5, &[(&[2, 3, 4], 0.5), (&[0, 1], 0.5)]);
}

#[test]
fn equal_embeddings_are_together_at_any_threshold() {
    let points = [1.0, 0.0, 1.0, -0.0, 7.0, 1.0];
    let members = |largest| {
        let groups = group(&line(&points), threshold(largest), |_| ()).expect("few pairs");
        groups.into_iter().map(|group| group.members).collect::<Vec<_>>()
    };
    assert_eq!(members(0.0), [[[0, 2, 5].to_vec()], [[1, 3].to_vec()]]);
    assert_eq!(members(1.0), [[[0, 2, 5].to_vec(), [1, 3].to_vec()]]);
}

#[test]
fn nothing_and_one_image_have_no_groups() {
    check(&[], 1.0, &[]);
    check(&[1.0], 1.0, &[]);
}

/// Embeddings without equal distances, of a width that is not a multiple of the lanes.
fn scattered(count: usize) -> Vec<Embedding> {
    let mut random = fastrand::Rng::with_seed(1);
    let embeddings = (0..count).map(|_| {
        let numbers: Vec<f32> = (0..21).map(|_| random.f32()).collect();
        Embedding::new(numbers).and_then(Embedding::into_unit).expect("a direction")
    });
    embeddings.collect()
}

#[test]
fn the_order_of_the_images_has_no_effect() {
    let embeddings = scattered(300);
    let mut order: Vec<usize> = (0..embeddings.len()).collect();
    let groups = |order: &[usize]| {
        let shuffled: Vec<Embedding> = order.iter().map(|&at| embeddings[at].clone()).collect();
        let groups = group(&shuffled, threshold(0.6), |_| ()).expect("few pairs");
        let mut groups: Vec<Vec<usize>> = groups
            .iter()
            .map(|group| {
                let mut members: Vec<_> = members(group).iter().map(|&at| order[at]).collect();
                members.sort_unstable();
                members
            })
            .collect();
        groups.sort();
        groups
    };
    let expected = groups(&order);
    assert!(10 < expected.len() && expected.iter().any(|members| 2 < members.len()));
    fastrand::Rng::with_seed(2).shuffle(&mut order);
    assert_eq!(groups(&order), expected);
}

/// Complete linkage from its definition, with the distances of all groups.
fn defined(embeddings: &[Embedding], largest: f64) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = (0..embeddings.len()).map(|at| vec![at]).collect();
    let distance = |one: &[usize], other: &[usize]| {
        let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a, b)));
        pairs.map(|(a, b)| embeddings[*a].distance(&embeddings[*b]).get()).fold(0.0, f64::max)
    };
    loop {
        let mut nearest = (largest, None);
        for b in 0..groups.len() {
            for a in 0..b {
                let distance = distance(&groups[a], &groups[b]);
                if distance <= nearest.0 {
                    nearest = (distance, Some([a, b]));
                }
            }
        }
        let Some([a, b]) = nearest.1 else { break };
        let members = groups.swap_remove(b);
        groups[a].extend(members);
        groups[a].sort_unstable();
    }
    groups.retain(|members| 1 < members.len());
    groups.sort_by_key(|members| (Reverse(members.len()), members[0]));
    groups
}

#[test]
fn the_groups_are_those_of_complete_linkage() {
    let embeddings = scattered(150);
    for largest in [0.4, 0.6, 0.8, 2.0] {
        let groups = group(&embeddings, threshold(largest), |_| ()).expect("few pairs");
        for group in &groups {
            let members = members(group);
            let pairs = members.iter().flat_map(|a| members.iter().map(move |b| (*a, *b)));
            let distances = pairs.map(|(a, b)| embeddings[a].distance(&embeddings[b]).get());
            assert_eq!(distances.fold(0.0, f64::max).to_bits(), group.greatest.get().to_bits());
        }
        let found: Vec<_> = groups.iter().map(members).collect();
        assert_eq!(found, defined(&embeddings, largest), "{largest}");
    }
}

#[test]
fn all_images_are_compared_and_too_many_pairs_are_refused() {
    let embeddings = scattered(200);
    let compared = std::sync::atomic::AtomicUsize::new(0);
    let count = |n| {
        compared.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
    };
    let pairs = 200 * 199 / 2;
    let all = group_within(&embeddings, threshold(2.0), pairs, count).expect("a pair less");
    assert_eq!((all.len(), all[0].len(), compared.into_inner()), (1, 200, 200));
    let refused = group_within(&embeddings, threshold(2.0), pairs - 1, |_| ());
    assert_eq!(refused, Err(TooManyPairs(threshold(2.0))));
}

#[test]
fn any_finite_numbers_can_be_compared() {
    let far = [f32::MAX, f32::MIN, 0.0, f32::MIN_POSITIVE];
    check(&far, 1e39, &[(&[0, 1, 2, 3], f64::from(f32::MAX) * 2.0)]);
    check(&far, 2e-38, &[(&[2, 3], f64::from(f32::MIN_POSITIVE))]);
    check(&far, 1e-38, &[]);
}
