use serde_json::{Value, json};

use super::*;

fn distances(values: impl IntoIterator<Item = f64>) -> Vec<Distance> {
    values.into_iter().map(|value| Distance::try_from(value).expect("a distance")).collect()
}

fn threshold(value: f64) -> Threshold {
    Threshold::try_from(value).expect("a threshold")
}

/// Same pairs at 0.1, 0.2, 0.3, 0.6; different ones at 0.5, 0.7, 0.8, 0.9, 1.0.
fn small() -> Calibration {
    let same = distances([0.1, 0.2, 0.3, 0.6]);
    let different = distances([0.5, 0.7, 0.8, 0.9, 1.0]);
    Calibration::fit("synthetic", "identities unseen in training", 3, &same, &different)
        .expect("pairs")
}

/// Different pairs at 1, 2, ... 10,000; same pairs at 0.5, 1.5, ... 999.5.
fn large() -> Calibration {
    let same = distances((0..1000).map(|index| f64::from(index) + 0.5));
    let different = distances((1..=10_000).map(f64::from));
    Calibration::fit("synthetic", "steps", 100, &same, &different).expect("pairs")
}

#[track_caller]
fn check_at(calibration: &Calibration, at: f64, fmr: f64, false_non_matches: f64) {
    let point = calibration.at(threshold(at));
    assert!((point.fmr - fmr).abs() < 1e-12, "{point:?}");
    assert!((point.fnmr - false_non_matches).abs() < 1e-12, "{point:?}");
}

#[test]
fn a_threshold_of_the_table_has_exact_rates() {
    // Thresholds lie between neighbours: 0, 0.05…, 0.4, 0.55, 0.65, …; the last is 1.
    check_at(&small(), 0.0, 0.0, 1.0);
    check_at(&small(), 0.4, 0.0, 0.25);
    check_at(&small(), 0.55, 0.2, 0.25);
    check_at(&small(), 0.65, 0.2, 0.0);
    check_at(&small(), 1.0, 1.0, 0.0);
}

#[test]
fn no_error_is_understated_between_the_tables_thresholds() {
    check_at(&small(), 0.45, 0.2, 0.25);
    check_at(&small(), 0.6, 0.2, 0.25);
    check_at(&small(), 7.0, 1.0, 0.0);
}

#[test]
fn stated_rates_are_never_less_than_the_measured_ones() {
    let calibration = large();
    for at in (0..10_500).map(|index| f64::from(index) + 0.3) {
        let stated = calibration.at(threshold(at));
        let false_matches = at.floor().min(10_000.0) / 10_000.0;
        let false_non_matches = (1000.0 - (at + 0.5).floor()).max(0.0) / 1000.0;
        for (stated, measured) in [(stated.fmr, false_matches), (stated.fnmr, false_non_matches)] {
            assert!(
                measured - 1e-12 <= stated && stated < measured + 0.02,
                "{stated}, not {measured}"
            );
        }
    }
}

#[test]
fn tables_are_exact_at_their_thresholds_for_any_distances() {
    // A linear congruential generator, for distances that often coincide.
    let mut state = 1_u32;
    let mut draw = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    for (round, scale) in [1.0, 1e-3, 0.7, 1e-6, 1e5, 1e-300, 5e-324, 1e300].into_iter().enumerate()
    {
        let values = if round % 2 == 0 { 40 } else { 5000 };
        let mut side = |pairs: u32, shift: u32| -> Vec<Distance> {
            distances((0..pairs).map(|_| f64::from(draw(values) + shift) * scale))
        };
        let (same, different) = (side(700, 0), side(3000, values / 4));
        let calibration = Calibration::fit("synthetic", "", 9, &same, &different).expect("pairs");
        let scores = Scores::new(&same, &different).expect("pairs");
        for point in calibration.operating_points() {
            let measured = scores.at(point.threshold);
            assert_eq!((point.fmr, point.fnmr), (measured.fmr, measured.fnmr), "{point:?}");
        }
        for at in same.iter().chain(&different).map(|distance| threshold(distance.get())) {
            let (stated, measured) = (calibration.at(at), scores.at(at));
            assert!(measured.fmr <= stated.fmr && measured.fnmr <= stated.fnmr, "{stated:?}");
        }
        let json = serde_json::to_string(&calibration).expect("JSON");
        let read: Calibration = serde_json::from_str(&json).expect("its own JSON");
        if (1e-6..=1e6).contains(&scale) {
            assert_eq!(read, calibration);
        }
        let probability = calibration.probability(same[0]).expect("a probability");
        assert!((0.0..=1.0).contains(&probability), "{probability}");
    }
}

