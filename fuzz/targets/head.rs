//! Fuzzes the head of a request: query, media type, `Accept` and deadline.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use siamese::http::fuzzing::head;

fuzz_target!(|data: &[u8]| {
    let most = Duration::from_secs(10);
    for outcome in head(data, most) {
        match outcome {
            Ok(deadline) => assert!(deadline <= most),
            Err(code) => assert!(
                ["body_malformed", "media_type_unsupported", "not_acceptable", "query_invalid"]
                    .contains(&code),
                "{code}"
            ),
        }
    }
});
