//! A complete request body, parsed for its route.

mod body;

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, header};
use bytes::Bytes;
use tokio::time::Instant;

use self::body::Admitted;
use super::form::Form;
use super::mistake::{malformed, shown};
use super::query;
use crate::engine::deployment::Deployment;
use crate::http::error::{Fault, Problem};
use crate::http::service::{Service, pinned};
use crate::ops::blocking::{SMALL, compute};
use crate::ops::keys::Caller;
use crate::ops::settings::Server;

/// The length of the JSON in a body that a tensor may follow, in bytes.
pub(crate) const JSON_LENGTH: HeaderName =
    HeaderName::from_static("inference-header-content-length");

/// A request with a parsed body. It counts as in progress until this is dropped.
pub(crate) struct Received<T> {
    pub(crate) content: T,
    /// The deployment that serves it.
    pub(crate) deployment: Arc<Deployment>,
    /// When the head was received.
    pub(crate) begun: Instant,
    /// When the response is due.
    pub(crate) deadline: Instant,
    _admitted: Admitted,
}

/// A value that is parsed from a request body.
pub(crate) trait FromContent: Sized + Send + 'static {
    /// The kind of the body, by the head of the request.
    fn media(headers: &HeaderMap) -> Result<Media, Fault> {
        media(headers)
    }

    fn read(content: Content, settings: &Server) -> Result<Self, Problem>;

    /// The number of its images, for the rate limit of the key. A stored embedding is none.
    fn images(&self) -> usize;
}

/// A body, by its media type.
pub(crate) enum Content {
    /// The bytes of one image. The bytes tell its format.
    Image(Bytes),
    Form(Form),
    UrlEncoded(Bytes),
    Json(Bytes),
    /// JSON, and the tensor after it.
    Tensor {
        json: Bytes,
        binary: Bytes,
    },
}

impl<T: FromContent> FromRequest<Arc<Service>> for Received<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Problem> {
        let begun = Instant::now();
        let (head, body) = request.into_parts();
        let most = service.settings().server.deadline();
        let deadline = begun + query::deadline(&head.headers, most)?;
        no_content_coding(&head.headers)?;
        let media = T::media(&head.headers)?;
        let deployment = pinned(&head);
        let (body, admitted) =
            body::read(body, &head.headers, service, &deployment, deadline).await?;
        let is_small = body.len() <= SMALL;
        let content = match media {
            Media::Image => Content::Image(body),
            Media::Form => {
                Content::Form(Form::new(body, head.headers[header::CONTENT_TYPE].clone()))
            }
            Media::UrlEncoded => Content::UrlEncoded(body),
            Media::Json => Content::Json(body),
            Media::Tensor(length) => split(body, length)?,
        };
        let content = match content {
            // Only text and numbers take long to parse, so a large body of them is parsed on a thread for computation.
            Content::Json(_) | Content::UrlEncoded(_) | Content::Tensor { .. } if !is_small => {
                let service = service.clone();
                compute(move || T::read(content, &service.settings().server)).await?
            }
            content => T::read(content, &service.settings().server)?,
        };
        if let Some(caller) = head.extensions.get::<Arc<Caller>>() {
            caller.count_images(content.images());
        }
        Ok(Self { content, deployment, begun, deadline, _admitted: admitted })
    }
}

/// The kinds of request bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Image,
    Form,
    UrlEncoded,
    Json,
    /// JSON of this length that a tensor follows; without a length, all of the body is JSON.
    Tensor(Option<usize>),
}

/// Splits a body into JSON and the tensor after it.
fn split(mut body: Bytes, json: Option<usize>) -> Result<Content, Fault> {
    let length = json.unwrap_or(body.len());
    if body.len() < length {
        return Err(malformed("the body is shorter than the Inference-Header-Content-Length"));
    }
    let json = body.split_to(length);
    Ok(Content::Tensor { json, binary: body })
}

/// Refuses a body with a content coding such as gzip.
pub(crate) fn no_content_coding(headers: &HeaderMap) -> Result<(), Fault> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_coding =
        |coding: &&[u8]| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity");
    match codings.map(<[u8]>::trim_ascii).find(is_coding) {
        None => Ok(()),
        Some(coding) => {
            Err(Fault::ContentCodingUnsupported(shown(&String::from_utf8_lossy(coding))))
        }
    }
}

/// Parses `Content-Type`. The reader of the body parses the parameters.
pub(crate) fn media(headers: &HeaderMap) -> Result<Media, Fault> {
    let unsupported = Err(Fault::MediaTypeUnsupported(
        "the Content-Type must be multipart/form-data, application/json or, for one image, image/* or \
         application/octet-stream",
    ));
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else {
        return unsupported;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "multipart/form-data" => Ok(Media::Form),
        // Only a route for clients of another service reads it.
        "application/x-www-form-urlencoded" => Ok(Media::UrlEncoded),
        "application/json" => Ok(Media::Json),
        "application/octet-stream" => Ok(Media::Image),
        essence if essence.starts_with("image/") => Ok(Media::Image),
        _ => unsupported,
    }
}
