//! PNG bombs: compressed data that expands, and many chunks.

use crate::uploads::zeros;
use crate::{Bomb, LARGE, SIDE};

pub(crate) fn bombs() -> Vec<Bomb> {
    vec![
        ("png: texts that inflate", || {
            let text = [&b"zTXt"[..], b"x\0\0", &zeros(64 << 20)].concat();
            let international = [&b"iTXt"[..], b"x\0\x01\0\0\0", &zeros(64 << 20)].concat();
            png(
                1,
                1,
                8,
                0,
                &[text.repeat_chunk(20), international.repeat_chunk(20)].concat(),
                &zeros(2),
            )
        }),
        ("png: a colour profile that inflates", || {
            let profile = [&b"iCCP"[..], b"x\0\0", &zeros(600 << 20)].concat();
            png(1, 1, 8, 0, &profile.repeat_chunk(1), &zeros(2))
        }),
        ("png: rows behind the last", || png(1, 1, 8, 0, &[], &zeros(600 << 20))),
        ("png: as many bytes a pixel as there can be", || {
            let [width, height] = [u32::from(SIDE), u32::from(SIDE)];
            png(width, height, 16, 6, &[], &zeros(u64::from(height) * (1 + u64::from(width) * 8)))
        }),
        ("png: the same, interlaced", || {
            let side = u32::from(SIDE);
            let rows = u64::from(side) * 15 / 8 + u64::from(side) * u64::from(side) * 8;
            png_of(side, side, [16, 6, 1], &[], &zeros(rows))
        }),
        ("png: pixels in chunks of nothing", || {
            let nothing = b"IDAT".to_vec().repeat_chunk(LARGE / 12);
            png(1, 1, 8, 0, &nothing, &zeros(2))
        }),
    ]
}

trait Chunk {
    /// A chunk from its name and content, repeated this many times.
    fn repeat_chunk(&self, times: usize) -> Vec<u8>;
}

impl Chunk for Vec<u8> {
    fn repeat_chunk(&self, times: usize) -> Vec<u8> {
        let length = u32::try_from(self.len() - 4).expect("a length");
        let mut sum = flate2::Crc::new();
        sum.update(self);
        [&length.to_be_bytes()[..], self, &sum.sum().to_be_bytes()].concat().repeat(times)
    }
}

fn png(width: u32, height: u32, depth: u8, colour: u8, before: &[u8], pixels: &[u8]) -> Vec<u8> {
    png_of(width, height, [depth, colour, 0], before, pixels)
}

fn png_of(
    width: u32,
    height: u32,
    [depth, colour, interlaced]: [u8; 3],
    before: &[u8],
    pixels: &[u8],
) -> Vec<u8> {
    let [width, height] = [width, height].map(u32::to_be_bytes);
    let header = [&b"IHDR"[..], &width, &height, &[depth, colour, 0, 0, interlaced]].concat();
    [
        &b"\x89PNG\r\n\x1a\n"[..],
        &header.repeat_chunk(1),
        before,
        &[b"IDAT", pixels].concat().repeat_chunk(1),
        &b"IEND".to_vec().repeat_chunk(1),
    ]
    .concat()
}
