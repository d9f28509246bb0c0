//! The parts of a form (RFC 7578), as slices of the body. Images are not copied.
//!
//! The project has its own parser, because the existing libraries read streams and copy each part.

use memchr::memmem::Finder;

use super::mistake::{malformed, shown};
use crate::http::error::{Fault, Problem};

/// The most parts of a form. No request needs more.
const MOST: usize = 4096;

/// The most headers of a part.
const MOST_HEADERS: usize = 16;

/// Reads a form's parts in order, each with its name; `media` is the media type. Each name must be one of `allowed`.
pub(crate) fn parts<'a>(
    body: &'a [u8],
    media: &[u8],
    allowed: &[&'static str],
) -> Result<Vec<(&'static str, &'a [u8])>, Problem> {
    let boundary = parameter(media, "boundary")
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(|| malformed("the media type of the form has no boundary"))?;
    let mut parts = Vec::new();
    for part in Form::new(body, &boundary) {
        let (name, content) =
            part.ok_or_else(|| malformed("the form is malformed or incomplete"))?;
        let Some(allowed) = allowed.iter().copied().find(|allowed| allowed.as_bytes() == name)
        else {
            return Err(Fault::PartUnexpected.of(shown(&String::from_utf8_lossy(&name))));
        };
        if parts.len() == MOST {
            return Err(malformed("the form has too many parts").into());
        }
        parts.push((allowed, content));
    }
    Ok(parts)
}

/// The remaining parts: names and contents. A `None` item means that the form is malformed, and is the last.
struct Form<'a> {
    rest: Option<&'a [u8]>,
    /// The delimiter at the end of each part.
    delimiter: Finder<'static>,
}

impl<'a> Form<'a> {
    fn new(body: &'a [u8], boundary: &[u8]) -> Self {
        let delimiter = [b"\r\n--", boundary].concat();
        // The first delimiter is at the very start, or after a preamble for programs that do not know MIME.
        let rest = match body.strip_prefix(&delimiter[2..]) {
            Some(rest) => rest,
            None => memchr::memmem::find(body, &delimiter)
                .map_or(&[][..], |index| &body[index + delimiter.len()..]),
        };
        Self { rest: Some(rest), delimiter: Finder::new(&delimiter).into_owned() }
    }

    /// Reads the part before the next delimiter. Also returns the rest after that delimiter.
    fn part(&self, text: &'a [u8]) -> Option<(Vec<u8>, &'a [u8], &'a [u8])> {
        let text = line_end(text)?;
        let mut space = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let Ok(httparse::Status::Complete((length, headers))) =
            httparse::parse_headers(text, &mut space)
        else {
            return None;
        };
        let disposition = headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-disposition"))?;
        let name = parameter(disposition.value, "name")?;
        let content = &text[length..];
        let end = self.delimiter.find(content)?;
        Some((name, &content[..end], &content[end + self.delimiter.needle().len()..]))
    }
}

impl<'a> Iterator for Form<'a> {
    type Item = Option<(Vec<u8>, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        if text.starts_with(b"--") {
            return None;
        }
        let part = self.part(text);
        self.rest = part.as_ref().map(|(_, _, rest)| *rest);
        Some(part.map(|(name, content, _)| (name, content)))
    }
}

/// The text after the end of a delimiter's line.
fn line_end(text: &[u8]) -> Option<&[u8]> {
    let padding = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text[padding..].strip_prefix(b"\r\n")
}

/// The value of a parameter in `word; name=value; name="value"` (RFC 9110, 5.6.6).
fn parameter(header: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let mut rest = &header[memchr::memchr(b';', header)? + 1..];
    loop {
        let equals = memchr::memchr(b'=', rest)?;
        let is_wanted = rest[..equals].trim_ascii().eq_ignore_ascii_case(wanted.as_bytes());
        let (value, behind) = value(rest[equals + 1..].trim_ascii_start())?;
        if is_wanted {
            return Some(value);
        }
        rest = &behind[memchr::memchr(b';', behind)? + 1..];
    }
}

/// Reads a value, quoted or not. Also returns the rest after it.
fn value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        return Some((text[..end].trim_ascii_end().to_vec(), &text[end..]));
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter();
    loop {
        match bytes.next()? {
            b'"' => return Some((value, bytes.as_slice())),
            b'\\' => value.push(*bytes.next()?),
            byte => value.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = Vec<(&'static str, &'a [u8])>;

    fn read<'a>(media: &str, body: &'a [u8]) -> Result<Parts<'a>, &'static str> {
        parts(body, media.as_bytes(), &["a", "b"]).map_err(|problem| problem.fault.code())
    }

    #[track_caller]
    fn check(body: &str, expected: &[(&'static str, &'static str)]) {
        let found = read("multipart/form-data; boundary=x", body.as_bytes());
        let expected: Parts =
            expected.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        assert_eq!(found, Ok(expected), "{body:?}");
    }

    #[test]
    fn parts_are_read_between_delimiters() {
        let disposition = "Content-Disposition: form-data; name";
        check("--x--", &[]);
        check(&format!("--x\r\n{disposition}=a\r\n\r\n1\r\n--x--\r\n"), &[("a", "1")]);
        check(&format!("words\r\n--x \t\r\n{disposition}=\"a\"\r\n\r\n\r\n--x--"), &[("a", "")]);
        check(
            &format!(
                "--x\r\ncontent-type: image/png\r\n{disposition}=\"b\"; filename=\"; name=\\\"a\\\".png\"\r\n\r\n\
                 1\r\n-x\r\n\r\n--y\r\n--x\r\n{disposition}=a\r\n\r\n2\r\n--x--more"
            ),
            &[("b", "1\r\n-x\r\n\r\n--y"), ("a", "2")],
        );
    }

    #[test]
    fn an_incomplete_or_invalid_form_is_malformed() {
        let whole = "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--";
        for length in 0..whole.len() {
            let cut = read("multipart/form-data; boundary=x", &whole.as_bytes()[..length]);
            assert_eq!(cut.err(), Some("body_malformed"), "{length}");
        }
        for body in ["--x\r\n\r\n1\r\n--x--", "--x\r\nname: a\r\n\r\n1\r\n--x--", "--xx\r\n--x--"] {
            let broken = read("multipart/form-data; boundary=x", body.as_bytes());
            assert_eq!(broken.err(), Some("body_malformed"), "{body}");
        }
    }

    #[test]
    fn the_media_type_gives_the_boundary() {
        let body = b"--x y--";
        assert_eq!(read("multipart/form-data; charset=utf-8; Boundary=\"x y\"", body), Ok(vec![]));
        for media in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data;"]
        {
            assert_eq!(read(media, body).err(), Some("body_malformed"), "{media}");
        }
    }

    #[test]
    fn unknown_parts_and_too_many_parts_are_rejected() {
        let part = "\r\nContent-Disposition: form-data; name=c\r\n\r\n1\r\n--x";
        let media = "multipart/form-data; boundary=x";
        assert_eq!(read(media, format!("--x{part}--").as_bytes()).err(), Some("part_unexpected"));
        let crowded = format!("--x{}--", part.replace("=c", "=a").repeat(MOST + 1));
        assert_eq!(read(media, crowded.as_bytes()).err(), Some("body_malformed"));
    }
}
