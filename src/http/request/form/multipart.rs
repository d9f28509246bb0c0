//! The parts of a form (RFC 7578), as slices of the body. Images are not copied.
//!
//! The project has its own parser, because the existing libraries read streams and copy each part.

use memchr::memmem::Finder;

use super::super::mistake::{malformed, shown};
use crate::http::error::{Fault, Problem};

/// The most parts of a form. No request needs more.
const MOST: usize = 4096;

/// The most headers of a part.
const MOST_HEADERS: usize = 16;

/// The most bytes of all headers of a part.
const MOST_HEAD: usize = 16 << 10;

/// A part of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) name: &'static str,
    pub(crate) content: &'a [u8],
    /// Whether it has a file name. Clients send text without one.
    pub(crate) is_file: bool,
}

/// Reads a form's parts in order; `media` is the media type. Each name must be one of `allowed`.
pub(crate) fn parts<'a>(
    body: &'a [u8],
    media: &[u8],
    allowed: &[&'static str],
) -> Result<Vec<Part<'a>>, Problem> {
    let boundary = parameter(media, "boundary")
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(|| malformed("the media type of the form has no boundary"))?;
    let mut parts = Vec::new();
    for section in Form::new(body, &boundary)? {
        let number = parts.len() + 1;
        let Section { head, content } = section?;
        let Disposition { name, is_file } = disposition(head)
            .map_err(|why| malformed(format!("part {number} of the form {why}")))?;
        let Some(name) = allowed.iter().copied().find(|allowed| allowed.as_bytes() == name) else {
            return Err(Fault::PartUnexpected.of(shown(&String::from_utf8_lossy(&name))));
        };
        if parts.len() == MOST {
            return Err(malformed("the form has too many parts").into());
        }
        parts.push(Part { name, content, is_file });
    }
    Ok(parts)
}

/// A part that is not interpreted yet.
struct Section<'a> {
    head: &'a [u8],
    content: &'a [u8],
}

/// The remaining parts. After an error there are no more.
struct Form<'a> {
    /// The text after a delimiter; `None` at the end.
    rest: Option<&'a [u8]>,
    /// The delimiter at the end of each part.
    delimiter: Finder<'static>,
}

impl<'a> Form<'a> {
    fn new(body: &'a [u8], boundary: &[u8]) -> Result<Self, Fault> {
        let delimiter = [b"\n--", boundary].concat();
        // The first delimiter is at the very start, or after a preamble for programs that do not know MIME.
        let rest = match body.strip_prefix(&delimiter[1..]) {
            Some(rest) => rest,
            None => memchr::memmem::find(body, &delimiter)
                .map(|index| &body[index + delimiter.len()..])
                .ok_or_else(|| {
                    malformed("the form does not contain the boundary that its media type states")
                })?,
        };
        // Forms that are written by hand often have bare line feeds. The first line shows it for the whole form.
        let has_bare_feeds = after_padding(rest).starts_with(b"\n");
        let delimiter = if has_bare_feeds { delimiter } else { [b"\r", &delimiter[..]].concat() };
        Ok(Self { rest: Some(rest), delimiter: Finder::new(&delimiter).into_owned() })
    }

    /// Reads the part from the end of one delimiter to the next.
    fn section(&mut self, text: &'a [u8]) -> Result<Section<'a>, Fault> {
        let text = after_padding(text);
        let Some(text) = after_line_end(text) else {
            return Err(malformed(if text.is_empty() {
                "the form is incomplete: it ends without its last boundary"
            } else {
                "the form has other text behind a boundary, on the same line"
            }));
        };
        let end = self.delimiter.find(text).ok_or_else(|| {
            malformed(
                "the form is incomplete: it ends without its last boundary, or its lines end in different ways",
            )
        })?;
        self.rest = Some(&text[end + self.delimiter.needle().len()..]);
        let part = &text[..end];
        let (head, content) = part.split_at(head_length(part));
        Ok(Section { head, content })
    }
}

impl<'a> Iterator for Form<'a> {
    type Item = Result<Section<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        if text.starts_with(b"--") {
            return None;
        }
        Some(self.section(text))
    }
}

/// What the head of a part says.
struct Disposition {
    name: Vec<u8>,
    is_file: bool,
}

