//! Random files that are valid enough to reach the decoders' inner code.

use super::{gif, jpeg, tiff, webp, zeros};

/// Draws a random number below the given one.
pub(crate) type Draw<'a> = &'a mut dyn FnMut(usize) -> usize;

fn one_of<T: Copy>(draw: Draw, all: &[T]) -> T {
    all[draw(all.len())]
}

/// Usually the side of a small image.
fn side(draw: Draw) -> u32 {
    match draw(8) {
        0 => one_of(draw, &[0, 1, 1400, 4000, 7000, 16_384, 65_535, 70_000, u32::MAX]),
        1 => u32::try_from(draw(3000)).expect("small"),
        _ => 1 + u32::try_from(draw(64)).expect("small"),
    }
}

fn noise(draw: Draw, most: usize) -> Vec<u8> {
    let length = draw(most);
    (0..length).map(|_| u8::try_from(draw(256)).expect("a byte")).collect()
}

/// The bytes of a strip, a tile or a frame for a compression number: streams that expand, streams of a wrong size, and
/// noise.
fn coded(draw: Draw, compression: u32) -> Vec<u8> {
    match (draw(8), compression) {
        (0, _) => noise(draw, 1 << 12),
        (1, _) => vec![one_of(draw, &[0, 0xff, 0x55]); draw(1 << 16)],
        (_, 5) => b"\x80\0\x20\x10".repeat(draw(1 << 16)),
        (2..5, 7) => {
            let side = one_of(draw, &[8, 64, 1000, 3000, 7000]);
            jpeg::many_scans(side, one_of(draw, &[1, 3]), 1 + draw(120), one_of(draw, &[0, 1]))
        }
        (_, 7) => {
            let sides =
                [side(draw), side(draw)].map(|side| u16::try_from(side).unwrap_or(u16::MAX));
            let channels = one_of(draw, &[1, 1, 3, 4]);
            let process = one_of(draw, &[0xc0, 0xc0, 0xc1, 0xc2, 0xc3, 0xc9]);
            jpeg::jpeg_of(process, sides, channels, &[], &vec![0; draw(1 << 14)])
        }
        (_, 8 | 32_946) => zeros(1 << draw(25)),
        _ => noise(draw, 1 << 16),
    }
}

/// A TIFF with random tags, and strips or tiles that may share their bytes.
pub(crate) fn any_tiff(draw: Draw) -> Vec<u8> {
    let mut entries = Vec::new();
    if draw(4) == 0 {
        entries.extend([(322, 4, 1, side(draw)), (323, 4, 1, side(draw))]);
    }
    let compressions = [1, 1, 2, 3, 4, 5, 5, 6, 7, 7, 7, 8, 8, 32_773, 32_946, 34_712, 50_000];
    let compression = one_of(draw, &compressions);
    entries.push((259, 3, 1, compression));
    let choices: [(u16, &[u32]); 9] = [
        (258, &[1, 2, 4, 8, 12, 16, 32, 64, 65_535]),
        (262, &[0, 1, 2, 3, 4, 5, 6, 8, 9, 32_803]),
        (266, &[1, 2]),
        (277, &[0, 1, 2, 3, 4, 5, 200, 65_535]),
        (278, &[0, 1, 8, 1000, u32::MAX]),
        (284, &[1, 2]),
        (317, &[1, 2, 3, 9]),
        (338, &[0, 1, 2]),
        (339, &[1, 2, 3, 4]),
    ];
    for (tag, values) in choices {
        if draw(6) == 0 {
            entries.push((
                tag,
                one_of(draw, &[3, 4]),
                one_of(draw, &[1, 1, 1, 3, 4]),
                one_of(draw, values),
            ));
        }
    }
    if draw(8) == 0 {
        // A random tag, type, count and position.
        let count = one_of(draw, &[0, 1, 1000, u32::MAX]);
        let number = u16::try_from(draw(65_536)).expect("16 bits");
        let kind = u16::try_from(draw(20)).expect("small");
        entries.push((number, kind, count, side(draw)));
    }
    let parts = one_of(draw, &[1, 1, 2, 100, 3000]);
    let coded = coded(draw, compression);
    tiff::tiff(&entries, [side(draw), side(draw)], (parts, &coded))
}

/// A WebP with random chunks and frames.
pub(crate) fn any_webp(draw: Draw) -> Vec<u8> {
    let mut chunks = Vec::new();
    if draw(2) == 0 {
        let flags = u8::try_from(draw(256)).expect("a byte");
        let mut canvas = vec![flags, 0, 0, 0];
        for side in [side(draw), side(draw)] {
            canvas.extend(&side.saturating_sub(1).to_le_bytes()[..3]);
        }
        chunks.extend(webp::chunk(b"VP8X", &canvas));
    }
    for _ in 0..=draw(4) {
        chunks.extend(webp_part(draw, 0));
    }
    webp::riff(&chunks)
}

fn webp_part(draw: Draw, depth: usize) -> Vec<u8> {
    match draw(8) {
        0 => webp::chunk(b"VP8 ", &webp::vp8(u16::try_from(side(draw) & 0x3fff).expect("14 bits"))),
        1 => {
            let most = one_of(draw, &[2, 256, 16_384]);
            webp::lossless([1 + draw(16_384), 1 + draw(16_384)], 1 + draw(most))
        }
        2 => webp::chunk(b"ANIM", &noise(draw, 12)),
        3 if depth < 3 => {
            let mut frame = noise(draw, 17);
            frame.resize(16, 0);
            (0..draw(3)).for_each(|_| frame.extend(webp_part(draw, depth + 1)));
            webp::chunk(b"ANMF", &frame)
        }
        4 => webp::chunk(b"ALPH", &noise(draw, 2000)),
        5 => webp::chunk(one_of(draw, &[b"EXIF", b"ICCP", b"XMP ", b"ZZZZ"]), &noise(draw, 2000)),
        6 => {
            // A length that differs from the actual one.
            let name = one_of(draw, &[b"VP8 ", b"VP8L", b"ALPH", b"ANMF"]);
            [&name[..], &side(draw).to_le_bytes(), &noise(draw, 200)].concat()
        }
        _ => webp::chunk(b"VP8L", &[&[0x2f][..], &noise(draw, 3000)].concat()),
    }
}

/// A GIF with a random screen and frame.
pub(crate) fn any_gif(draw: Draw) -> Vec<u8> {
    let mut any = || u16::try_from(side(draw)).unwrap_or(u16::MAX);
    let (screen, frame) = ([any(), any()], [any(), any(), any(), any()]);
    let flags = u8::try_from(draw(256)).expect("a byte");
    // Codes that clear the table and write a pixel, in nine bits each; or noise.
    let coded = if draw(2) == 0 { b"\0\x01\0".repeat(draw(1 << 12)) } else { noise(draw, 1 << 12) };
    gif::of(screen, frame, flags, &coded)
}
