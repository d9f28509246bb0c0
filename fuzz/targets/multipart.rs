//! Fuzzes a multipart form: the first line is its media type, the rest its body.
//!
//! Parts must be slices of the body, and a form written from parts must read back as those parts.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use siamese::http::fuzzing::{ALLOWED, multipart};

fuzz_target!(|data: &[u8]| {
    let (media, body) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    read(media, body);
    round_trip(media, body);
});

fn read(media: &[u8], body: &[u8]) {
    let body = Bytes::copy_from_slice(body);
    let Some(outcome) = multipart(media, &body) else { return };
    match outcome {
        Ok(parts) => {
            let within = body.as_ptr_range();
            let mut behind = within.start;
            for (name, part) in parts {
                assert!(ALLOWED.contains(&name));
                if !part.is_empty() {
                    let part = part.as_ptr_range();
                    assert!(
                        behind <= part.start && part.end <= within.end,
                        "no slice, or out of order"
                    );
                    behind = part.end;
                }
            }
        }
        Err(code) => assert!(["body_malformed", "part_unexpected"].contains(&code), "{code}"),
    }
}

/// Writes a form and reads it back.
fn round_trip(boundary: &[u8], contents: &[u8]) {
    let boundary: String = boundary.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    let boundary = format!("-{boundary}");
    let delimiter = format!("\r\n--{boundary}");
    if memchr::memmem::find(&[b"\r\n", contents].concat(), delimiter.as_bytes()).is_some() {
        return;
    }
    let written: Vec<_> = contents.split(|byte| *byte == 0xff).zip(ALLOWED.iter().cycle()).collect();
    let mut body = Vec::new();
    for (content, name) in &written {
        let head =
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let media = format!("multipart/form-data; boundary=\"{boundary}\"");
    let read = multipart(media.as_bytes(), &body.into()).expect("a header");
    if written.len() <= 4096 {
        let read = read.expect("a form");
        assert!(read.iter().map(|(name, part)| (part.as_ref(), name)).eq(written));
    } else {
        assert_eq!(read, Err("body_malformed"));
    }
}
