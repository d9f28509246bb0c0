//! The parsers of what strangers send, opened to `fuzz/`: built there alone.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;

use super::error::{Fault, Problem};
use super::request::images::Images;
use super::request::pairs::{Pair, Pairs};
use super::request::{accept, multipart, query, received};
use crate::engine::pipeline::Source;

/// The names of the parts of a form.
pub const ALLOWED: [&str; 2] = ["a", "b"];

/// The most pairs of a request.
const MOST_PAIRS: usize = 16;

/// What a source was.
#[derive(Debug)]
pub enum Read {
    /// A picture's bytes.
    Upload(Bytes),
    /// A stored embedding.
    Embedding(Vec<f32>),
}

/// Reads a form; `None` where the media type can't stand in a header. An error is its code.
pub fn multipart(
    media: &[u8],
    body: &Bytes,
) -> Option<Result<Vec<(&'static str, Bytes)>, &'static str>> {
    let media = HeaderValue::from_bytes(media).ok()?;
    let parts = multipart::parts(body, media.as_bytes(), &ALLOWED).map_err(|it| code(&it));
    let owned = |(name, content)| (name, body.slice_ref(content));
    Some(parts.map(|parts| parts.into_iter().map(owned).collect()))
}

/// Reads JSON as the bodies of `/compare`, `/compare/batch` and `/embed`.
pub fn request(json: &[u8]) -> [Result<(), &'static str>; 3] {
    [
        Pair::from_json(json).map(drop).map_err(|it| code(&it)),
        Pairs::from_json(json, MOST_PAIRS).map(drop).map_err(|it| code(&it)),
        Images::from_json(json).map(drop).map_err(|it| code(&it)),
    ]
}

/// Reads JSON as one source.
pub fn source(json: &[u8]) -> Result<Read, &'static str> {
    match Images::from_json(&[br#"{"image":"#, json, b"}"].concat()).map_err(|it| code(&it))? {
        Images::One(Source::Upload(bytes)) => Ok(Read::Upload(bytes)),
        Images::One(Source::Embedding(embedding, _)) => {
            Ok(Read::Embedding(embedding.coordinates().to_vec()))
        }
        Images::Several(_) => unreachable!("that has another name"),
    }
}

/// Reads bytes as each thing that stands outside a body; a deadline is told.
pub fn head(text: &[u8], most: Duration) -> Vec<Result<Duration, &'static str>> {
    let done = |it: Result<(), Fault>| it.map(|()| Duration::ZERO).map_err(|it| it.code());
    let mut answers = Vec::new();
    if let Ok(text) = std::str::from_utf8(text) {
        answers.push(done(query::criterion(Some(text)).map(drop)));
        answers.push(done(query::none(Some(text))));
    }
    if let Ok(value) = HeaderValue::from_bytes(text) {
        let with = |name: HeaderName| HeaderMap::from_iter([(name, value.clone())]);
        answers.push(done(accept::only(accept::JSON, &with(header::ACCEPT))));
        answers.push(done(accept::embedding_form(&with(header::ACCEPT)).map(drop)));
        answers.push(done(received::media(&with(header::CONTENT_TYPE)).map(drop)));
        let timeout = with(HeaderName::from_static("x-request-timeout-ms"));
        answers.push(query::deadline(&timeout, most).map_err(|it| it.code()));
    }
    answers
}

fn code(problem: &Problem) -> &'static str {
    problem.fault.code()
}