#[test]
fn distances_that_differ_only_in_their_last_bits_share_a_row() {
    let mut value = 0.7_f64;
    let close = distances((0..300).map(|_| {
        value = value.next_up();
        value
    }));
    let calibration =
        Calibration::fit("synthetic", "", 2, &close[..150], &close[150..]).expect("pairs");
    let json = serde_json::to_string(&calibration).expect("JSON");
    assert_eq!(serde_json::from_str::<Calibration>(&json).expect("its own JSON"), calibration);
    let last = calibration.operating_points().next_back().expect("a row");
    assert!((last.fmr - 1.0).abs() < 1e-12 && last.fnmr.abs() < 1e-12, "{last:?}");
}

#[test]
fn an_operating_point_has_the_largest_threshold_within_its_fmr() {
    let calibration = large();
    // 100 of 10,000 different pairs are at distances 1 to 100, and 100 of 1,000 same pairs are below 100.
    for (fmr, from, to, false_non_matches) in
        [(0.01, 100.0, 101.0, 0.899), (0.001, 10.0, 11.0, 0.989), (0.1, 1000.0, 1001.0, 0.0)]
    {
        let point = calibration.for_fmr(fmr).expect("enough pairs");
        let at = point.threshold.get();
        assert!(from <= at && at < to, "{point:?}");
        assert!((point.fmr - fmr).abs() < 1e-12, "{point:?}");
        assert!((point.fnmr - false_non_matches).abs() < 1.5e-3, "{point:?}");
    }
}

#[test]
fn three_over_the_different_pairs_is_the_smallest_supported_fmr() {
    let calibration = large();
    let point = calibration.for_fmr(0.000_3).expect("exactly supported");
    assert!((point.fmr - 0.000_3).abs() < 1e-12, "{point:?}");
    let refusal = calibration.for_fmr(0.000_299).expect_err("too few pairs");
    assert_eq!(
        refusal.to_string(),
        "10000 different pairs can't support an FMR of 0.000299; the smallest FMR they support is \
         3.00e-4"
    );
}

#[test]
fn an_fmr_outside_of_0_and_1_is_refused() {
    for fmr in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
        let refusal = large().for_fmr(fmr).expect_err("no rate");
        assert!(matches!(refusal, UnsupportedFmr::OutOfRange(_)), "{refusal}");
    }
}

#[test]
fn a_model_that_embeds_everything_alike_reaches_no_fmr() {
    let zeros = distances([0.0; 100]);
    let calibration = Calibration::fit("synthetic", "dead", 2, &zeros, &zeros).expect("pairs");
    let refusal = calibration.for_fmr(0.5).expect_err("every pair matches");
    assert_eq!(refusal, UnsupportedFmr::Unreachable { fmr: 0.5, at_zero: 1.0 });
    assert!((calibration.eer() - 0.5).abs() < 1e-12);
    assert!((calibration.eer_point().fmr - 1.0).abs() < 1e-12);
    assert_eq!(calibration.probability(zeros[0]), Some(0.5));
}

#[test]
fn the_default_threshold_lies_where_the_errors_are_equal() {
    // FMR k/10,000 meets FNMR (1,000 - k)/1,000 at k = 10,000/11 = 909.09.
    let calibration = large();
    assert!((calibration.eer() - 1.0 / 11.0).abs() < 1e-4, "{}", calibration.eer());
    let point = calibration.eer_point();
    assert!((909.0..911.0).contains(&point.threshold.get()), "{point:?}");
}

#[test]
fn the_threshold_of_separated_pairs_is_in_the_middle_of_their_gap() {
    let calibration =
        Calibration::fit("synthetic", "easy", 2, &distances([0.25]), &distances([0.75]))
            .expect("pairs");
    let point = calibration.eer_point();
    assert_eq!((point.threshold, point.fmr, point.fnmr), (threshold(0.5), 0.0, 0.0));
}

#[test]
fn the_table_is_short_and_dense_where_errors_are_rare() {
    let points: Vec<_> = large().operating_points().collect();
    assert!((150..=256).contains(&points.len()), "{}", points.len());
    // There is a row for each of the first five different pairs.
    for pairs in 0..=5 {
        let fmr = f64::from(pairs) / 10_000.0;
        assert!(points.iter().any(|point| (point.fmr - fmr).abs() < 1e-12), "no row at FMR {fmr}");
    }
    for pair in points.windows(2) {
        assert!(pair[1].fmr - pair[0].fmr < 0.021 && pair[0].fnmr - pair[1].fnmr < 0.021);
    }
}

#[test]
fn a_calibration_survives_its_json() {
    for calibration in [small(), large()] {
        let json = serde_json::to_string(&calibration).expect("JSON");
        assert!(json.len() < 8_192, "{} bytes", json.len());
        let back: Calibration = serde_json::from_str(&json).expect("its own JSON");
        assert_eq!(back, calibration);
    }
}

