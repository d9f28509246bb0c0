//! Embeddings in binary form: raw numbers, or a `NumPy` file.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;

use crate::ops::npy;

/// The media types of binary embeddings.
pub(crate) const BYTES: &str = "application/octet-stream";
pub(crate) const NPY: &str = "application/x-npy";

/// The binary forms of embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Bare,
    /// A `NumPy` file.
    Npy,
}

/// The model's digest, which the binary body cannot contain.
const MODEL_DIGEST: HeaderName = HeaderName::from_static("siamese-model-digest");

/// The number of embeddings and their width, separated by a comma; for one embedding that is not in a list, the width.
const SHAPE: HeaderName = HeaderName::from_static("siamese-shape");

/// Little-endian `f32` numbers.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Floats(Vec<u8>);

/// A response with rows of little-endian `f32` numbers.
pub(crate) fn numbers(kind: Numbers, rows: &[&[f32]], shape: &[usize], digest: &str) -> Response {
    let (media, head) = match kind {
        Numbers::Bare => (BYTES, Vec::new()),
        Numbers::Npy => (NPY, npy::header(shape)),
    };
    let mut body = Floats(head);
    body.0.extend(rows.iter().copied().flatten().flat_map(|number| number.to_le_bytes()));
    let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let shape = HeaderValue::from_str(&shape.join(","))
        .expect("digits and commas are a valid header value");
    let mut response = ([(header::CONTENT_TYPE, media)], body.0).into_response();
    let digest = HeaderValue::from_str(digest).expect("a digest is a valid header value");
    response.headers_mut().extend([(SHAPE, shape), (MODEL_DIGEST, digest)]);
    response
}
