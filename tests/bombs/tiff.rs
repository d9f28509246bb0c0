//! TIFF bombs: strips, tiles and tags that are larger than they look.

use crate::uploads::jpeg::{jpeg_of, many_scans};
use crate::uploads::tiff::tiff;
use crate::uploads::zeros;
use crate::{Bomb, LARGE, SIDE};

pub(crate) fn bombs() -> Vec<Bomb> {
    vec![
        ("tiff: a strip that inflates", || tiff(&[(259, 4, 1, 8)], [1, 1], (1, &zeros(600 << 20)))),
        ("tiff: a strip of LZW that grows", || {
            tiff(&[(259, 4, 1, 5)], [1, 1], (1, &b"\x80\0\x20\x10".repeat(LARGE / 4)))
        }),
        ("tiff: a tile beyond the image", || {
            let tile = [(322, 4, 1, 65_520), (323, 4, 1, 65_520), (259, 4, 1, 8)];
            tiff(&tile, [1, 1], (1, &zeros(1 << 20)))
        }),
        ("tiff: a profile that is not there", || {
            tiff(&[(34_675, 7, u32::MAX, 8)], [1, 1], (1, &[0]))
        }),
        ("tiff: strips that are not there", || {
            tiff(&[(273, 4, 500_000_000, 8)], [1, 1], (1, &[0]))
        }),
        ("tiff: samples without number", || {
            tiff(&[(277, 3, 1, 65_535), (258, 3, 65_535, 8)], [30, 30], (1, &vec![0; 1 << 18]))
        }),
        ("tiff: a large JPEG in a small strip", || {
            tiff(&[(259, 4, 1, 7)], [8, 8], (1, &jpeg_of(0xc0, [65_500, 65_500], 1, &[], &[0; 64])))
        }),
        ("tiff: a JPEG of many scans in a strip", || {
            let side = u32::from(SIDE);
            tiff(&[(259, 4, 1, 7)], [side, side], (1, &many_scans(SIDE, 1, 1000, 1)))
        }),
        ("tiff: a JPEG of the largest side in a strip of eight", || {
            tiff(&[(259, 4, 1, 7)], [8, 8], (1, &many_scans(16_384, 1, 100, 1)))
        }),
        ("tiff: a thousand strips that share one JPEG", || {
            let one_row = (278, 3, 1, 1);
            tiff(&[(259, 4, 1, 7), one_row], [8, 1000], (1000, &many_scans(4000, 1, 100, 1)))
        }),
        ("tiff: a thousand strips that share one deflate stream", || {
            let one_row = (278, 3, 1, 1);
            tiff(&[(259, 4, 1, 8), one_row], [2000, 1000], (1000, &zeros(600 << 20)))
        }),
        ("tiff: a thousand tiles far wider than the image", || {
            let tile = [(322, 4, 1, 65_520), (323, 4, 1, 16), (259, 4, 1, 8)];
            tiff(&tile, [8, 16_000], (1000, &zeros(16 << 20)))
        }),
        ("tiff: a colour map beyond all", || tiff(&[(320, 3, u32::MAX, 8)], [1, 1], (1, &[0]))),
        ("tiff: as many samples as are taken, apart", || {
            let side = u32::from(SIDE);
            let tags = [(277, 3, 1, 6), (262, 3, 1, 2), (284, 3, 1, 2), (259, 3, 1, 8)];
            tiff(&tags, [side, side], (6, &zeros(64 << 20)))
        }),
        ("tiff: runs of bytes in strips of a row", || {
            let tags = [(278, 3, 1, 1), (259, 3, 1, 32_773)];
            tiff(&tags, [65_000, 700], (700, &b"\x81\0".repeat(600)))
        }),
        ("tiff: runs of nothing", || tiff(&[(259, 3, 1, 32_773)], [8, 8], (1, &vec![0x80; LARGE]))),
        ("tiff: a fax of ends of rows", || {
            let side = u32::from(SIDE);
            let tags = [(259, 4, 1, 3), (258, 3, 1, 1)];
            tiff(&tags, [side, side], (1, &b"\0\x10\x01".repeat(LARGE / 3)))
        }),
        ("tiff: a fax of nothing", || {
            let side = u32::from(SIDE);
            tiff(&[(259, 4, 1, 4), (258, 3, 1, 1)], [side, side], (1, &vec![0xff; 1 << 20]))
        }),
    ]
}