#[test]
fn the_json_is_readable() {
    let calibration =
        Calibration::fit("synthetic", "easy", 2, &distances([0.25]), &distances([0.75]))
            .expect("pairs");
    let mut json = serde_json::to_value(&calibration).expect("JSON");
    json.as_object_mut().expect("an object").remove("probability");
    assert_eq!(
        json,
        json!({
            "data": "synthetic", "split": "easy", "identities": 2, "same_pairs": 1,
            "different_pairs": 1, "eer": 0.0,
            "table": [[0.0, 0, 1], [0.5, 0, 0], [0.75, 1, 0]],
        })
    );
}

#[test]
fn a_file_may_leave_out_the_probability() {
    let mut json = serde_json::to_value(small()).expect("JSON");
    json.as_object_mut().expect("an object").remove("probability");
    let calibration: Calibration = serde_json::from_value(json).expect("a calibration");
    assert_eq!(calibration.probability(distances([0.5])[0]), None);
}

#[test]
fn errors_on_unseen_identities_are_stored_and_checked() {
    let row = |fmr| Unseen { fmr_asked: Some(0.01), fmr, fmr_95: Some([0.0, 0.04]), fnmr: 0.2 };
    let calibration = small().with_unseen(vec![row(0.013)]).expect("rates");
    let json = serde_json::to_string(&calibration).expect("JSON");
    let back: Calibration = serde_json::from_str(&json).expect("its own JSON");
    assert_eq!(back.unseen(), [row(0.013)]);

    assert_eq!(small().with_unseen(vec![row(1.5)]), Err(InvalidUnseen::Rate(1.5)));
    let lie = json.replace("0.013", "-0.5");
    assert!(serde_json::from_str::<Calibration>(&lie).is_err());
}

#[test]
fn outside_the_tables_range_the_worst_rates_apply() {
    let json = json!({
        "data": "foreign", "split": "", "identities": 2, "same_pairs": 10, "different_pairs": 10,
        "eer": 0.1, "table": [[0.5, 1, 4], [0.9, 2, 1]],
    });
    let calibration: Calibration = serde_json::from_value(json).expect("a calibration");
    check_at(&calibration, 0.1, 0.1, 1.0);
    check_at(&calibration, 0.5, 0.1, 0.4);
    check_at(&calibration, 2.0, 1.0, 0.1);
}

#[test]
fn values_that_no_measurement_can_give_are_refused() {
    let cases: &[(&str, Value)] = &[
        ("identities", json!(1)),
        ("identities", json!(-3)),
        ("same_pairs", json!(0)),
        ("different_pairs", json!(0)),
        ("eer", json!(1.5)),
        ("eer", json!(-0.1)),
        ("eer", json!(null)),
        ("table", json!([])),
        ("table", json!([[0.5, 0, 4], [0.5, 0, 4]])),
        ("table", json!([[0.5, 0, 4], [0.4, 0, 4]])),
        ("table", json!([[0.5, 1, 4], [0.6, 0, 4]])),
        ("table", json!([[0.5, 1, 3], [0.6, 1, 4]])),
        ("table", json!([[0.5, 6, 0]])),
        ("table", json!([[0.5, 0, 5]])),
        ("table", json!([[-0.5, 0, 4]])),
        ("table", json!([[0.5, 0, -4]])),
        ("table", json!([[0.5, 0]])),
        ("table", json!([[0.5, 0.5, 4]])),
        ("table", (0..5000).map(|index| json!([index, 0, 0])).collect()),
        ("probability", json!({"intercept": 1.0, "slope": 0.5})),
        ("probability", json!({"intercept": 1.0})),
    ];
    for (key, value) in cases {
        let mut json = serde_json::to_value(small()).expect("JSON");
        json[key] = value.clone();
        let read = serde_json::from_value::<Calibration>(json);
        assert!(read.is_err(), "{key} may not be {value}");
    }
}

#[test]
fn a_number_that_overflows_is_refused() {
    let json = serde_json::to_string(&small()).expect("JSON");
    let json = json.replacen("[0.0,", "[1e999,", 1);
    assert!(json.contains("1e999") && serde_json::from_str::<Calibration>(&json).is_err());
}

#[test]
fn a_kind_without_pairs_can_not_be_calibrated() {
    let some = distances([1.0]);
    assert_eq!(
        Calibration::fit("synthetic", "", 2, &[], &some),
        Err(CalibrationError::NoPairs(NoPairs::Same))
    );
    assert_eq!(
        Calibration::fit("synthetic", "", 1, &some, &some),
        Err(CalibrationError::TooFewIdentities(1))
    );
}
