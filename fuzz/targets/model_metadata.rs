//! Fuzzes a model file, its sidecar, its calibration and its golden pairs.
//!
//! Rewriting metadata must not change the rest of the file. Everything accepted must read back as written.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use siamese_core::model::card::PREFIX;
use siamese_core::model::protobuf::{Field, fields};
use siamese_core::model::{Card, Golden, GoldenCheck, NotOnnx, rewrite, sidecar_values};
use siamese_core::preprocessing::{Colour, Fit, Preprocessing};
use siamese_core::score::{Calibration, Distance, Threshold};
use siamese_fuzz::let_panics_be_caught;

fuzz_target!(init: let_panics_be_caught(), |data: &[u8]| {
    file(data);
    calibration(data);
    golden(data);
    if let Ok(text) = std::str::from_utf8(data) {
        sidecar(text);
    }
});

fn file(onnx: &[u8]) {
    let metadata = [("siamese.name", "x"), ("siamese.margin", "2")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    match rewrite(onnx, &metadata) {
        Err(NotOnnx) => {}
        Ok(written) => {
            assert_eq!(rewrite(&written, &metadata).as_ref(), Ok(&written));
            let bare = rewrite(onnx, &[]).expect("a model");
            assert_eq!(rewrite(&written, &[]).as_ref(), Ok(&bare));
            assert!(written.starts_with(&bare));
            // All other fields are unchanged and in order.
            let all = fields(onnx).expect("a model");
            let others = all.iter().filter(|field| !is_ours(field)).flat_map(|field| field.whole);
            assert!(others.eq(&bare));
        }
    }
}

fn is_ours(field: &Field) -> bool {
    let Field { number: 14, body: Some(entry), .. } = field else { return false };
    let entry = fields(entry).expect("an entry");
    let key = entry.iter().find(|field| field.number == 1).and_then(|field| field.body);
    key.is_some_and(|key| key.starts_with(PREFIX.as_bytes()))
}

fn sidecar(text: &str) {
    let Ok(values) = sidecar_values(text) else { return };
    let Ok(card) = Card::parse(&values, "stem") else { return };
    let written = card.to_metadata();
    let values: BTreeMap<_, _> = written
        .iter()
        .map(|(key, value)| (key.strip_prefix(PREFIX).expect("the prefix is present").to_owned(), value.clone()))
        .collect();
    let read = Card::parse(&values, "other").expect("it reads back");
    assert_eq!(read.to_metadata(), written);
    assert_eq!(read.preprocessing, card.preprocessing);
}

fn calibration(json: &[u8]) {
    let Ok(calibration) = serde_json::from_slice::<Calibration>(json) else { return };
    let written = serde_json::to_vec(&calibration).expect("JSON");
    assert_eq!(
        serde_json::from_slice::<Calibration>(&written).expect("it reads back"),
        calibration
    );
    for fmr in [-1.0, 0.0, 1e-9, 0.001, 0.5, 1.0, f64::NAN] {
        if let Ok(point) = calibration.for_fmr(fmr) {
            assert!(point.fmr <= fmr);
        }
    }
    let middle = calibration.eer_point();
    for threshold in [0.0, middle.threshold.get(), f64::MAX] {
        let point = calibration.at(Threshold::try_from(threshold).expect("a threshold"));
        assert!((0.0..=1.0).contains(&point.fmr) && (0.0..=1.0).contains(&point.fnmr));
    }
    let near = Distance::try_from(0.0).map(|distance| calibration.probability(distance));
    if let Ok(Some(probability)) = near {
        assert!((0.0..=1.0).contains(&probability), "{probability}");
    }
}

fn golden(json: &[u8]) {
    let Ok(golden) = serde_json::from_slice::<Golden>(json) else { return };
    let preprocessing = Preprocessing {
        height: 5,
        width: 6,
        colour: Colour::Grey,
        fit: Fit::Stretch,
        scale: 1.0,
        mean: vec![0.0],
        std: vec![1.0],
    };
    if let Ok(check) = GoldenCheck::new(&golden, &preprocessing) {
        assert_eq!(check.pixels().len(), golden.images.len());
        // The check reports a model that gives no embedding.
        assert!(check.check(&[]).is_err());
    }
}
