//! JPEG: scans, tables and segments beyond number.

use crate::{Bomb, LARGE, SIDE};

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

/// A scan: the first coefficient, the precision (high, then low), the coded bits.
type Scan = (u8, u8, Vec<u8>);

/// So many blocks has a channel of this side.
fn blocks(side: u16) -> usize {
    usize::from(side.div_ceil(8)).pow(2)
}

fn zero_bits(bits: usize) -> Vec<u8> {
    vec![0; bits.div_ceil(8)]
}

/// A progressive JPEG of one side, with one scan that tells and others that say nothing new: of the first
/// coefficient, or of all others in runs of 16384 blocks.
pub(crate) fn many_scans(side: u16, channels: u8, scans: usize, first: u8) -> Vec<u8> {
    let blocks = blocks(side);
    let mut all: Vec<Scan> = vec![(0, 0, zero_bits(blocks))];
    let (precision, bits) =
        if first == 0 { (0x10, blocks) } else { (0, 15 * blocks.div_ceil(16_384)) };
    all.extend((1..scans).map(|_| (first, precision, zero_bits(bits))));
    progressive(side, channels, &all)
}

/// The first scan is written for each channel, later ones for one channel each in turn.
fn progressive(side: u16, channels: u8, scans: &[Scan]) -> Vec<u8> {
    let mut jpeg = jpeg_of(0xc2, [side, side], channels, &[], &[]);
    // The scan that others begin with is not wanted.
    jpeg.truncate(jpeg.len() - 2 - scan_header(channels).len());
    for (at, (first, precision, bits)) in scans.iter().enumerate() {
        for channel in 0..channels {
            if at == 0 || usize::from(channel) == at % usize::from(channels) {
                let last = if *first == 0 { 0 } else { 63 };
                jpeg.extend([0xff, 0xda, 0, 8, 1, channel + 1, 0, *first, last, *precision]);
                jpeg.extend(bits);
            }
        }
    }
    jpeg.extend(b"\xff\xd9");
    jpeg
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

fn scan_header(channels: u8) -> Vec<u8> {
    let mut scan = vec![0xff, 0xda, 0, 6 + 2 * channels, channels];
    (1..=channels).for_each(|it| scan.extend([it, 0]));
    scan.extend([0, 63, 0]);
    scan
}

/// A JPEG whose tables have one code each, a bit of 0: no difference, and the end of 16384 blocks or of one.
pub(crate) fn jpeg_of(
    process: u8,
    [width, height]: [u16; 2],
    channels: u8,
    before: &[u8],
    coded: &[u8],
) -> Vec<u8> {
    let mut jpeg = [&b"\xff\xd8\xff\xdb\0\x43\0"[..], &[1; 64], before].concat();
    let ending = if process == 0xc2 { 0xe0 } else { 0 };
    for (table, symbol) in [(0, 0), (0x10, ending)] {
        jpeg.extend([0xff, 0xc4, 0, 20, table, 1]);
        jpeg.extend([0; 15]);
        jpeg.push(symbol);
    }
    jpeg.extend([0xff, process, 0, 8 + 3 * channels, 8]);
    jpeg.extend(height.to_be_bytes());
    jpeg.extend(width.to_be_bytes());
    jpeg.push(channels);
    (1..=channels).for_each(|it| jpeg.extend([it, 0x11, 0]));
    jpeg.extend(scan_header(channels));
    jpeg.extend(coded);
    jpeg.extend(b"\xff\xd9");
    jpeg
}
