//! Images as text: base64, or a data URI (RFC 2397).
//!
//! Clients send several variants of base64. All are read that cannot be mistaken for another text.

use std::borrow::Cow;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine, alphabet};
use percent_encoding::percent_decode_str;

use crate::http::error::Fault;

/// Base64 with the standard alphabet, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest path of a file on most systems.
const LONGEST_PATH: usize = 4096;

/// Decodes an image.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Fault> {
    let text = text.trim_ascii();
    let Some(uri) = after_scheme(text, "data:") else { return base64(text) };
    let Some((head, data)) = uri.split_once(',') else {
        return invalid("the data URI has no comma before its data");
    };
    if head.split(';').any(|word| word.trim_ascii().eq_ignore_ascii_case("base64")) {
        return base64(&percent_decode_str(data).decode_utf8_lossy());
    }
    // Every image contains bytes that a URI escapes, so without an escape the data is base64 that is not declared.
    if data.contains('%') {
        return Ok(percent_decode_str(data).collect());
    }
    invalid("the data URI must have `;base64` before its comma")
}

/// The rest of a URI after its scheme.
fn after_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn base64(text: &str) -> Result<Vec<u8>, Fault> {
    // Text in the usual form needs no copy.
    BASE64
        .decode(text)
        .or_else(|_| BASE64.decode(usual_form(text)))
        .or_else(|err| invalid(reason(text, err)))
}

/// Converts base64 to the standard alphabet without whitespace.
fn usual_form(text: &str) -> String {
    let space = spaces_were_plus(text).then_some('+');
    let symbol = |symbol: char| match symbol {
        '-' => Some('+'),
        '_' => Some('/'),
        ' ' => space,
        other => Some(other).filter(|other| !other.is_ascii_whitespace()),
    };
    text.chars().filter_map(symbol).collect()
}

/// Whether each space was a `+` that a decoder of forms replaced. A text in which spaces separate lines of one length
/// is folded.
fn spaces_were_plus(text: &str) -> bool {
    let mut lines = text.split(' ').map(str::len);
    let (Some(first), Some(last)) = (lines.next(), lines.next_back()) else { return false };
    let is_folded = first % 4 == 0 && last <= first && lines.all(|length| length == first);
    let line_breaks =
        text.bytes().filter(|byte| byte.is_ascii_whitespace() && *byte != b' ').count();
    let excess = (text.len() - line_breaks) % 4;
    let is_whole = excess == 0 || (excess != 1 && !text.ends_with('='));
    !is_folded && is_whole && !text.contains(['+', '-'])
}

fn reason(text: &str, err: DecodeError) -> Cow<'static, str> {
    if text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme)) {
        return "it is a URL, and the server fetches nothing; send the bytes of the image, as base64".into();
    }
    if text.len() <= LONGEST_PATH && text.contains(['.', '\\']) {
        return "it seems to be the name of a file, and the server opens none; send the bytes of the image, as base64".into();
    }
    let odd = text.chars().enumerate().find(|(_, symbol)| !is_symbol(*symbol));
    match (odd, err) {
        (Some((index, symbol)), _) => {
            format!("{symbol:?} at position {} is not a character of base64", index + 1).into()
        }
        (None, DecodeError::InvalidByte(..) | DecodeError::InvalidPadding) => {
            "`=` may only complete the last four characters".into()
        }
        (None, DecodeError::InvalidLength(_) | DecodeError::InvalidLastSymbol { .. }) => {
            "it ends within a byte, so it is cut off or damaged".into()
        }
    }
}

/// Whether a variant of base64 has this character.
fn is_symbol(symbol: char) -> bool {
    symbol.is_ascii_alphanumeric() || symbol.is_ascii_whitespace() || "+/-_=".contains(symbol)
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn invalid<T>(reason: impl Into<Cow<'static, str>>) -> Result<T, Fault> {
    Err(Fault::Base64Invalid(reason.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes whose base64 contains `+`, `/` and padding.
    const BYTES: [u8; 10] = [0xff, 0xef, 0xbe, 0xfb, 0xff, 0xbf, b'i', b'm', b'g', b'!'];
    const TEXT: &str = "/++++/+/aW1nIQ==";

    #[track_caller]
    fn check(text: &str) {
        assert_eq!(decode(text).ok().as_deref(), Some(&BYTES[..]), "{text:?}");
    }

    #[test]
    fn all_variants_of_base64_are_read() {
        check(TEXT);
        check("/++++/+/aW1nIQ");
        check("_----_-_aW1nIQ==");
        check("_----_-_aW1nIQ");
        check("/+++\r\n+/+/\r\naW1n\r\nIQ==\r\n");
        check("\t/++++/+/\n  aW1nIQ=\n=\n");
        check("/+++ +/+/ aW1n IQ==");
        // A form decoder replaced each `+`.
        check(&TEXT.replace('+', " "));
        check(&TEXT.replace('+', " ").replace('=', ""));
        check("/++++/+/\r\naW1nIQ==".replace('+', " ").as_str());
    }

    #[test]
    fn all_variants_of_data_uris_are_read() {
        for head in [
            "data:image/png;base64,",
            "DATA:image/png;BASE64,",
            "data:;base64,",
            "data:image/png;name=a.png; base64,",
            "data:image/png;base64;charset=utf-8,",
        ] {
            check(&format!("{head}{TEXT}"));
            check(&format!(" {head}/+++%2B%2f%2B%2faW1n%0D%0AIQ%3D%3D\n"));
        }
        check("data:image/png,%FF%ef%BE%fb%ff%bfimg!");
    }

    #[test]
    fn a_folded_text_without_plus_is_not_filled_with_plus() {
        let line = "abcd".repeat(19);
        let text = [line.as_str(); 5].join(" ");
        assert_eq!(decode(&text).ok(), decode(&line.repeat(5)).ok());
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, expected) in [
            ("%%%", "'%' at position 1"),
            ("aGk=aGk=", "`=` may only complete"),
            ("aGk===", "`=` may only complete"),
            ("aGkaG", "it ends within a byte"),
            ("aGl=", "it ends within a byte"),
            ("images/face.jpg", "it seems to be the name of a file"),
            (r"C:\faces\1", "it seems to be the name of a file"),
            ("aG\u{e4}k", "'\u{e4}' at position 3"),
            ("https://example.com/a.jpg", "it is a URL, and the server fetches nothing"),
            ("FILE:///tmp/a", "it is a URL, and the server fetches nothing"),
            ("data:image/png;base64", "the data URI has no comma"),
            ("data:image/png,aGk=", "the data URI must have `;base64`"),
            ("data:image/png;base64,a?k=", "'?' at position 2"),
        ] {
            let fault = decode(text).expect_err(text);
            assert_eq!(fault.code(), "base64_invalid");
            assert!(fault.to_string().contains(expected), "{text}: {fault}");
        }
    }
}
