//! Hostile uploads: false claims and missing data.

use std::time::{Duration, Instant};

use siamese_core::preprocessing::{Colour, DecodeError, Fit, Limits, Pixels, Preprocessing};

/// Preprocesses an upload for a very small model, so that a large JPEG is decoded at an eighth of its size.
fn preprocess(upload: &[u8], limits: &Limits) -> Result<Pixels, DecodeError> {
    let preprocessing = Preprocessing {
        height: 5,
        width: 6,
        colour: Colour::Grey,
        fit: Fit::Stretch,
        scale: 1.0,
        mean: vec![0.0],
        std: vec![1.0],
    };
    preprocessing.preprocess(upload, limits)
}

/// Headers that claim far more than follows. Decoding them would fail with another error.
fn claims() -> Vec<(&'static str, Vec<u8>)> {
    let png = [
        &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
        &30_000_u32.to_be_bytes(),
        &30_000_u32.to_be_bytes(),
        &[8, 6, 0, 0, 0],
        &crc32(b"IHDR", &[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30, 8, 6, 0, 0, 0]).to_be_bytes(),
        b"\0\0\0\x04IDAT\0\0\0\0\0\0\0\0",
    ];
    let bmp = [
        &b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"[..],
        &30_000_i32.to_le_bytes(),
        &30_000_i32.to_le_bytes(),
        &[1, 0, 24, 0, 0, 0, 0, 0],
        &[0; 20],
    ];
    let gif = [
        &b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff"[..],
        b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b",
    ];
    let tiff = [
        &b"II*\0\x08\0\0\0\x07\0"[..],
        &entry(256, 4, 30_000),
        &entry(257, 4, 30_000),
        &entry(258, 3, 8),
        &entry(259, 3, 1),
        &entry(262, 3, 1),
        &entry(273, 4, 0),
        &entry(279, 4, 900_000_000),
        &[0; 4],
    ];
    // 16000 by 16000: each side is stored minus one, in 14 bits.
    let webp = [&b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\x7f\xfe\x9f\x0f\0"[..]];
    vec![
        ("jpeg", jpeg_of(65_000, 65_000)),
        ("png", png.concat()),
        ("bmp", bmp.concat()),
        ("gif", gif.concat()),
        ("tiff", tiff.concat()),
        ("webp", webp.concat()),
        ("pnm", b"P6 30000 30000 255\n".to_vec()),
        ("plain pnm", b"P2 30000 30000 255\n1".to_vec()),
        ("long pnm", b"P5 4000000 1 255\n".to_vec()),
    ]
}

/// A minimal JPEG that claims a size.
fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
    let [width, height] = [width, height].map(u16::to_be_bytes);
    [
        &b"\xff\xd8\xff\xdb\0\x43\0"[..],
        &[1; 64],
        b"\xff\xc0\0\x0b\x08",
        &height,
        &width,
        b"\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\0\xff\xd9",
    ]
    .concat()
}

/// A directory entry of a little-endian TIFF, with one value.
fn entry(tag: u16, kind: u16, value: u32) -> [u8; 12] {
    let mut entry = [0; 12];
    entry[..2].copy_from_slice(&tag.to_le_bytes());
    entry[2..4].copy_from_slice(&kind.to_le_bytes());
    entry[4] = 1;
    entry[8..].copy_from_slice(&value.to_le_bytes());
    entry
}

/// The checksum of a PNG chunk.
fn crc32(name: &[u8], body: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in name.iter().chain(body) {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[test]
fn too_many_claimed_pixels_are_rejected_from_the_header() {
    for (format, upload) in claims() {
        assert!(upload.len() < 200, "{format}");
        let response = preprocess(&upload, &Limits::default());
        assert!(matches!(response, Err(DecodeError::TooLarge)), "{format}: {response:?}");
    }
}

#[test]
fn missing_pixels_are_rejected() {
    for upload in [jpeg_of(640, 480), b"P6 640 480 255\n123".to_vec(), b"P3 9 9 255\n1 2".to_vec()]
    {
        let response = preprocess(&upload, &Limits::default());
        assert!(
            matches!(response, Err(DecodeError::CutShort | DecodeError::Corrupt(_))),
            "{response:?}"
        );
    }
}

#[test]
fn an_image_without_pixels_is_corrupt() {
    for upload in [
        &b"P5 0 0 255\n"[..],
        b"P5 0 9 255\n",
        b"P6 9 0 255\n",
        b"GIF89a\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\0\0\x02\x01\x01\0\x3b",
        &jpeg_of(0, 8),
        &jpeg_of(8, 0),
    ] {
        let response = preprocess(upload, &Limits::default());
        assert!(matches!(response, Err(DecodeError::Corrupt(_))), "{upload:?}: {response:?}");
    }
}

#[test]
fn a_truncated_header_is_rejected() {
    for (format, upload) in claims() {
        for length in 0..upload.len().min(30) {
            let response = preprocess(&upload[..length], &Limits::default());
            assert!(response.is_err(), "{format} at {length}");
            assert!(
                !matches!(response, Err(DecodeError::DecoderFailed(_))),
                "{format} at {length}"
            );
        }
    }
}

/// Files of a baseline, a progressive and a grey JPEG, each much larger than the model's input.
fn large_jpegs() -> [(&'static str, Vec<u8>); 3] {
    ["reduced", "reduced-progressive", "reduced-grey"].map(|name| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images");
        let upload = std::fs::read(format!("{folder}/{name}.jpg")).expect("an image");
        (name, upload)
    })
}

#[test]
fn a_large_jpeg_with_a_wrong_byte_neither_panics_nor_takes_long() {
    for (name, upload) in large_jpegs() {
        let begun = Instant::now();
        for at in (0..upload.len()).step_by(97).chain(0..600) {
            for byte in [0, 0x7f, 0xff] {
                let mut upload = upload.clone();
                upload[at] = byte;
                let response = preprocess(&upload, &Limits::default());
                assert!(
                    !matches!(response, Err(DecodeError::DecoderFailed(_))),
                    "{name}: {byte} at {at}"
                );
            }
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "{name}");
    }
}

#[test]
fn a_large_jpeg_with_wrong_sides_is_rejected_or_decoded_within_the_limits() {
    for (name, upload) in large_jpegs() {
        let frame = upload
            .windows(2)
            .position(|window| window[0] == 0xff && matches!(window[1], 0xc0 | 0xc2))
            .expect("a frame's header");
        let sides = [0, 1, 7, 8, 9, 300, 4_000, 65_535];
        for (height, width) in sides.into_iter().flat_map(|value| sides.map(|other| (value, other)))
        {
            let mut upload = upload.clone();
            upload[frame + 5..frame + 7].copy_from_slice(&u16::to_be_bytes(height));
            upload[frame + 7..frame + 9].copy_from_slice(&u16::to_be_bytes(width));
            let response = preprocess(&upload, &Limits::default());
            assert!(
                !matches!(response, Err(DecodeError::DecoderFailed(_))),
                "{name}: {width}x{height}"
            );
            let pixels = u64::from(width) * u64::from(height);
            if Limits::default().max_pixels < pixels {
                assert!(matches!(response, Err(DecodeError::TooLarge)), "{name}: {response:?}");
            }
        }
    }
}
