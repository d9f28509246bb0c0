//! A part that is a JPEG, perhaps without its tables, which all parts share.

use std::borrow::Cow;

use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat};

use super::kind::{Colours, Kind};
use super::parts::Part;
use super::{corrupt, unsupported};
use crate::preprocessing::DecodeError;
use crate::preprocessing::decode::jpeg::{MAX_SCANS, refusal};

/// The markers that a file begins with and ends with.
const START: &[u8] = b"\xff\xd8";
const END: &[u8] = b"\xff\xd9";

/// Decodes a part within so many bytes: its samples, in rows as wide as it is.
pub(super) fn decode<'a>(
    part: &Part,
    tables: &[u8],
    kind: &Kind,
    max_memory: u64,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    // The TIFF says what the samples mean, whatever the JPEG may say: this is how a JPEG is told.
    let is_converted = u8::from(kind.colours == Colours::YCbCr);
    let adobe = [&b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"[..], &[is_converted]].concat();
    let tables = tables.strip_prefix(START).unwrap_or(tables);
    let tables = tables.strip_suffix(END).unwrap_or(tables);
    let coded = part.bytes.strip_prefix(START).ok_or_else(|| corrupt("a part is no JPEG"))?;
    let jpeg = [START, &adobe, tables, coded].concat();

    let decoder_limits = DecodeLimits {
        max_pixels: (part.width * part.whole_height) as u64,
        max_scans: MAX_SCANS,
        max_memory: Some(max_memory),
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(&jpeg, decoder_limits).map_err(refusal)?;
    let header = decoder.header();
    let components = header.components.len();
    let [width, height] = [header.width, header.height].map(usize::from);
    if header.precision != 8 || header.is_lossless {
        return Err(unsupported("JPEG of other than 8 bits, or without loss"));
    }
    if components != kind.samples_in_row() || width != part.width || height < part.rows {
        return Err(corrupt("a JPEG in it has another size or other channels than its part"));
    }
    decoder.set_output_format(match components {
        1 => PixelFormat::Grayscale,
        3 => PixelFormat::Rgb,
        4 => PixelFormat::Cmyk,
        _ => return Err(unsupported("JPEG of another number of channels")),
    });
    let mut samples = decoder.decode_image().map_err(refusal)?.data;
    samples.truncate(width * components * part.rows);
    if samples.len() < width * components * part.rows {
        return Err(DecodeError::CutShort);
    }
    Ok(samples.into())
}
