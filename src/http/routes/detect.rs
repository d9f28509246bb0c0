//! `POST /detect`: finds the faces in an image.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::Face;
use utoipa::ToSchema;

use crate::http::error::{Fault, Problem};
use crate::http::request::accept::AcceptsJson;
use crate::http::request::form::Image;
use crate::http::request::images::{Embed, EmbedForm, Images};
use crate::http::request::query::NoQuery;
use crate::http::request::received::Received;
use crate::http::response::timed_json;
use crate::http::service::Service;

#[derive(Serialize, ToSchema)]
#[schema(as = Detection)]
struct Detected {
    /// First the face that `/embed` and `/compare` use, then the others, the largest first.
    faces: Vec<Face>,
    image: ImageSize,
}

/// The size of the upright image, in pixels.
#[derive(Serialize, ToSchema)]
struct ImageSize {
    width: u32,
    height: u32,
}

/// Find faces
///
/// All faces of an image, with the detector of the model. A model that does not align faces has none. The positions are
/// in pixels of the image after its orientation is applied.
#[utoipa::path(
    post,
    path = "/detect",
    tag = "images",
    request_body(content(
        (Image = "image/*"),
        (Image = "application/octet-stream"),
        (EmbedForm = "multipart/form-data"),
        (Embed = "application/json", example = json!({"image": "UDUgMSAxIDI1NQqA"})),
    )),
    responses((status = 200, description = "The faces and the size of the image.", body = Detected, example = json!({
        "faces": [{
            "box": [412.0, 380.0, 290.0, 290.0],
            "points": {"left_eye": [486.1, 470.3], "right_eye": [614.9, 468.8], "nose": [552.0, 540.2], "mouth": [549.7, 604.6]},
            "score": 0.93, "roll": -0.7, "yaw": 2.0, "sharpness": 0.61
        }],
        "image": {"width": 960, "height": 1280}
    })))
)]
pub(crate) async fn detect(
    State(service): State<Arc<Service>>,
    _: AcceptsJson,
    _: NoQuery,
    request: Received<Images>,
) -> Result<Response, Problem> {
    let Received { content: images, deployment, deadline, .. } = request;
    if !deployment.model.preprocessor.aligns() {
        return Err(Fault::NoFaceDetector.into());
    }
    let upload = images.one_upload("a request can search one image")?;
    let detected = service.engine.detect(&deployment, upload);
    let ((faces, [width, height]), timings) =
        service.within(deadline, detected, &["image"]).await?;
    Ok(timed_json(&Detected { faces, image: ImageSize { width, height } }, timings))
}
