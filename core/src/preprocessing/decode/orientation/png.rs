//! The metadata of a PNG: chunks before or behind its pixels.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;

use super::Metadata;

/// What stands before the first chunk.
const SIGNATURE: usize = 8;

/// The most of a compressed text that is read, in bytes.
const LONGEST_TEXT: u64 = 1 << 20;

/// What a program without a chunk for it writes EXIF as: a text of hexadecimal digits.
const EXIF_AS_TEXT: &[u8] = b"Raw profile type exif";

/// The keyword of XMP.
const XMP: &[u8] = b"XML:com.adobe.xmp";

/// Of what is repeated the last counts.
pub(super) fn metadata(upload: &[u8]) -> Metadata<'_> {
    let mut found = Metadata::default();
    let mut in_text = None;
    for (name, content) in chunks(upload.get(SIGNATURE..).unwrap_or_default()) {
        match name {
            b"eXIf" => found.exif = Some(content.into()),
            b"tEXt" | b"zTXt" | b"iTXt" => {
                let mut parts = content.splitn(2, |byte| *byte == 0);
                match (parts.next(), parts.next()) {
                    (Some(EXIF_AS_TEXT), Some(rest)) => {
                        in_text = text(*name, rest).map(|text| profile(&text));
                    }
                    (Some(XMP), Some(rest)) => found.xmp = text(*name, rest),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    found.exif = found.exif.or(in_text.map(Cow::from));
    found
}

/// Names and contents, each of which is in the file.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (name, behind) = behind.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (content, behind) = behind.split_at_checked(length)?;
        // A checksum.
        rest = behind.get(4..).unwrap_or_default();
        Some((name, content))
    })
}

/// The text behind a keyword.
fn text(name: [u8; 4], rest: &[u8]) -> Option<Cow<'_, [u8]>> {
    match &name {
        b"tEXt" => Some(rest.into()),
        b"zTXt" => inflated(rest.strip_prefix(&[0])?),
        _ => {
            let [is_compressed, _method, rest @ ..] = rest else { return None };
            // A language and a keyword in it.
            let text = rest.splitn(3, |byte| *byte == 0).nth(2)?;
            if *is_compressed == 0 { Some(text.into()) } else { inflated(text) }
        }
    }
}

fn inflated(compressed: &[u8]) -> Option<Cow<'static, [u8]>> {
    let mut text = Vec::new();
    ZlibDecoder::new(compressed).take(LONGEST_TEXT).read_to_end(&mut text).ok()?;
    Some(text.into())
}

/// The bytes of a profile: an empty line, its name, its length, and its digits in lines.
fn profile(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|byte| *byte == b'\n').skip(3);
    let digits = lines.flatten().filter_map(|byte| char::from(*byte).to_digit(16));
    let digits: Vec<u8> = digits.filter_map(|digit| u8::try_from(digit).ok()).collect();
    let (pairs, _) = digits.as_chunks::<2>();
    pairs.iter().map(|[high, low]| high << 4 | low).collect()
}
