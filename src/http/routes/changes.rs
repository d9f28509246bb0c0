//! `POST /changes`: finds what has changed between two images.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use siamese_core::changes::Layout;
use siamese_core::model::Signature;
use utoipa::ToSchema;

use crate::engine::judgement::JudgedScene;
use crate::engine::pipeline::Scene;
use crate::http::error::Problem;
use crate::http::request::accept::{self, ChangesForm as Accepted};
use crate::http::request::changes::{Changes, ChangesForm, Changing, Comparing, SceneImages, View};
use crate::http::request::form::Image;
use crate::http::request::query::Judging;
use crate::http::request::received::Received;
use crate::http::response::geo_json::Features;
use crate::http::response::numbers::{Floats, Numbers, numbers};
use crate::http::response::{json, timed};
use crate::http::service::Service;
use crate::ops::blocking::compute;

#[derive(Serialize, ToSchema)]
#[schema(as = Changes)]
struct Found<'a> {
    #[serde(flatten)]
    scene: JudgedScene,
    model: Signature<'a>,
}

/// Find changes
///
/// Compares two images of a scene place by place. The model computes an output for each *cell*, a small square, of both
/// images. A cell is changed if the two outputs are farther apart than the threshold. Changed cells that touch each other are
/// a region.
///
/// `image/png` is the second image with the distances as colours, or with `view=mask` a mask, at most 2,080 pixels a side.
/// `application/x-npy` is the distance of each cell, for `numpy.load`. `application/geo+json` is the regions as features, in
/// pixels.
#[utoipa::path(
    post,
    path = "/changes",
    tag = "images",
    params(Judging, Comparing),
    request_body(content(
        (ChangesForm = "multipart/form-data"),
        (Changes = "application/json", example = json!({"before": "UDUgMSAxIDI1NQqA", "after": {"image": "UDUgMSAxIDI1NQqA"}})),
    )),
    responses((status = 200, description = "The verdict and the regions, or the distances.", content(
        (Found = "application/json"),
        (Image = "image/png"),
        (Floats = "application/x-npy"),
        (Features = "application/geo+json"),
    )))
)]
pub(crate) async fn changes(
    State(service): State<Arc<Service>>,
    accepted: Accepted,
    changing: Changing,
    request: Received<SceneImages>,
) -> Result<Response, Problem> {
    let Received { content: SceneImages { before, after, ignore }, deadline, .. } = request;
    let Changing { align, ref ignored, cell, view, ref deployment, .. } = changing;
    let scene =
        Scene { before, after, ignored_image: ignore, ignored: ignored.clone(), align, cell };
    let judge = changing.judge()?;
    let threshold = judge.threshold();
    let compared = service.engine.changes(deployment, scene);
    let (compared, timings) = service.within(deadline, compared, &SceneImages::NAMES).await?;
    let verdict = judge.verdict(compared.distances.greatest());
    service.metrics.changed(verdict);
    let digest = &deployment.model.digest;
    let response = match accepted {
        Accepted::Png => {
            let draw = move || match view {
                View::Heat => compared.heat_map(threshold),
                View::Mask => compared.mask(threshold),
            };
            ([(header::CONTENT_TYPE, accept::PNG)], compute(draw).await).into_response()
        }
        Accepted::Npy => {
            let Layout { rows, columns, .. } = compared.layout();
            numbers(Numbers::Npy, &[compared.distances.values()], &[rows, columns], digest)
        }
        Accepted::Json | Accepted::GeoJson => {
            let (compared, regions) = compute(move || {
                let regions = compared.regions(threshold);
                (compared, regions)
            })
            .await;
            if accepted == Accepted::GeoJson {
                Features::of(&regions).into_response()
            } else {
                let scene = JudgedScene::of(&judge, &compared, regions);
                json(&Found { scene, model: deployment.model.signature() })
            }
        }
    };
    Ok(timed(response, timings))
}
