//! Checks of a request's head that hyper does not make.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};

use crate::http::error::Fault;

/// Marks a request whose head is invalid or cannot be held. The connection finds it; a middleware rejects it.
#[derive(Clone)]
pub(crate) struct MalformedHead(pub(crate) Arc<Fault>);

/// The most fields of a head: hyper's own limit for HTTP/1. In HTTP/2, repeating a field costs the client one byte, and
/// the server a hundred.
const FIELDS: usize = 100;

impl MalformedHead {
    /// Checks a head (RFC 9112, 3.2 and 6.1). If the head cannot be held, it is removed from the request immediately,
    /// because the rejection may come much later.
    pub(crate) fn find<B>(request: &mut Request<B>, is_over_share: bool) -> Option<Self> {
        let fault = if FIELDS < request.headers().len() {
            Some(Fault::HeadTooLarge(FIELDS))
        } else if is_over_share {
            Some(Fault::Overloaded { status: 503, retry_after: Duration::from_secs(1) })
        } else {
            None
        };
        if let Some(fault) = fault {
            *request.headers_mut() = HeaderMap::new();
            return Some(Self(Arc::new(fault)));
        }
        let fault = host(request.version(), request.headers())
            .or_else(|| transfer_coding(request.headers()))?;
        Some(Self(Arc::new(fault)))
    }
}

/// Requires exactly one host, which HTTP/1.0 and HTTP/2 may omit. With two, a proxy and this server could disagree.
fn host(version: Version, headers: &HeaderMap) -> Option<Fault> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let reason = match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_11 => "the Host header is missing",
        (Some(_), Some(_)) => "the Host header is given twice",
        (Some(host), None) if !is_host(host.as_bytes()) => "the Host header is not a valid host",
        _ => return None,
    };
    Some(Fault::QueryInvalid(reason.to_owned()))
}

/// Whether the value is a valid host. An empty value is valid, and means that there is no host.
fn is_host(host: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(host) else { return host.is_empty() };
    let port = authority.as_str().strip_prefix(authority.host());
    port.is_some_and(|port| port.trim_start_matches(':').bytes().all(|byte| byte.is_ascii_digit()))
}

/// Only `chunked` is supported, and only once.
fn transfer_coding(headers: &HeaderMap) -> Option<Fault> {
    let codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let first = codings.next()?;
    match (is_chunked(first), codings.next()) {
        (true, None) => None,
        (true, Some(second)) if is_chunked(second) => {
            Some(Fault::QueryInvalid("the transfer coding chunked is applied twice".to_owned()))
        }
        _ => Some(Fault::TransferCodingUnsupported),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[track_caller]
    fn check(version: Version, headers: &[(&str, &str)], code: Option<&str>) {
        let mut request = Request::post("/embed").version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).expect("a request");
        let found = MalformedHead::find(&mut request, false);
        assert_eq!(found.map(|MalformedHead(fault)| fault.code()), code, "{headers:?}");
    }

    #[test]
    fn a_request_has_exactly_one_host() {
        for good in ["x", "x:80", "x:", "127.0.0.1:8080", "[::1]:80", ""] {
            check(Version::HTTP_11, &[("host", good)], None);
        }
        for bad in ["a b", "a/b", "user@x", "x:y", "\"x\"", "a,b?"] {
            check(Version::HTTP_11, &[("host", bad)], Some("query_invalid"));
        }
        check(Version::HTTP_11, &[], Some("query_invalid"));
        check(Version::HTTP_10, &[], None);
        check(Version::HTTP_2, &[], None);
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            check(version, &[("host", "x"), ("host", "x")], Some("query_invalid"));
        }
    }

    #[test]
    fn only_chunked_is_decoded() {
        let unsupported = Some("transfer_coding_unsupported");
        for (coding, code) in [
            ("chunked", None),
            ("Chunked", None),
            ("gzip, chunked", unsupported),
            ("chunked, gzip", unsupported),
            ("identity,chunked", unsupported),
            ("", unsupported),
            ("chunked, chunked", Some("query_invalid")),
        ] {
            check(Version::HTTP_11, &[("host", "x"), ("transfer-encoding", coding)], code);
        }
        let twice =
            [("host", "x"), ("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")];
        check(Version::HTTP_11, &twice, unsupported);
    }

    #[test]
    fn a_head_beyond_the_limits_is_not_held() {
        let with = |fields: usize, is_over_share| {
            let mut request = Request::post("/embed").version(Version::HTTP_2);
            for index in 0..fields {
                request = request.header("x", index.to_string());
            }
            let mut request = request.body(Body::empty()).expect("a request");
            let code = MalformedHead::find(&mut request, is_over_share)
                .map(|MalformedHead(fault)| fault.code());
            (code, request.headers().len())
        };
        assert_eq!(with(FIELDS, false), (None, FIELDS));
        assert_eq!(with(FIELDS + 1, false), (Some("head_too_large"), 0));
        assert_eq!(with(1, true), (Some("overloaded"), 0));
    }
}
