//! BMP bombs: run-length codes without pixels.

use crate::{Bomb, LARGE, SIDE};

pub(crate) fn bombs() -> Vec<Bomb> {
    vec![
        ("bmp: runs of nothing", || bmp(&[])),
        ("bmp: jumps without end", || bmp(&[0, 2, 0, 0].repeat(LARGE / 4))),
    ]
}

/// A run-length coded image with eight bits per pixel.
fn bmp(coded: &[u8]) -> Vec<u8> {
    let side = i32::from(SIDE).to_le_bytes();
    [
        &b"BM\0\0\0\0\0\0\0\0\x36\x04\0\0\x28\0\0\0"[..],
        &side,
        &side,
        &[1, 0, 8, 0, 1, 0, 0, 0],
        &[0; 20],
        &[0; 1024],
        coded,
    ]
    .concat()
}
