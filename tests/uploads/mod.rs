//! Handmade uploads: files that no encoder would write.

pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod structured;
pub(crate) mod tiff;
pub(crate) mod webp;

use std::io::Read;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// This many zeros, deflated to a thousandth of their size by every implementation.
pub(crate) fn zeros(bytes: u64) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
    std::io::copy(&mut std::io::repeat(0).take(bytes), &mut out).expect("deflated");
    out.finish().expect("deflated")
}
