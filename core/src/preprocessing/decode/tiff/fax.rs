//! Rows of black and white, as a fax codes them.

use std::convert::Infallible;

use fax::Color;
use fax::decoder::{DecodeStatus, Group3Decoder, Group4Decoder, pels};

use super::corrupt;
use super::kind::Compression;
use super::parts::Part;
use crate::preprocessing::DecodeError;

/// Unpacks the rows of a part, a bit a pixel: 1 where there is ink.
pub(super) fn unpack(
    coded: &[u8],
    part: &Part,
    compression: &Compression,
) -> Result<Vec<u8>, DecodeError> {
    let width = u16::try_from(part.width).map_err(|_| DecodeError::TooLarge)?;
    let row_bytes = part.width.div_ceil(8);
    let mut rows = Vec::with_capacity(row_bytes * part.rows);
    let input = coded.iter().map(|byte| Ok::<u8, Infallible>(*byte));
    let broken = || corrupt("a fax's coding is broken");
    if *compression == Compression::Group4 {
        let mut decoder = Group4Decoder::new(input, width).map_err(|_| broken())?;
        for _ in 0..part.rows {
            match decoder.advance() {
                Ok(DecodeStatus::Incomplete) => push(&mut rows, decoder.transition(), width),
                Ok(DecodeStatus::End) => return Err(DecodeError::CutShort),
                Err(_) => return Err(broken()),
            }
        }
    } else {
        let mut decoder = Group3Decoder::new(input).map_err(|_| broken())?;
        for row in 1..=part.rows {
            let status = decoder.advance();
            // The last row may have no end.
            let is_last = row == part.rows && decoder.transitions().last() == Some(&width);
            match status {
                Ok(DecodeStatus::End) if row < part.rows => return Err(DecodeError::CutShort),
                Err(_) if !is_last => return Err(broken()),
                _ => push(&mut rows, decoder.transitions(), width),
            }
        }
    }
    Ok(rows)
}

/// Adds a row, told by where its colour changes.
fn push(rows: &mut Vec<u8>, transitions: &[u16], width: u16) {
    let start = rows.len();
    rows.resize(start + usize::from(width).div_ceil(8), 0);
    for (at, colour) in pels(transitions, width).enumerate() {
        if colour == Color::Black {
            rows[start + at / 8] |= 0x80 >> (at % 8);
        }
    }
}
