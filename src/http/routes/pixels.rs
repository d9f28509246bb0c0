//! `POST /pixels`: what does the tower see of this?

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::http::request::accept::{self, AcceptsPng};
use crate::http::request::form::Picture;
use crate::http::request::images::{Embed, EmbedForm, Images};
use crate::http::request::query::NoQuery;
use crate::http::request::received::Received;
use crate::http::response::Answer;
use crate::http::service::Service;

/// See what the tower sees
///
/// The pixels that the tower reads of a picture, after turning upright, colour and size.
#[utoipa::path(
    post,
    path = "/pixels",
    request_body(content(
        (Picture = "image/*"),
        (Picture = "application/octet-stream"),
        (EmbedForm = "multipart/form-data"),
        (Embed = "application/json", example = json!({"image": "UDUgMSAxIDI1NQqA"})),
    )),
    responses((status = 200, description = "A picture of the size of the tower's input.", body = Picture, content_type = "image/png"))
)]
pub(crate) async fn pixels(
    State(service): State<Arc<Service>>,
    _: AcceptsPng,
    _: NoQuery,
    request: Received<Images>,
) -> Result<Response, Problem> {
    let Received { asked: images, on, deadline, .. } = request;
    let upload = match images {
        Images::One(Source::Upload(upload)) => upload,
        Images::One(Source::Embedding(..)) => {
            let why = "an embedding has no pixels; send its picture";
            return Err(Fault::BodyMalformed(why.to_owned()).of("image"));
        }
        Images::Several(_) => {
            let why = "one picture is shown at a time";
            return Err(Fault::BatchTooLarge(why.to_owned()).of("images"));
        }
    };
    let shown = service.engine.show(&on, upload);
    let (png, timings) = service.within(deadline, shown, &["image"]).await?;
    Ok(Answer::with(([(header::CONTENT_TYPE, accept::PNG)], png).into_response(), timings))
}
