//! `POST /pixels`: shows what the model receives of an image.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::http::error::Problem;
use crate::http::request::accept::{self, AcceptsPng};
use crate::http::request::form::Image;
use crate::http::request::images::{Embed, EmbedForm, Images};
use crate::http::request::query::{Choosing, Faces};
use crate::http::request::received::Received;
use crate::http::response::timed;
use crate::http::service::Service;

/// Show the model's input
///
/// The image after preprocessing: orientation, alignment of the face, colour, fit and size.
#[utoipa::path(
    post,
    path = "/pixels",
    tag = "images",
    params(Choosing),
    request_body(content(
        (Image = "image/*"),
        (Image = "application/octet-stream"),
        (EmbedForm = "multipart/form-data"),
        (Embed = "application/json", example = json!({"image": "UDUgMSAxIDI1NQqA"})),
    )),
    responses((status = 200, description = "A PNG image of the size of the model's input.", body = Image, content_type = "image/png"))
)]
pub(crate) async fn pixels(
    State(service): State<Arc<Service>>,
    _: AcceptsPng,
    Faces(choice): Faces,
    request: Received<Images>,
) -> Result<Response, Problem> {
    let Received { content: images, deployment, deadline, .. } = request;
    let upload = images.one_upload("a request can show one image")?;
    let shown = service.engine.show(&deployment, upload, choice);
    let (png, timings) = service.within(deadline, shown, &["image"]).await?;
    Ok(timed(([(header::CONTENT_TYPE, accept::PNG)], png).into_response(), timings))
}
