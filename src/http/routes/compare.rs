//! `POST /compare`: are these two the same?

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::Signature;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::engine::judgement::Judgement;
use crate::engine::pipeline::Timings;
use crate::http::error::Problem;
use crate::http::request::accept::AcceptsJson;
use crate::http::request::pairs::{Compare, CompareForm, Pair};
use crate::http::request::query::{Judging, Ruling};
use crate::http::request::received::Received;
use crate::http::response::Answer;
use crate::http::service::Service;

#[derive(Serialize, ToSchema)]
struct Comparison<'a> {
    #[serde(flatten)]
    judgement: Judgement,
    model: Signature<'a>,
}

/// Compare two images
///
/// Two sources, an image or a stored embedding each, are judged by their distance. The verdict is `same` if the distance
/// is at most the threshold.
#[utoipa::path(
    post,
    path = "/compare",
    params(Judging),
    request_body(content(
        (CompareForm = "multipart/form-data"),
        (Compare = "application/json", example = json!({"a": "UDUgMSAxIDI1NQqA", "b": {"image": "data:image/x-portable-graymap;base64,UDUgMSAxIDI1NQqA"}})),
    )),
    responses((status = 200, description = "The verdict, and what is known about it.", body = Comparison, example = json!({
        "verdict": "same", "distance": 0.6735, "threshold": 1.134, "probability": 0.9993,
        "operating_point": {
            "source": "calibration", "fmr": 0.0242, "fnmr": 0.0289, "same_pairs": 450, "different_pairs": 4500,
            "data": "orl-faces, identities unseen in training"
        },
        "model": {"name": "faces", "digest": "sha256:6cb7b9b9..."}
    })))
)]
pub(crate) async fn compare(
    State(service): State<Arc<Service>>,
    _: AcceptsJson,
    ruling: Ruling,
    request: Received<Pair>,
) -> Result<Response, Problem> {
    let Received { asked: pair, deadline, .. } = request;
    let (judgement, timings) = judged(&service, &ruling, pair, Pair::NAMES, deadline).await?;
    Ok(Answer::json(&Comparison { judgement, model: ruling.on.model.signature() }, timings))
}

/// Takes a pair through the model, and rules on it; `names` are what to call the two in a complaint.
pub(crate) async fn judged(
    service: &Service,
    ruling: &Ruling,
    Pair(sources): Pair,
    names: [&str; 2],
    deadline: Instant,
) -> Result<(Judgement, Timings), Problem> {
    let judge = ruling.judge(service)?;
    let embedded = service.engine.embed_all(&ruling.on, sources.into());
    let (pair, timings) = service.within(deadline, embedded, &names).await?;
    let judgement = judge.judge(pair[0].distance(&pair[1]));
    service.metrics.judged(&ruling.on.model.digest, &judgement);
    Ok((judgement, timings))
}
