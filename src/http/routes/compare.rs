//! `POST /compare`: compares two images.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::Signature;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::engine::judgement::JudgedPair;
use crate::engine::pipeline::{Explanation, Timings};
use crate::http::error::Problem;
use crate::http::request::accept::AcceptsJson;
use crate::http::request::pairs::{Compare, CompareForm, Pair};
use crate::http::request::query::{Choosing, Explained, Explaining, Judging, Ruling};
use crate::http::request::received::Received;
use crate::http::response::timed_json;
use crate::http::service::Service;

#[derive(Serialize, ToSchema)]
struct Comparison<'a> {
    #[serde(flatten)]
    pair: JudgedPair,
    /// Where the images agree and where they differ; absent without `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    explanation: Option<Explanation>,
    model: Signature<'a>,
}

/// Compare two images
///
/// Each of the two sources is an image or a stored embedding. The verdict is `same` if their distance is at most the
/// threshold, else `different`.
///
/// How to read the explanation that `explain=map` adds: each value belongs to a cell of the image as `/pixels` shows it, and
/// a high value speaks for `same`. Compare the values of a `decomposition` with their mean, because they add up to the
/// similarity. A value of an `occlusion` above 0 says that the images are farther apart without the cell. The values describe
/// the model, not the world. If `without_highest` is not greater than `without_lowest`, they say little about this pair.
#[utoipa::path(
    post,
    path = "/compare",
    params(Judging, Choosing, Explaining),
    request_body(content(
        (CompareForm = "multipart/form-data"),
        (Compare = "application/json", example = json!({"a": "UDUgMSAxIDI1NQqA", "b": {"image": "data:image/x-portable-graymap;base64,UDUgMSAxIDI1NQqA"}})),
    )),
    responses((status = 200, description = "The verdict, the distance and the threshold.", body = Comparison, example = json!({
        "verdict": "same", "distance": 0.22, "threshold": 0.5381, "probability": 0.9998,
        "operating_point": {
            "source": "calibration", "fmr": 0.0033, "fnmr": 0.0028, "same_pairs": 1800, "different_pairs": 78000,
            "data": "orl-faces, no person was seen in training"
        },
        "a": {"familiarity": 1.0, "face": {
            "box": [2.4, 35.7, 73.1, 73.1],
            "points": {"left_eye": [16.1, 56.7], "right_eye": [48.9, 56.1], "nose": [28.3, 74.2], "mouth": [31.0, 88.9]},
            "score": 0.9373, "roll": -1.0, "yaw": -20.0, "sharpness": 0.6
        }},
        "b": {"familiarity": 1.0, "face": {
            "box": [8.1, 33.3, 74.2, 74.2],
            "points": {"left_eye": [27.9, 54.8], "right_eye": [61.6, 56.9], "nose": [43.1, 75.4], "mouth": [42.3, 89.0]},
            "score": 0.8897, "roll": 3.6, "yaw": -2.0, "sharpness": 0.56
        }},
        "model": {"name": "faces", "digest": "sha256:33950d72..."}
    })))
)]
pub(crate) async fn compare(
    State(service): State<Arc<Service>>,
    _: AcceptsJson,
    Explained(ruling, explain): Explained,
    request: Received<Pair>,
) -> Result<Response, Problem> {
    let Received { content: pair, deadline, .. } = request;
    let uploads = explain.map(|_| pair.uploads()).transpose()?;
    let (pair, mut timings) = judge_pair(&service, &ruling, pair, Pair::NAMES, deadline).await?;
    let mut explanation = None;
    if let Some(uploads) = uploads {
        let explained = service.engine.explain(&ruling.deployment, uploads, ruling.choice);
        let (explained, took) = service.within(deadline, explained, &Pair::NAMES).await?;
        timings.add(took);
        explanation = Some(explained);
    }
    let model = ruling.deployment.model.signature();
    Ok(timed_json(&Comparison { pair, explanation, model }, timings))
}

/// Embeds a pair and decides on it; `names` are the paths of the two sources, for error messages.
pub(crate) async fn judge_pair(
    service: &Service,
    ruling: &Ruling,
    Pair(sources): Pair,
    names: [&str; 2],
    deadline: Instant,
) -> Result<(JudgedPair, Timings), Problem> {
    let judge = ruling.judge()?;
    let embedded = service.engine.embed_all(&ruling.deployment, sources.into(), ruling.choice);
    let (pair, timings) = service.within(deadline, embedded, &names).await?;
    let judged = JudgedPair::of(&judge, [&pair[0], &pair[1]], names);
    service.metrics.judged(&ruling.deployment.model.digest, &judged.judgement);
    Ok((judged, timings))
}
