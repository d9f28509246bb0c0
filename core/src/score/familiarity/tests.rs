use super::*;

/// Numbers in `[0, 1)` that look random; the same for each seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let top = u16::try_from((mixed ^ (mixed >> 31)) >> 48).expect("16 bits");
        f32::from(top) / 65_536.0
    }

    fn bell(&mut self) -> f32 {
        (0..12).map(|_| self.next()).sum::<f32>() - 6.0
    }
}

/// Images of `identities` identities, ten each; `shift` moves their statistics.
fn images(identities: usize, seed: u64, shift: f32) -> Vec<(usize, Embedding, Vec<f32>)> {
    let mut chance = Chance(seed);
    let mut images = Vec::new();
    for identity in 0..identities {
        let own: [f32; 11] = std::array::from_fn(|_| chance.bell());
        for _ in 0..10 {
            let mut value = |at: usize| own[at] + chance.bell();
            let embedding = Embedding::new([0, 1, 2, 3, 4, 5].map(&mut value)).expect("finite");
            let statistics = [6, 7, 8, 9, 10].map(|at| shift + value(at)).to_vec();
            images.push((identity, embedding, statistics));
        }
    }
    images
}

fn fit(images: &[(usize, Embedding, Vec<f32>)]) -> Result<Familiarity, NotDescribed> {
    let examples: Vec<_> = images
        .iter()
        .map(|(identity, embedding, statistics)| Example {
            identity: *identity,
            embedding,
            statistics,
        })
        .collect();
    Familiarity::fit(&examples)
}

fn shares(described: &Familiarity, images: &[(usize, Embedding, Vec<f32>)]) -> Vec<f64> {
    let of = |(_, embedding, statistics): &(usize, Embedding, Vec<f32>)| {
        described.of(embedding, statistics).expect("the model's sizes")
    };
    images.iter().map(of).collect()
}

fn share_below(values: &[f64], limit: f64) -> f64 {
    let below = values.iter().filter(|value| **value < limit).count();
    crate::score::scores::share(below as u64, values.len() as u64)
}

#[test]
fn new_identities_are_as_familiar_as_those_of_the_calibration() {
    let described = fit(&images(60, 1, 0.0)).expect("a description");
    let others = shares(&described, &images(400, 2, 0.0));
    let mean = others.iter().sum::<f64>() / 4_000.0;
    assert!((0.43..0.57).contains(&mean), "{mean}");
    let low = share_below(&others, UNFAMILIAR);
    assert!((0.002..0.04).contains(&low), "{low}");
    assert!((0.3..0.45).contains(&described.tolerated()), "{}", described.tolerated());
}

#[test]
fn images_of_another_kind_are_unfamiliar() {
    let described = fit(&images(60, 1, 0.0)).expect("a description");
    let others = shares(&described, &images(100, 3, 6.0));
    assert!(0.95 < share_below(&others, UNFAMILIAR), "{others:?}");
}

#[test]
fn few_images_or_identities_are_not_described() {
    assert_eq!(fit(&images(4, 1, 0.0)), Err(NotDescribed::TooFewImages(40)));
    let two: Vec<_> = images(6, 1, 0.0).into_iter().map(|(at, e, s)| (at % 3, e, s)).collect();
    assert_eq!(fit(&two), Err(NotDescribed::TooFewIdentities(3)));
    let mut odd = images(6, 1, 0.0);
    odd[3].2[1] = f32::NAN;
    assert_eq!(fit(&odd), Err(NotDescribed::NotFinite));
}

#[test]
fn another_size_has_no_familiarity() {
    let described = fit(&images(6, 1, 0.0)).expect("a description");
    let embedding = Embedding::new([1.0; 6]).expect("a point");
    assert!(described.of(&embedding, &[0.0; 5]).is_some());
    assert_eq!(described.of(&embedding, &[0.0; 4]), None);
    assert_eq!(described.of(&Embedding::new([1.0]).expect("a point"), &[0.0; 5]), None);
}

