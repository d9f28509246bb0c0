//! The parsers of what strangers send, opened to `fuzz/`: built there alone.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;

use super::error::{Fault, Problem};
use super::request::source::Raw;
use super::request::{accept, media, multipart, query};
use super::routes::{compare, compare_batch, embed};
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
    let value = HeaderValue::from_bytes(media).ok()?;
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, value)]);
    Some(multipart::parts(body, &headers, &ALLOWED).map_err(|it| code(&it)))
}

/// Reads JSON as the bodies of `/compare`, `/compare/batch` and `/embed`.
pub fn request(json: &[u8]) -> [Result<(), &'static str>; 3] {
    let raw = || Raw::parse(json).map_err(Problem::from);
    [
        raw().and_then(compare::pair).map(drop).map_err(|it| code(&it)),
        raw()
            .and_then(|it| compare_batch::from_json(it, MOST_PAIRS))
            .map(drop)
            .map_err(|it| code(&it)),
        raw().and_then(embed::from_json).map(drop).map_err(|it| code(&it)),
    ]
}

/// Reads JSON as one source.
pub fn source(json: &[u8]) -> Result<Read, &'static str> {
    let raw = Raw::parse(json).map_err(|it| it.code())?;
    match raw.into_source("a").map_err(|it| code(&it))? {
        Source::Upload(bytes) => Ok(Read::Upload(bytes)),
        Source::Embedding(embedding, _) => Ok(Read::Embedding(embedding.coordinates().to_vec())),
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
        answers.push(done(accept::json(&with(header::ACCEPT))));
        answers.push(done(accept::embedding_form(&with(header::ACCEPT)).map(drop)));
        answers.push(done(media::media(&with(header::CONTENT_TYPE)).map(drop)));
        let timeout = with(HeaderName::from_static("x-request-timeout-ms"));
        answers.push(query::time_out(&timeout, most).map_err(|it| it.code()));
    }
    answers
}

fn code(problem: &Problem) -> &'static str {
    problem.fault.code()
}
