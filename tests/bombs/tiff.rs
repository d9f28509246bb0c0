//! TIFF: strips, tiles and tags that are larger than they look.

use crate::jpeg::{jpeg_of, many_scans};
use crate::{Bomb, LARGE, SIDE, zeros};

pub(crate) fn bombs() -> Vec<Bomb> {
    vec![
        ("tiff: a strip that inflates", || tiff(&[(259, 4, 1, 8)], [1, 1], &zeros(600 << 20))),
        ("tiff: a strip of LZW that grows", || {
            tiff(&[(259, 4, 1, 5)], [1, 1], &b"\x80\0\x20\x10".repeat(LARGE / 4))
        }),
        ("tiff: a tile beyond the picture", || {
            let tile = [(322, 4, 1, 65_520), (323, 4, 1, 65_520), (259, 4, 1, 8)];
            tiff(&tile, [1, 1], &zeros(1 << 20))
        }),
        ("tiff: a profile that is not there", || tiff(&[(34_675, 7, u32::MAX, 8)], [1, 1], &[0])),
        ("tiff: strips that are not there", || tiff(&[(273, 4, 500_000_000, 8)], [1, 1], &[0])),
        ("tiff: samples without number", || {
            tiff(&[(277, 3, 1, 65_535), (258, 3, 65_535, 8)], [30, 30], &vec![0; 1 << 18])
        }),
        ("tiff: a large JPEG in a small strip", || {
            tiff(&[(259, 4, 1, 7)], [8, 8], &jpeg_of(0xc0, [65_500, 65_500], 1, &[], &[0; 64]))
        }),
        ("tiff: a JPEG of many scans in a strip", || {
            let side = u32::from(SIDE);
            tiff(&[(259, 4, 1, 7)], [side, side], &many_scans(SIDE, 1, 1000, 1))
        }),
        ("tiff: a colour map beyond all", || tiff(&[(320, 3, u32::MAX, 8)], [1, 1], &[0])),
        ("tiff: a fax of nothing", || {
            let side = u32::from(SIDE);
            tiff(&[(259, 4, 1, 4), (258, 3, 1, 1)], [side, side], &vec![0xff; 1 << 20])
        }),
    ]
}

/// A tag, the kind and number of its values, and the value or where the values are.
type Entry = (u16, u16, u32, u32);

/// A grey TIFF of one strip or tile; `entries` go before those that it would have.
fn tiff(entries: &[Entry], [width, height]: [u32; 2], strip: &[u8]) -> Vec<u8> {
    let length = u32::try_from(strip.len()).expect("a length");
    let is_tiled = entries.iter().any(|it| it.0 == 322);
    let (offsets, lengths) = if is_tiled { (324, 325) } else { (273, 279) };
    let mut all: Vec<Entry> = vec![
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (offsets, 4, 1, 8),
        (lengths, 4, 1, length),
    ];
    for entry in entries {
        all.retain(|it| it.0 != entry.0);
        all.push(*entry);
    }
    all.sort_unstable();
    let mut out = [&b"II*\0"[..], &(8 + length + length % 2).to_le_bytes(), strip].concat();
    out.resize(out.len().next_multiple_of(2), 0);
    out.extend(u16::try_from(all.len()).expect("a few").to_le_bytes());
    for (tag, kind, count, value) in all {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    out.extend([0; 4]);
    out
}
