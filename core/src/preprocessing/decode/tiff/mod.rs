//! The first image of a TIFF, to the bit as Pillow reads it.
//!
//! Read here rather than through `image`, which passes over tags that change what the bytes mean, and panics on tiles of
//! planes. What is not decoded is told by name ([`kind`]); the codings themselves are libraries' ([`unpack`], [`jpeg`]).

mod colours;
mod directory;
mod fax;
mod jpeg;
mod kind;
mod parts;
mod predictor;
mod samples;
mod unpack;

use self::kind::{Compression, Kind};
use self::parts::{Part, Parts};
use super::{Limits, MAX_SIDE, no_pixels};
use crate::preprocessing::samples::Image;
use crate::preprocessing::{DecodeError, Diagnosis};

pub(super) use directory::{Directory, is_tiff};
pub(super) use kind::sides;

/// Decodes the first image.
pub(super) fn decode(upload: &[u8], limits: &Limits) -> Result<Image, DecodeError> {
    let directory = Directory::first(upload).ok_or(DecodeError::CutShort)?;
    let [width, height] = sides(&directory).ok_or_else(|| corrupt("it has no size"))?;
    let pixels = width.saturating_mul(height);
    if pixels == 0 {
        return Err(no_pixels());
    }
    let longest = u64::from(MAX_SIDE);
    if limits.max_pixels < pixels || longest < width || longest < height {
        return Err(DecodeError::TooLarge);
    }
    let [width, height] = [width, height].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
    let kind = Kind::of(&directory)?;
    let parts = Parts::of(&directory, &kind, [width, height])?;

    let channels = kind.channels();
    // The samples, and the colours that are made of them in a second place; a part beside.
    let memory = pixels * (channels as u64 + if kind.colours.are_samples() { 0 } else { 3 });
    let memory = memory.saturating_add(parts.most_bytes(&kind));
    let left = limits.max_memory.checked_sub(memory).ok_or(DecodeError::TooLarge)?;
    let mut samples = vec![0; width * height * channels];
    for part in parts.iter(upload) {
        let part = part?;
        let rows = match &kind.compression {
            Compression::Jpeg(tables) => jpeg::decode(&part, tables, &kind, left)?,
            compression => {
                let mut bytes = unpack::unpack(&part, compression, &kind)?;
                predictor::undo(&mut bytes, &part, &kind);
                bytes
            }
        };
        samples::place(&rows, &part, &kind, &mut samples[part.top * width * channels..], width);
    }
    Ok(colours::image(samples, [width, height], &kind))
}

impl Part<'_> {
    /// Bytes in each of its rows.
    fn row_bytes(&self, kind: &Kind) -> usize {
        (self.width * kind.samples_in_row() * usize::from(kind.bits)).div_ceil(8)
    }
}

fn corrupt(what: &str) -> DecodeError {
    DecodeError::Corrupt(Diagnosis::new(what))
}

fn unsupported(kind: impl std::fmt::Display) -> DecodeError {
    DecodeError::unsupported_kind("TIFF", kind)
}
