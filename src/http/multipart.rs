//! The parts of a form.

use axum::http::{HeaderMap, header};
use bytes::Bytes;

use super::error::{Fault, Problem};
use super::source::shown;

/// The most parts any request has use for; a form with more is cut short.
const MOST: usize = 4096;

/// Reads a form's parts in order, each with its name. Every name must be one of `allowed`.
pub(super) async fn parts(
    body: Bytes,
    headers: &HeaderMap,
    allowed: &[&'static str],
) -> Result<Vec<(&'static str, Bytes)>, Problem> {
    let malformed = |_| Fault::BodyMalformed("the form is malformed or breaks off".to_owned());
    let boundary = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .and_then(|it| multer::parse_boundary(it).ok())
        .ok_or_else(|| Fault::BodyMalformed("the form's type has no boundary".to_owned()))?;
    let whole = std::future::ready(Ok::<_, std::convert::Infallible>(body));
    let mut form = multer::Multipart::new(futures_util::stream::once(whole), boundary);
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        let name = field.name().unwrap_or_default();
        let Some(name) = allowed.iter().copied().find(|it| *it == name) else {
            return Err(Fault::PartUnexpected.of(shown(name)));
        };
        if parts.len() == MOST {
            return Err(Fault::BodyMalformed("the form has too many parts".to_owned()).into());
        }
        parts.push((name, field.bytes().await.map_err(malformed)?));
    }
    Ok(parts)
}
