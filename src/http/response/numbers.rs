//! Embeddings as numbers that need no parsing: bare, or as a file of `NumPy`'s.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;

use crate::ops::npy;

/// The media types of numbers that are no text.
pub(crate) const BYTES: &str = "application/octet-stream";
pub(crate) const NPY: &str = "application/x-npy";

/// The forms numbers can take that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Bare,
    /// As a file of `NumPy`'s.
    Npy,
}

/// Names the tower, for which the body has no room.
const MODEL_DIGEST: HeaderName = HeaderName::from_static("siamese-model-digest");

/// The embeddings' count and width, with a comma between them; the width alone for one that is no row of several.
const SHAPE: HeaderName = HeaderName::from_static("siamese-shape");

/// Little-endian `f32`s.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Floats(Vec<u8>);

/// An answer of rows of little-endian `f32`s.
pub(crate) fn numbers(kind: Numbers, rows: &[&[f32]], shape: &[usize], digest: &str) -> Response {
    let (media, head) = match kind {
        Numbers::Bare => (BYTES, Vec::new()),
        Numbers::Npy => (NPY, npy::header(shape)),
    };
    let mut body = Floats(head);
    body.0.extend(rows.iter().copied().flatten().flat_map(|it| it.to_le_bytes()));
    let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let shape = HeaderValue::from_str(&shape.join(",")).expect("digits and commas are a value");
    let mut response = ([(header::CONTENT_TYPE, media)], body.0).into_response();
    let digest = HeaderValue::from_str(digest).expect("a digest is a value");
    response.headers_mut().extend([(SHAPE, shape), (MODEL_DIGEST, digest)]);
    response
}
