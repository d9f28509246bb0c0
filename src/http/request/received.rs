//! A complete request body, parsed for its route.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use tokio::time::Instant;

use super::body::{self, Admitted};
use super::form::Form;
use super::query;
use crate::engine::deployment::Deployment;
use crate::http::error::{Fault, Problem};
use crate::http::service::{Service, pinned};
use crate::ops::blocking::{SMALL, compute};
use crate::ops::settings::Server;

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
    fn read(content: Content, settings: &Server) -> Result<Self, Problem>;
}

/// A body, by its media type.
pub(crate) enum Content {
    /// The bytes of one image. The bytes tell its format.
    Image(Bytes),
    Form(Form),
    Json(Bytes),
}

impl<T: FromContent> FromRequest<Arc<Service>> for Received<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Problem> {
        let begun = Instant::now();
        let (head, body) = request.into_parts();
        let most = service.settings().server.deadline();
        let deadline = begun + query::deadline(&head.headers, most)?;
        let media = media(&head.headers)?;
        let (body, admitted) = body::read(body, &head.headers, service, deadline).await?;
        let is_small = body.len() <= SMALL;
        let content = match media {
            Media::Image => Content::Image(body),
            Media::Form => {
                Content::Form(Form::new(body, head.headers[header::CONTENT_TYPE].clone()))
            }
            Media::Json => Content::Json(body),
        };
        let content = match content {
            // Only JSON takes long to parse, so a large JSON body is parsed on a thread for computation.
            Content::Json(_) if !is_small => {
                let service = service.clone();
                compute(move || T::read(content, &service.settings().server)).await?
            }
            content => T::read(content, &service.settings().server)?,
        };
        let deployment = pinned(&head);
        Ok(Self { content, deployment, begun, deadline, _admitted: admitted })
    }
}

/// The kinds of request bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Image,
    Form,
    Json,
}

/// Parses `Content-Type`. The reader of the body parses the parameters.
pub(crate) fn media(headers: &HeaderMap) -> Result<Media, Fault> {
    let coding = headers.get(header::CONTENT_ENCODING).map_or(&b""[..], |value| value.as_bytes());
    if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
        let why = "the body must not have a Content-Encoding such as gzip";
        return Err(Fault::MediaTypeUnsupported(why));
    }
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
        "application/json" => Ok(Media::Json),
        "application/octet-stream" => Ok(Media::Image),
        essence if essence.starts_with("image/") => Ok(Media::Image),
        _ => unsupported,
    }
}
