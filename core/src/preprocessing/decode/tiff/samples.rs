//! The rows of a part become samples of 8 bits in their place.

use super::directory::Order;
use super::kind::{Colours, Kind};
use super::parts::Part;

/// Writes the kept samples of a part into rows of the image, the first of which is its own first.
pub(super) fn place(bytes: &[u8], part: &Part, kind: &Kind, rows: &mut [u8], width: usize) {
    let channels = kind.channels();
    let columns = part.width.min(width - part.left);
    let from = rows.chunks_exact_mut(width * channels).take(part.rows);
    for (row, bytes) in from.zip(bytes.chunks_exact(part.row_bytes(kind))) {
        let is_whole = kind.bits == 8 && !kind.is_planar;
        if is_whole && kind.samples == channels {
            row[part.left * channels..][..columns * channels]
                .copy_from_slice(&bytes[..columns * channels]);
            continue;
        }
        let pixels = row[part.left * channels..][..columns * channels].chunks_exact_mut(channels);
        if is_whole {
            for (pixel, samples) in pixels.zip(bytes.chunks_exact(kind.samples)) {
                pixel.copy_from_slice(&samples[..channels]);
            }
        } else if kind.is_planar {
            for (at, pixel) in pixels.enumerate() {
                pixel[part.plane] = sample(bytes, at, kind);
            }
        } else {
            for (at, pixel) in pixels.enumerate() {
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = sample(bytes, at * kind.samples + channel, kind);
                }
            }
        }
    }
}

/// A sample of a row in 8 bits: the upper ones of 16, and fewer stretched, but that an index stays one.
fn sample(row: &[u8], at: usize, kind: &Kind) -> u8 {
    match (kind.bits, kind.order) {
        (8, _) => row[at],
        (16, Order::LeastFirst) => row[2 * at + 1],
        (16, Order::MostFirst) => row[2 * at],
        (bits, _) => {
            let most = u8::MAX >> (8 - bits);
            let bit = at * usize::from(bits);
            let value = row[bit / 8] >> (8 - usize::from(bits) - bit % 8) & most;
            if matches!(kind.colours, Colours::Palette(_)) { value } else { value * (255 / most) }
        }
    }
}
