//! What a body is said to be.

use axum::http::{HeaderMap, header};

use crate::http::error::Fault;

/// The kinds of body that requests come as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// One picture's bytes; their format is told from themselves.
    Picture,
    Multipart,
    Json,
}

/// Reads `Content-Type`; parameters are for whoever reads the body.
pub(crate) fn media(headers: &HeaderMap) -> Result<Media, Fault> {
    let coding = headers.get(header::CONTENT_ENCODING).map_or(&b""[..], |value| value.as_bytes());
    if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
        let why = "a body is taken as it is, without a Content-Encoding such as gzip";
        return Err(Fault::MediaTypeUnsupported(why));
    }
    let unsupported = Err(Fault::MediaTypeUnsupported(
        "a body is multipart/form-data, application/json or, for one picture, image/* or application/octet-stream",
    ));
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(|it| it.to_str()) else {
        return unsupported;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "multipart/form-data" => Ok(Media::Multipart),
        "application/json" => Ok(Media::Json),
        "application/octet-stream" => Ok(Media::Picture),
        essence if essence.starts_with("image/") => Ok(Media::Picture),
        _ => unsupported,
    }
}
