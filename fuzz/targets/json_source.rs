//! Any bytes as the JSON of a request, and as one source of it.
//!
//! What is taken is JSON to everybody else too, and a picture is what its base64 says.

#![no_main]

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;
use siamese::http::fuzzing::{Read, request, source};

type Object<'a> = BTreeMap<String, &'a RawValue>;

const CODES: [&str; 7] = [
    "base64_invalid",
    "batch_too_large",
    "body_malformed",
    "embedding_invalid",
    "part_missing",
    "part_repeated",
    "part_unexpected",
];

fuzz_target!(|json: &[u8]| {
    for answer in request(json) {
        match answer {
            // An item with a number out of range, which `Value` refuses, fails alone.
            Ok(()) => {
                drop(serde_json::from_slice::<Object>(json).expect("an object to everybody else"))
            }
            Err(code) => assert!(CODES.contains(&code), "{code}"),
        }
    }
    match source(json) {
        Err(code) => assert!(CODES.contains(&code), "{code}"),
        Ok(read) => {
            let value: Value = serde_json::from_slice(json).expect("JSON to everybody else");
            match read {
                Read::Upload(bytes) => {
                    let text = value.as_str().or_else(|| value["image"].as_str()).expect("a text");
                    let base64 = text.rsplit(',').next().unwrap_or_default();
                    assert_eq!(STANDARD_NO_PAD.encode(bytes), base64.trim_end_matches('='));
                }
                Read::Embedding(numbers) => {
                    assert!(!numbers.is_empty() && numbers.iter().all(|it| it.is_finite()));
                    let written = value["embedding"].as_array().expect("a list");
                    for (number, written) in numbers.iter().zip(written) {
                        assert_eq!(*number, written.as_f64().expect("a number") as f32);
                    }
                    assert_eq!(numbers.len(), written.len());
                }
            }
        }
    }
});
