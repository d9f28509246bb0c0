//! JPEG bombs: many scans, tables and segments.

use crate::uploads::jpeg::{blocks, in_pairs, jpeg_of, many_scans, uneven, zero_bits};
use crate::{Bomb, LARGE, SIDE};

/// A side of what is brought to pixels by our own code, which is not optimised in tests.
const UNEVEN: u16 = 2500;

pub(crate) fn bombs() -> Vec<Bomb> {
    vec![
        ("jpeg: as many scans as are taken, of DC", || many_scans(SIDE, 1, 100, 0)),
        ("jpeg: as many scans as are taken, of AC", || many_scans(SIDE, 1, 100, 1)),
        ("jpeg: the same in colour", || many_scans(6000, 3, 97, 1)),
        ("jpeg: ten thousand scans", || many_scans(8, 1, 10_000, 1)),
        ("jpeg: arithmetic coding of nothing", || jpeg(0xc9, SIDE, 1, &[0; 64])),
        ("jpeg: baseline of nothing", || {
            let zero = zero_bits(2 * blocks(SIDE));
            jpeg(0xc0, SIDE, 1, &zero)
        }),
        ("jpeg: colour finer than brightness", || uneven(UNEVEN, 3)),
        ("jpeg: inks of unlike resolutions", || uneven(UNEVEN, 4)),
        ("jpeg: two channels in a scan", || in_pairs(UNEVEN)),
        ("jpeg: an early end", || jpeg(0xc0, SIDE, 3, &[0; 64])),
        ("jpeg: tables without end", || {
            let table = [&b"\xff\xc4\0\x14\0\x01"[..], &[0; 15], &[0]].concat();
            before_frame(&table.repeat(LARGE / table.len()))
        }),
        ("jpeg: large tables without end", || {
            let counts = [0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 100];
            let symbols: Vec<u8> = (0..128).collect();
            let table = [&b"\xff\xc4\0\x93\x10"[..], &counts, &symbols].concat();
            before_frame(&table.repeat(LARGE / table.len()))
        }),
        ("jpeg: filling without end", || before_frame(&vec![0xff; LARGE])),
        ("jpeg: remarks without end", || before_frame(&b"\xff\xfe\0\x03x".repeat(LARGE / 5))),
        ("jpeg: parts of a colour profile without end", || {
            let part = b"\xff\xe2\0\x11ICC_PROFILE\0\x01\xffx";
            before_frame(&part.repeat(LARGE / part.len()))
        }),
        ("jpeg: a restart behind every block", || {
            let mut coded: Vec<u8> = (0..blocks(SIDE))
                .flat_map(|at| [0, 0xff, 0xd0 | at.to_le_bytes()[0] & 7])
                .collect();
            coded.truncate(LARGE);
            restarting(&coded)
        }),
        ("jpeg: a restart that never comes", || restarting(&[0; 64])),
        ("jpeg: restarts out of order", || restarting(&b"\0\xff\xd5".repeat(LARGE / 3))),
        ("jpeg: a height that comes later", || {
            let coded = [&b"\0"[..], b"\xff\xdc\0\x04\xff\xdc"].concat();
            jpeg_of(0xc0, [8, 0], 1, &[], &coded)
        }),
    ]
}

fn jpeg(process: u8, side: u16, channels: u8, coded: &[u8]) -> Vec<u8> {
    jpeg_of(process, [side, side], channels, &[], coded)
}

fn before_frame(segments: &[u8]) -> Vec<u8> {
    jpeg_of(0xc0, [8, 8], 1, segments, &[0; 8])
}

fn restarting(coded: &[u8]) -> Vec<u8> {
    jpeg_of(0xc0, [SIDE, SIDE], 1, b"\xff\xdd\0\x04\0\x01", coded)
}
