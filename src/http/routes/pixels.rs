//! `POST /pixels`: what does the tower see of this?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::embed::{Asked, asked};
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::http::openapi;
use crate::http::request::accept;
use crate::http::request::query;
use crate::http::response::Answer;
use crate::http::service::Service;

/// See what the tower sees
///
/// The pixels that the tower reads of a picture, after turning upright, colour and size.
#[utoipa::path(
    post,
    path = "/pixels",
    request_body(content(
        (openapi::Picture = "image/*"),
        (openapi::Picture = "application/octet-stream"),
        (openapi::EmbedForm = "multipart/form-data"),
        (openapi::Embed = "application/json", example = json!({"image": "UDUgMSAxIDI1NQqA"})),
    )),
    responses((status = 200, description = "A picture of the size of the tower's input.", body = openapi::Picture, content_type = "image/png"))
)]
pub(crate) async fn pixels(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    accept::png(&headers)?;
    query::none(query.as_deref())?;
    let deadline = query::deadline(&headers, &service)?;
    let (asked, _room) = asked(body, &headers, &service, deadline).await?;
    let upload = match asked {
        Asked::One(Source::Upload(upload)) => upload,
        Asked::One(Source::Embedding(..)) => {
            let why = "an embedding has no pixels; send its picture";
            return Err(Fault::BodyMalformed(why.to_owned()).of("image"));
        }
        Asked::Several(_) => {
            let why = "one picture is shown at a time";
            return Err(Fault::BatchTooLarge(why.to_owned()).of("images"));
        }
    };
    let on = service.engine.deployment();
    let (png, timings) = service
        .within(deadline, async {
            let shown = service.engine.show(&on, upload).await;
            shown.map_err(|refusal| service.refusal(refusal, &["image"]))
        })
        .await?;
    Ok(Answer::with(([(header::CONTENT_TYPE, accept::PNG)], png).into_response(), timings))
}
