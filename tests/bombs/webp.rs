//! WebP bombs: false chunk and frame sizes, and many tables.

use crate::uploads::webp::{chunk, riff, tables, vp8};
use crate::{Bomb, LARGE};

pub(crate) fn bombs() -> Vec<Bomb> {
    vec![
        ("webp: tables without end", tables),
        ("webp: EXIF that is not there", || {
            let frame = chunk(b"VP8 ", &vp8(1));
            let exif = [&b"EXIF"[..], &0xffff_fff0_u32.to_le_bytes(), b"II*\0"].concat();
            riff(&[chunk(b"VP8X", &[8, 0, 0, 0, 0, 0, 0, 0, 0, 0]), frame, exif].concat())
        }),
        ("webp: a frame larger than its image", || {
            let frame = chunk(b"VP8 ", &vp8(16_383));
            riff(&[chunk(b"VP8X", &[0; 10]), frame].concat())
        }),
        ("webp: an animation's frame larger than its image", || {
            let frame = [&[0; 16][..], &chunk(b"VP8 ", &vp8(16_383))].concat();
            let animation = chunk(b"ANIM", &[0; 6]);
            riff(
                &[
                    chunk(b"VP8X", &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                    animation,
                    chunk(b"ANMF", &frame),
                ]
                .concat(),
            )
        }),
        ("webp: frames in frames", || {
            let mut frames = Vec::new();
            for inside in (0..u32::try_from(LARGE).expect("32 bits")).step_by(24).rev() {
                frames.extend(b"ANMF");
                frames.extend(inside.to_le_bytes());
                frames.extend([0; 16]);
            }
            riff(
                &[chunk(b"VP8X", &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]), chunk(b"ANIM", &[0; 6]), frames]
                    .concat(),
            )
        }),
    ]
}