/// Reads the head of a part.
fn disposition(head: &[u8]) -> Result<Disposition, &'static str> {
    if MOST_HEAD < head.len() {
        return Err("has headers that are too long, or no empty line after them");
    }
    // The empty line at the end of an empty part belongs to the delimiter.
    let head = [&unfolded(head)[..], b"\r\n"].concat();
    let mut space = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let headers = match httparse::parse_headers(&head, &mut space) {
        Ok(httparse::Status::Complete((_, headers))) => headers,
        Ok(httparse::Status::Partial) => return Err("has no empty line after its headers"),
        Err(httparse::Error::TooManyHeaders) => return Err("has too many headers"),
        Err(_) => return Err("has a header that is not `name: value`"),
    };
    let is_disposition =
        |header: &&httparse::Header| header.name.eq_ignore_ascii_case("content-disposition");
    let disposition =
        headers.iter().find(is_disposition).ok_or("has no Content-Disposition header")?.value;
    let name = parameter(disposition, "name").ok_or("has no name in its Content-Disposition")?;
    let is_file = ["filename", "filename*"].iter().any(|key| parameter(disposition, key).is_some());
    Ok(Disposition { name, is_file })
}

/// The length of a part's head, with the empty line at its end; that of the part if there is no such line.
fn head_length(part: &[u8]) -> usize {
    let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', part).map(|feed| feed + 1));
    let mut ends = starts
        .filter_map(|start| after_line_end(&part[start..]).map(|rest| part.len() - rest.len()));
    ends.next().unwrap_or(part.len())
}

/// Joins the lines of folded headers (RFC 5322, 2.2.3), which old mail libraries write.
fn unfolded(head: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    for feed in 1..head.len().saturating_sub(1) {
        if head[feed] == b'\n' && matches!(head[feed + 1], b' ' | b'\t') {
            head[feed] = b' ';
            if head[feed - 1] == b'\r' {
                head[feed - 1] = b' ';
            }
        }
    }
    head
}

/// The text after spaces and tabs.
fn after_padding(text: &[u8]) -> &[u8] {
    let padding = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &text[padding..]
}

/// The text after the end of a line, if it begins with one.
fn after_line_end(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n"))
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
    let mut rest = quoted;
    loop {
        let (byte, behind) = rest.split_first()?;
        rest = behind;
        match behind.strip_prefix(b"\"") {
            _ if *byte == b'"' => return Some((value, behind)),
            // Browsers and curl write a backslash as it is, as in `filename="C:\"`, and a quote as `%22`. Go and older
            // versions of curl escape both. So a backslash escapes a quote, unless that quote ends the value.
            Some(behind) if *byte == b'\\' && !is_end(behind) => {
                value.push(b'"');
                rest = behind;
            }
            _ => value.push(*byte),
        }
    }
}

