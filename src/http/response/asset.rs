//! Files that are part of the program, for browsers.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// A file of the program's own. A browser asks each time whether it changed, so that it always has the one that fits
/// the server.
pub(crate) struct Asset {
    kind: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    pub(crate) const fn new(kind: &'static str, bytes: &'static [u8]) -> Self {
        Self { kind, bytes }
    }

    /// The file, or word that the client has it.
    pub(crate) fn answer(&self, asked: &HeaderMap) -> Response {
        let tag = self.tag();
        let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
        let is_known = known.flat_map(|it| it.split(',')).any(|it| it.trim().ends_with(&tag));
        let headers = [
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
            (header::ETAG, HeaderValue::from_str(&tag).expect("base64 is a value")),
        ];
        if is_known {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, self.bytes).into_response()
    }

    /// What changes with its bytes (RFC 9110, 8.8.3).
    fn tag(&self) -> String {
        format!("\"{}\"", BASE64.encode(Sha256::digest(self.bytes)))
    }
}
