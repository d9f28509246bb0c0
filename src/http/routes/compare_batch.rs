//! `POST /compare/batch`: compares many pairs.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::Signature;
use utoipa::ToSchema;

use crate::engine::judgement::JudgedPair;
use crate::engine::pipeline::{Embedded, ItemError};
use crate::http::error::{Details, Fault, Problem};
use crate::http::request::accept::AcceptsJson;
use crate::http::request::pairs::{CompareMany, OneToManyForm, Pairs};
use crate::http::request::query::{Choosing, Judging, Ruling};
use crate::http::request::received::Received;
use crate::http::response::timed_json;
use crate::http::service::Service;

#[derive(Serialize, ToSchema)]
struct Comparisons<'a> {
    results: Vec<PairResult<'a>>,
    model: Signature<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Compared)]
#[serde(untagged)]
enum PairResult<'a> {
    Judged(Box<JudgedPair>),
    Failed { error: Details<'a> },
}

/// Compare many pairs
///
/// The request has pairs, or one source `a` and several sources `b` to compare it with. A form always has one image `a`
/// and several images `b`. The results are in the order of the pairs, or of `b`. If a pair fails, only its own result is
/// an error, and the status is still 200. If the one `a` is bad, each result is its error. An image that occurs in
/// several pairs is embedded once.
#[utoipa::path(
    post,
    path = "/compare/batch",
    operation_id = "compare_batch",
    params(Judging, Choosing),
    request_body(content(
        (OneToManyForm = "multipart/form-data"),
        (CompareMany = "application/json", example = json!({"pairs": [{"a": "UDUgMSAxIDI1NQqA", "b": "UDUgMSAxIDI1NQqA"}]})),
    )),
    responses((status = 200, description = "A result or an error for each pair.", body = Comparisons, example = json!({
        "results": [
            {"verdict": "different", "distance": 0.6774, "threshold": 0.5381, "operating_point": {"source": "calibration"}},
            {"error": {
                "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "image_empty",
                "detail": "the image is empty", "field": "pairs[1].b"
            }}
        ],
        "model": {"name": "faces", "digest": "sha256:33950d72..."}
    })))
)]
pub(crate) async fn compare_batch(
    State(service): State<Arc<Service>>,
    _: AcceptsJson,
    ruling: Ruling,
    request: Received<Pairs>,
) -> Result<Response, Problem> {
    let Received { content: Pairs { sources, pairs }, deadline, .. } = request;
    let judge = ruling.judge()?;
    let (names, sources): (Vec<String>, Vec<_>) = sources.into_iter().unzip();
    let embedded = service.engine.embed(&ruling.deployment, sources, ruling.choice);
    let Embedded { outcomes, timings } = service.within(deadline, embedded, &names).await?;
    let outcome = |index: usize| {
        let problem = |error: &ItemError| Fault::from(error.clone()).of(&names[index]);
        outcomes[index].as_ref().map_err(problem)
    };
    let judged = pairs.into_iter().map(|pair| {
        let pair = pair?;
        let [a, b] = pair.map(outcome);
        let names = pair.map(|index| names[index].as_str());
        Ok(Box::new(JudgedPair::of(&judge, [a?, b?], names)))
    });
    let judged: Vec<Result<Box<JudgedPair>, Problem>> = judged.collect();
    let results = judged.iter().map(|judged| match judged {
        Ok(pair) => {
            service.metrics.judged(&ruling.deployment.model.digest, &pair.judgement);
            PairResult::Judged(pair.clone())
        }
        Err(problem) => {
            service.metrics.item_problem(problem.fault.code());
            PairResult::Failed { error: problem.details() }
        }
    });
    let results = results.collect();
    Ok(timed_json(&Comparisons { results, model: ruling.deployment.model.signature() }, timings))
}
