//! A body that has come whole, as what its route asks for.

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

/// A request whose body was read; it is worked on until this is dropped.
pub(crate) struct Received<T> {
    pub(crate) asked: T,
    /// The model that it is answered by.
    pub(crate) on: Arc<Deployment>,
    /// When its head had come.
    pub(crate) begun: Instant,
    /// When its answer is due.
    pub(crate) deadline: Instant,
    _admitted: Admitted,
}

/// What a body may ask for.
pub(crate) trait Asked: Sized + Send + 'static {
    fn read(content: Content, settings: &Server) -> Result<Self, Problem>;
}

/// A body, by what it is said to be.
pub(crate) enum Content {
    /// One picture's bytes; their format is told from themselves.
    Picture(Bytes),
    Form(Form),
    Json(Bytes),
}

impl<T: Asked> FromRequest<Arc<Service>> for Received<T> {
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
            Media::Picture => Content::Picture(body),
            Media::Form => {
                Content::Form(Form::new(body, head.headers[header::CONTENT_TYPE].clone()))
            }
            Media::Json => Content::Json(body),
        };
        let asked = match content {
            // The only one that takes long to read.
            Content::Json(_) if !is_small => {
                let service = service.clone();
                compute(move || T::read(content, &service.settings().server)).await?
            }
            content => T::read(content, &service.settings().server)?,
        };
        Ok(Self { asked, on: pinned(&head), begun, deadline, _admitted: admitted })
    }
}

/// The kinds of body that requests come as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Picture,
    Form,
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
        "multipart/form-data" => Ok(Media::Form),
        "application/json" => Ok(Media::Json),
        "application/octet-stream" => Ok(Media::Picture),
        essence if essence.starts_with("image/") => Ok(Media::Picture),
        _ => unsupported,
    }
}
