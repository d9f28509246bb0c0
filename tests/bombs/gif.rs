//! GIF bombs: data before, in and after a frame.

use crate::uploads::gif::gif;
use crate::{Bomb, LARGE};

pub(crate) fn bombs() -> Vec<Bomb> {
    vec![
        ("gif: remarks before the frame", || {
            let remark = [&b"\x21\xfe\xff"[..], &[b'x'; 255], &[0]].concat();
            gif(&remark.repeat(LARGE / remark.len()), &[2, 2, 0x44, 1, 0])
        }),
        ("gif: codes that say nothing", || {
            // Only code 4, which clears the table, in three bits each.
            let block = [&[255][..], &b"\x24\x49\x92".repeat(85)].concat();
            gif(&[], &[&[2][..], &block.repeat(LARGE / block.len()), &[0]].concat())
        }),
        ("gif: codes behind the last pixel", || {
            let block = [&[255][..], &[0; 255]].concat();
            gif(&[], &[&[2, 1, 4][..], &block.repeat(LARGE / block.len()), &[0]].concat())
        }),
        ("gif: frames without end", || {
            let frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
            gif(&[], &frame[10..]).into_iter().chain(frame.repeat(LARGE / 15)).collect()
        }),
    ]
}
