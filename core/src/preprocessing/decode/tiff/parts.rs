//! Where the pixels of a TIFF stand: strips or tiles, for all channels or for each.

use super::directory::{Directory, Numbers};
use super::kind::{Compression, Kind};
use super::{corrupt, unsupported};
use crate::preprocessing::DecodeError;

/// The strips or tiles of an image.
pub(super) struct Parts<'a> {
    offsets: Numbers<'a>,
    /// How many bytes each has; where that is missing, all behind its beginning.
    lengths: Option<Numbers<'a>>,
    size: [usize; 2],
    /// Columns and rows of a part.
    part: [usize; 2],
    is_tiled: bool,
    /// How many channels have parts of their own that are read, and how many have such parts.
    planes: usize,
}

/// A strip or a tile, as far as its rows are in the image.
pub(super) struct Part<'a> {
    /// Its coded bytes.
    pub(super) bytes: &'a [u8],
    /// Columns of its own, those beyond the image too.
    pub(super) width: usize,
    /// Rows of its own, those beyond the image too.
    pub(super) whole_height: usize,
    /// The column, row and channel that it begins with.
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) plane: usize,
    /// Rows within the image.
    pub(super) rows: usize,
}

impl<'a> Parts<'a> {
    pub(super) fn of(
        directory: &Directory<'a>,
        kind: &Kind,
        size: [usize; 2],
    ) -> Result<Self, DecodeError> {
        let number = |tag| directory.number(tag).and_then(|it| usize::try_from(it).ok());
        let is_tiled = directory.numbers(324).is_some() && directory.numbers(273).is_none();
        let (offsets, lengths, part) = if is_tiled {
            let sides = [number(322), number(323)].map(Option::unwrap_or_default);
            if sides.iter().any(|side| *side == 0 || !side.is_multiple_of(16)) {
                return Err(corrupt("its tiles have no sides of 16 pixels or multiples"));
            }
            (324, 325, sides)
        } else {
            let rows = number(278).unwrap_or(size[1]).min(size[1]);
            if rows == 0 {
                return Err(corrupt("its strips have no rows"));
            }
            (273, 279, [size[0], rows])
        };
        let offsets = directory.numbers(offsets);
        let offsets = offsets.ok_or_else(|| corrupt("it does not say where its pixels are"))?;
        let lengths = directory.numbers(lengths);
        let planes = if kind.is_planar { kind.channels() } else { 1 };
        let parts = Self { offsets, lengths, size, part, is_tiled, planes };
        if u32::try_from(part[0].max(part[1])).is_err() {
            return Err(DecodeError::TooLarge);
        }
        if parts.offsets.len() < parts.across() * parts.down() * planes {
            return Err(corrupt("it has fewer strips or tiles than its size needs"));
        }
        if is_tiled
            && matches!(kind.compression, Compression::Group3 | Compression::Group4)
            && 65_535 < part[0]
        {
            return Err(unsupported("a fax's tiles of more than 65,535 columns"));
        }
        Ok(parts)
    }

    fn across(&self) -> usize {
        self.size[0].div_ceil(self.part[0])
    }

    fn down(&self) -> usize {
        self.size[1].div_ceil(self.part[1])
    }

    /// How many bytes a part may have at most, once unpacked.
    pub(super) fn most_bytes(&self, kind: &Kind) -> u64 {
        let [width, rows] = [self.part[0], self.part[1].min(self.size[1])].map(|it| it as u64);
        let bits = width.saturating_mul(kind.samples_in_row() as u64 * u64::from(kind.bits));
        bits.div_ceil(8).saturating_mul(rows)
    }

    /// Each part of the channels that are kept.
    pub(super) fn iter(
        &self,
        upload: &'a [u8],
    ) -> impl Iterator<Item = Result<Part<'a>, DecodeError>> {
        let of_plane = self.across() * self.down();
        (0..of_plane * self.planes).map(move |index| {
            let at = |numbers: Numbers| numbers.get(index).and_then(|it| usize::try_from(it).ok());
            let bytes = at(self.offsets).and_then(|from| upload.get(from..));
            let bytes = bytes.ok_or(DecodeError::CutShort)?;
            let length = self.lengths.and_then(at).unwrap_or(usize::MAX);
            let [left, top] = [index % self.across(), index % of_plane / self.across()];
            let [left, top] = [left * self.part[0], top * self.part[1]];
            let rows = self.part[1].min(self.size[1] - top);
            Ok(Part {
                bytes: &bytes[..length.min(bytes.len())],
                width: self.part[0],
                whole_height: if self.is_tiled { self.part[1] } else { rows },
                left,
                top,
                plane: index / of_plane,
                rows,
            })
        })
    }
}
