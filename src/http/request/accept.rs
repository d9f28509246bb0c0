//! The media types that a client accepts (RFC 9110, 12.5.1).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::http::error::{Fault, Problem};
use crate::http::response::geo_json::GEO_JSON;
use crate::http::response::numbers::{BYTES, NPY, Numbers};

pub(crate) const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text";
const PLAIN: &str = "text/plain";
pub(crate) const PNG: &str = "image/png";

/// The formats of embeddings in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Numbers(Numbers),
}

/// The formats of changes in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangesForm {
    Json,
    Png,
    /// A `NumPy` file.
    Npy,
    GeoJson,
}

/// The client accepts JSON.
pub(crate) struct AcceptsJson;

/// The client accepts PNG.
pub(crate) struct AcceptsPng;

impl<S: Sync> FromRequestParts<S> for AcceptsJson {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        only(JSON, &head.headers)?;
        Ok(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for AcceptsPng {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        only(PNG, &head.headers)?;
        Ok(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(embedding_form(&head.headers)?)
    }
}

impl<S: Sync> FromRequestParts<S> for ChangesForm {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        let forms =
            [(JSON, Self::Json), (PNG, Self::Png), (NPY, Self::Npy), (GEO_JSON, Self::GeoJson)];
        let refusal = Fault::NotAcceptable(
            "application/json, image/png, application/x-npy or application/geo+json",
        );
        Ok(preferred(&head.headers, &forms).ok_or(refusal)?)
    }
}

/// Rejects a client that does not accept this media type.
pub(crate) fn only(kind: &'static str, headers: &HeaderMap) -> Result<(), Fault> {
    if quality(headers, kind) <= 0.0 {
        return Err(Fault::NotAcceptable(kind));
    }
    Ok(())
}

/// Chooses the format that the client prefers; JSON without a preference.
pub(crate) fn embedding_form(headers: &HeaderMap) -> Result<Form, Fault> {
    let forms = [
        (JSON, Form::Json),
        (BYTES, Form::Numbers(Numbers::Bare)),
        (NPY, Form::Numbers(Numbers::Npy)),
    ];
    preferred(headers, &forms).ok_or(Fault::NotAcceptable(
        "application/json, application/octet-stream or application/x-npy",
    ))
}

/// The form that the client prefers; the first of those that it prefers equally.
fn preferred<T: Copy>(headers: &HeaderMap, forms: &[(&str, T)]) -> Option<T> {
    let mut best = (0.0, None);
    for (kind, form) in forms {
        let quality = quality(headers, kind);
        if best.0 < quality {
            best = (quality, Some(*form));
        }
    }
    best.1
}

/// Whether the client prefers `OpenMetrics`, as Prometheus does.
pub(crate) fn open_metrics(headers: &HeaderMap) -> bool {
    quality(headers, PLAIN) < quality(headers, OPEN_METRICS)
}

/// The client's preference for a media type, from 0 to 1, by the most specific range that matches.
fn quality(headers: &HeaderMap, wanted: &str) -> f32 {
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|range| !range.trim().is_empty())
        .peekable();
    if ranges.peek().is_none() {
        return 1.0;
    }
    let (kind, _) = wanted.split_once('/').expect("a media type contains a slash");
    ranges
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let specific = match name.as_str() {
                name if name == wanted => 2,
                // Java's HTTP client sends a bare `*`.
                "*/*" | "*" => 0,
                name => (name.strip_suffix("/*")? == kind).then_some(1)?,
            };
            let quality = parts.find_map(|part| part.strip_prefix(['q', 'Q'])?.strip_prefix('='));
            Some((specific, quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0))))
        })
        .max_by_key(|(specific, _)| *specific)
        .map_or(0.0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(accept: &'static str, expected: Option<Form>) {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
        assert_eq!(embedding_form(&headers).ok(), expected, "{accept}");
    }

    #[test]
    fn the_preferred_format_is_chosen() {
        assert_eq!(embedding_form(&HeaderMap::new()).ok(), Some(Form::Json));
        check("", Some(Form::Json));
        check("*/*", Some(Form::Json));
        check("application/octet-stream", Some(Form::Numbers(Numbers::Bare)));
        check("application/*", Some(Form::Json));
        check("application/x-npy", Some(Form::Numbers(Numbers::Npy)));
        check(
            "application/x-npy, application/octet-stream;q=0.9",
            Some(Form::Numbers(Numbers::Npy)),
        );
        check("application/octet-stream, */*;q=0.1", Some(Form::Numbers(Numbers::Bare)));
        check("application/json;q=0.5, application/octet-stream;q=0.4", Some(Form::Json));
        check("Application/JSON", Some(Form::Json));
        check("*", Some(Form::Json));
        check("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", Some(Form::Json));
        check("*;Q=0.1, application/octet-stream", Some(Form::Numbers(Numbers::Bare)));
        check("*;Q=0", None);
        check("text/html", None);
        check("application/json;q=0", None);
    }
}
