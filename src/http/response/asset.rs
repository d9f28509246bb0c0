//! Files of the program itself, for browsers.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// A file that is compiled into the program. Browsers revalidate it on each use, so they always have the version that
/// matches the server.
pub(crate) struct Asset {
    kind: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    pub(crate) const fn new(kind: &'static str, bytes: &'static [u8]) -> Self {
        Self { kind, bytes }
    }

    /// Responds with the file, or with 304 if the client's version is current.
    pub(crate) fn respond(&self, headers: &HeaderMap) -> Response {
        let tag = self.tag();
        let known =
            headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let is_known =
            known.flat_map(|value| value.split(',')).any(|known| known.trim().ends_with(&tag));
        let response_headers = [
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
            (header::ETAG, HeaderValue::from_str(&tag).expect("base64 is a valid header value")),
        ];
        if is_known {
            return (StatusCode::NOT_MODIFIED, response_headers).into_response();
        }
        (response_headers, self.bytes).into_response()
    }

    /// The entity tag, which changes with the bytes (RFC 9110, 8.8.3).
    fn tag(&self) -> String {
        format!("\"{}\"", BASE64.encode(Sha256::digest(self.bytes)))
    }
}
