//! The bytes of a part: as many as its rows need, and no more are made.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};

use flate2::read::ZlibDecoder;
use weezl::{BitOrder, LzwStatus, decode::Decoder};

use super::kind::{Compression, Kind};
use super::parts::Part;
use super::{corrupt, fax, unsupported};
use crate::preprocessing::DecodeError;

/// Unpacks the rows of a part that are within the image.
pub(super) fn unpack<'a>(
    part: &Part<'a>,
    compression: &Compression,
    kind: &Kind,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let length = part.row_bytes(kind) * part.rows;
    let coded = if kind.is_reversed { reversed(part.bytes) } else { part.bytes.into() };
    Ok(match compression {
        Compression::None => match coded {
            Cow::Borrowed(bytes) => bytes.get(..length).ok_or(DecodeError::CutShort)?.into(),
            Cow::Owned(bytes) => bytes.get(..length).ok_or(DecodeError::CutShort)?.to_vec().into(),
        },
        Compression::Group3 | Compression::Group4 => fax::unpack(&coded, part, compression)?.into(),
        Compression::Lzw => lzw(&coded, length)?.into(),
        Compression::Deflate => deflate(&coded, length)?.into(),
        Compression::PackBits => pack_bits(&coded, length)?.into(),
        Compression::Jpeg(_) => unreachable!("a JPEG has samples, and no rows of bytes"),
    })
}

fn reversed(bytes: &[u8]) -> Cow<'static, [u8]> {
    bytes.iter().map(|byte| byte.reverse_bits()).collect()
}

fn deflate(coded: &[u8], length: usize) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = vec![0; length];
    let read = ZlibDecoder::new(coded).read_exact(&mut bytes);
    read.map(|()| bytes).map_err(|err| match err.kind() {
        ErrorKind::UnexpectedEof => DecodeError::CutShort,
        _ => corrupt("a deflate stream is broken"),
    })
}

fn lzw(coded: &[u8], length: usize) -> Result<Vec<u8>, DecodeError> {
    // Before the sixth edition of TIFF its codes began with their least bit.
    if let [0, second, ..] = coded
        && second & 1 == 1
    {
        return Err(unsupported("the older coding by LZW"));
    }
    let mut decoder = Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut bytes = vec![0; length];
    let (mut read, mut written) = (0, 0);
    while written < length {
        let result = decoder.decode_bytes(&coded[read..], &mut bytes[written..]);
        read += result.consumed_in;
        written += result.consumed_out;
        match result.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::NoProgress | LzwStatus::Done) => break,
            Err(_) => return Err(corrupt("an LZW stream is broken")),
        }
    }
    if written < length { Err(DecodeError::CutShort) } else { Ok(bytes) }
}

/// Runs of bytes that follow, and of one byte.
fn pack_bits(mut coded: &[u8], length: usize) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let (run, rest) = coded.split_first().ok_or(DecodeError::CutShort)?;
        let left = length - bytes.len();
        coded = match *run {
            literal @ ..128 => {
                let run = usize::from(literal) + 1;
                let literal = rest.get(..run.min(left)).ok_or(DecodeError::CutShort)?;
                bytes.extend(literal);
                rest.get(run..).unwrap_or_default()
            }
            128 => rest,
            repeated => {
                let (byte, rest) = rest.split_first().ok_or(DecodeError::CutShort)?;
                let run = 257 - usize::from(repeated);
                bytes.resize(bytes.len() + run.min(left), *byte);
                rest
            }
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_unpacked_as_far_as_they_are_wanted() {
        let coded = b"\xfe\xaa\x02\x80\x00\x2a\xfd\xaa\x03\x80\x00\x2a\x22\xf7\xaa";
        let bytes = b"\xaa\xaa\xaa\x80\0\x2a\xaa\xaa\xaa\xaa\x80\0\x2a\x22\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa";
        for length in 0..=bytes.len() {
            assert_eq!(pack_bits(coded, length).as_deref(), Ok(&bytes[..length]));
        }
        assert_eq!(pack_bits(coded, bytes.len() + 1), Err(DecodeError::CutShort));
    }
}
