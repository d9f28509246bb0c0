//! The parsers of untrusted input, exposed to the fuzz targets in `fuzz/`. Compiled only for fuzzing.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;

use super::error::{Fault, Problem};
use super::request::changes::{self, SceneImages};
use super::request::form::multipart::{self, Part};
use super::request::images::Images;
use super::request::pairs::{Pair, Pairs};
use super::request::{accept, query, received};
use super::routes::protocols::inference::ToInfer;
use super::routes::protocols::openai::ToEmbed;
use crate::engine::pipeline::Source;

/// The allowed names of a form's parts.
pub const ALLOWED: [&str; 2] = ["a", "b"];

/// The most images in one request.
const MOST_IMAGES: usize = 16;

/// The most pairs in one request.
const MOST_PAIRS: usize = 16;

/// A source after parsing.
#[derive(Debug)]
pub enum Read {
    /// An image's bytes.
    Upload(Bytes),
    /// A stored embedding.
    Embedding(Vec<f32>),
}

/// Parses a form. Returns `None` if the media type is not a valid header value; an error is a problem code.
pub fn multipart(
    media: &[u8],
    body: &Bytes,
) -> Option<Result<Vec<(&'static str, Bytes)>, &'static str>> {
    let media = HeaderValue::from_bytes(media).ok()?;
    let parts =
        multipart::parts(body, media.as_bytes(), &ALLOWED).map_err(|problem| code(&problem));
    let owned = |part: Part| (part.name, body.slice_ref(part.content));
    Some(parts.map(|parts| parts.into_iter().map(owned).collect()))
}

/// Parses JSON as the bodies of `/compare`, `/compare/batch`, `/embed`, `/changes`, `/v1/embeddings` and
/// `/v2/models/{name}/infer`.
pub fn request(json: &[u8]) -> [Result<(), &'static str>; 6] {
    [
        Pair::from_json(json).map(drop).map_err(|problem| code(&problem)),
        Pairs::from_json(json, MOST_PAIRS).map(drop).map_err(|problem| code(&problem)),
        Images::from_json(json).map(drop).map_err(|problem| code(&problem)),
        SceneImages::from_json(json).map(drop).map_err(|problem| code(&problem)),
        ToEmbed::from_json(json, MOST_IMAGES).map(drop).map_err(|problem| code(&problem)),
        ToInfer::from_parts(json, Bytes::new(), MOST_IMAGES)
            .map(drop)
            .map_err(|problem| code(&problem)),
    ]
}

/// Parses the bytes of a tensor of two images.
pub fn tensor(binary: &[u8]) -> Result<(), &'static str> {
    let size = binary.len();
    let json = format!(
        r#"{{"inputs":[{{"name":"image","datatype":"BYTES","shape":[2],"parameters":{{"binary_data_size":{size}}}}}]}}"#
    );
    ToInfer::from_parts(json.as_bytes(), Bytes::copy_from_slice(binary), MOST_IMAGES)
        .map(drop)
        .map_err(|problem| code(&problem))
}

/// Parses JSON as one source.
pub fn source(json: &[u8]) -> Result<Read, &'static str> {
    match Images::from_json(&[br#"{"image":"#, json, b"}"].concat())
        .map_err(|problem| code(&problem))?
    {
        Images::One(Source::Upload(bytes)) => Ok(Read::Upload(bytes)),
        Images::One(Source::Embedding(embedding, _)) => {
            Ok(Read::Embedding(embedding.coordinates().to_vec()))
        }
        Images::One(Source::Pixels(_)) => unreachable!("no JSON of one source has pixels"),
        Images::Several(_) => unreachable!("several images have another member name"),
    }
}

/// Parses the text as each query and header that is parsed outside the body. A deadline is returned.
pub fn head(text: &[u8], most: Duration) -> Vec<Result<Duration, &'static str>> {
    let done =
        |parsed: Result<(), Fault>| parsed.map(|()| Duration::ZERO).map_err(|fault| fault.code());
    let mut responses = Vec::new();
    if let Ok(text) = std::str::from_utf8(text) {
        responses.push(done(query::judging(Some(text)).map(drop)));
        responses.push(done(query::none(Some(text))));
        responses.push(done(changes::parse(text)));
    }
    if let Ok(value) = HeaderValue::from_bytes(text) {
        let with = |name: HeaderName| HeaderMap::from_iter([(name, value.clone())]);
        responses.push(done(accept::only(accept::JSON, &with(header::ACCEPT))));
        responses.push(done(accept::embedding_form(&with(header::ACCEPT)).map(drop)));
        let coding = with(header::CONTENT_ENCODING);
        responses.push(done(received::no_content_coding(&coding)));
        responses.push(done(received::media(&with(header::CONTENT_TYPE)).map(drop)));
        let timeout = with(HeaderName::from_static("x-request-timeout-ms"));
        responses.push(query::deadline(&timeout, most).map_err(|fault| fault.code()));
    }
    responses
}

fn code(problem: &Problem) -> &'static str {
    problem.fault.code()
}