#[test]
fn what_is_not_finite_or_has_no_direction_is_still_judged() {
    let described = fit(&images(6, 1, 0.0)).expect("a description");
    let zero = Embedding::new([0.0; 6]).expect("a point");
    let least = 1.0 / 61.0;
    assert_eq!(described.of(&zero, &[f32::NAN; 5]), Some(least));
    assert_eq!(described.of(&zero, &[f32::INFINITY; 5]), Some(least));
    assert_eq!(described.of(&zero, &[f32::MAX; 5]), Some(least));
}

#[test]
fn a_description_is_compact_and_read_back() {
    let described = fit(&images(300, 1, 0.0)).expect("a description");
    assert_eq!((described.images(), described.identities()), (3_000, 300));
    let text = serde_json::to_string(&described).expect("JSON");
    assert!(text.len() < 8_000, "{}", text.len());
    let read: Familiarity = serde_json::from_str(&text).expect("a description");
    assert_eq!(read, described);
    assert_eq!(fit(&images(300, 1, 0.0)), Ok(described), "a second fit is the same");
}

#[test]
fn a_hostile_description_is_refused() {
    let described = fit(&images(6, 1, 0.0)).expect("a description");
    let good = serde_json::to_value(described).expect("JSON");
    let refused = |key: &str, value: serde_json::Value, why: &str| {
        let mut bad = good.clone();
        bad[key] = value;
        let error = serde_json::from_value::<Familiarity>(bad).expect_err(key).to_string();
        assert!(error.contains(why) && error.contains(key), "{key}: {error}");
    };
    let nan = BASE64_NAN.repeat(6);
    refused("tolerated", 0.7.into(), "out of range");
    refused("step", 0.0.into(), "out of range");
    refused("width", 0.into(), "wrong number");
    refused("width", u64::MAX.into(), "wrong number");
    refused("centres", "".into(), "wrong number");
    refused("centres", "AAA=".into(), "wrong number");
    refused("centres", "A".repeat(1 << 17).into(), "wrong number");
    refused("centres", "?".into(), "not base64");
    refused("mean", nan.as_str().into(), "out of range");
    refused("mean", "AAAAAA==".into(), "wrong number");
    refused("mean", "AAAA".repeat(300).into(), "wrong number");
    refused("whitening", "AAAAAAAAAAA=".into(), "wrong number");
    refused("unusual", "".into(), "wrong number");
    // 2, then 1.
    refused("unusual", "AAAAQAAAgD8=".into(), "out of range");
    refused("names", "s1".into(), "unknown field");
}

/// Three times NaN, as little-endian `f32`.
const BASE64_NAN: &str = "AADAfwAAwH8AAMB/";

#[test]
fn an_alarm_needs_a_day_of_images_at_the_tolerated_mean() {
    let described = fit(&images(60, 1, 0.0)).expect("a description");
    let mut chance = Chance(7);
    let mut stream = Stream::default();
    // Uniform around the tolerated mean, which is the worst permitted stream.
    let mut mean = 0.0;
    for n in 1..=200_000_u32 {
        let familiarity = 2.0 * described.tolerated() * f64::from(chance.next());
        mean += (familiarity - mean) / f64::from(n);
        stream.add(&described, familiarity);
        assert!(!stream.is_unfamiliar(), "an alarm after {n} images");
    }
    assert!((mean - described.tolerated()).abs() < 2e-3);
}

#[test]
fn a_stream_of_unfamiliar_images_is_noticed_soon_and_forgotten_soon() {
    let described = fit(&images(60, 1, 0.0)).expect("a description");
    let mut stream = Stream::default();
    (0..1_000).for_each(|_| stream.add(&described, 0.5));
    assert!(stream.drift() < 0.3, "{}", stream.drift());
    let begin = (1..1_000).find(|_| {
        stream.add(&described, 0.01);
        stream.is_unfamiliar()
    });
    assert!(begin.is_some_and(|n: u32| (60..110).contains(&n)), "{begin:?}");
    (0..10_000).for_each(|_| stream.add(&described, 0.0));
    assert!(stream.drift() < 1.2);
    (0..100).for_each(|_| stream.add(&described, 0.5));
    assert!(!stream.is_unfamiliar());
}