/// Whether no more text of a value can follow: the header ends, or the next parameter begins.
fn is_end(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), None | Some(b';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = Vec<(&'static str, &'a [u8])>;

    const MEDIA: &str = "multipart/form-data; boundary=x";

    fn read<'a>(media: &str, body: &'a [u8]) -> Result<Parts<'a>, &'static str> {
        let parts = parts(body, media.as_bytes(), &["a", "b"]);
        let parts = parts.map_err(|problem| problem.fault.code())?;
        Ok(parts.into_iter().map(|part| (part.name, part.content)).collect())
    }

    #[track_caller]
    fn check(body: &str, expected: &[(&'static str, &'static str)]) {
        let found = read(MEDIA, body.as_bytes());
        let expected: Parts =
            expected.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        assert_eq!(found, Ok(expected), "{body:?}");
    }

    #[test]
    fn parts_are_read_between_delimiters() {
        let disposition = "Content-Disposition: form-data; name";
        check("--x--", &[]);
        check(&format!("--x\r\n{disposition}=a\r\n\r\n1\r\n--x--\r\n"), &[("a", "1")]);
        check(&format!("--x\r\n{disposition}=a\r\n\r\n--x--"), &[("a", "")]);
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
            let cut = read(MEDIA, &whole.as_bytes()[..length]);
            assert_eq!(cut.err(), Some("body_malformed"), "{length}");
        }
        let disposition = "Content-Disposition: form-data; name=a";
        let headers = "a: b\r\n".repeat(MOST_HEADERS);
        for (body, expected) in [
            ("--y\r\n--y--", "does not contain the boundary"),
            ("--xx\r\n--x--", "other text behind a boundary"),
            ("--x\r\n\r\n1\r\n--x--", "part 1 of the form has no Content-Disposition"),
            ("--x\r\nname: a\r\n\r\n1\r\n--x--", "part 1 of the form has no Content-Disposition"),
            (&format!("--x\r\n{disposition}\r\n\r\n1\r\n--x"), "ends without its last boundary"),
            (&format!("--x\r\n{disposition}\r\n\r\n1\n--x--"), "lines end in different ways"),
            (&format!("--x\r\n{disposition}\r\n--x--"), "part 1 of the form has no empty line"),
            (&format!("--x\r\n{headers}{disposition}\r\n\r\n1\r\n--x--"), "too many headers"),
            (
                &format!("--x\r\n{disposition}\r\n{}\r\n--x--", "1".repeat(MOST_HEAD)),
                "too long, or no",
            ),
            ("--x\r\nContent-Disposition\r\n\r\n1\r\n--x--", "is not `name: value`"),
            ("--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", "has no name"),
        ] {
            let problem = parts(body.as_bytes(), MEDIA.as_bytes(), &["a"]).expect_err(body);
            assert_eq!(problem.fault.code(), "body_malformed");
            assert!(problem.to_string().contains(expected), "{body}: {problem}");
        }
    }

    #[test]
    fn bare_line_feeds_are_read() {
        let part = "Content-Disposition: form-data; name=";
        check(
            &format!("--x\n{part}a\n\n1\r\n\n--x\n{part}b\nContent-Type: image/png\n\n2\n--x--\n"),
            &[("a", "1\r\n"), ("b", "2")],
        );
        check(&format!("words\n--x \n{part}a\n\n\n--x--"), &[("a", "")]);
    }

    #[test]
    fn folded_headers_are_read() {
        let head = "Content-Type: text/plain;\r\n\tcharset=utf-8\r\nContent-Disposition:\r\n form-data;\r\n  name=a";
        check(&format!("--x\r\n{head}\r\n\r\n 1\r\n 2\r\n--x--"), &[("a", " 1\r\n 2")]);
        let head = head.replace('\r', "");
        check(&format!("--x\n{head}\n\n 1\n 2\n--x--"), &[("a", " 1\n 2")]);
    }

    #[test]
    fn file_names_are_read_as_clients_write_them() {
        for (filename, is_file) in [
            (r#"; filename="C:\""#, true),
            (r#"; filename="C:\"; x=y"#, true),
            (r#"; filename="C:\x\\""#, true),
            (r#"; filename="a\"b.png""#, true),
            (r#"; filename="a%22.png""#, true),
            ("; filename=a.png", true),
            ("; filename*=UTF-8''a.png", true),
            (r#"; filename="""#, true),
            ("", false),
            ("; x=filename", false),
        ] {
            for disposition in [
                format!("Content-Disposition: form-data; name=\"a\"{filename}"),
                format!("Content-Disposition: form-data{filename}; name=\"a\""),
            ] {
                let body = format!("--x\r\n{disposition}\r\n\r\n1\r\n--x--");
                let parts = parts(body.as_bytes(), MEDIA.as_bytes(), &["a"]).expect(&disposition);
                let expected = Part { name: "a", content: b"1", is_file };
                assert_eq!(parts, [expected], "{disposition}");
            }
        }
        let odd = r#"Content-Disposition: form-data; name="a"; filename="a\"; name=b\".png""#;
        let body = format!("--x\r\n{odd}\r\n\r\n1\r\n--x--");
        assert_eq!(read(MEDIA, body.as_bytes()), Ok(vec![("a", &b"1"[..])]));
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
        let media = MEDIA;
        assert_eq!(read(media, format!("--x{part}--").as_bytes()).err(), Some("part_unexpected"));
        let crowded = format!("--x{}--", part.replace("=c", "=a").repeat(MOST + 1));
        assert_eq!(read(media, crowded.as_bytes()).err(), Some("body_malformed"));
    }
}
