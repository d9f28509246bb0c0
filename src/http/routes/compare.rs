//! `POST /compare`: are these two the same?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::Signature;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::engine::deployment::Deployment;
use crate::engine::judgement::{Criterion, Judge, Judgement};
use crate::engine::pipeline::{Source, Timings};
use crate::http::error::{Fault, Problem};
use crate::http::openapi;
use crate::http::request::accept;
use crate::http::request::body;
use crate::http::request::media::{Media, media};
use crate::http::request::multipart;
use crate::http::request::query;
use crate::http::request::source::{Raw, shown};
use crate::http::response::Answer;
use crate::http::service::Service;

pub(crate) const PARTS: [&str; 2] = ["a", "b"];

#[derive(Serialize, ToSchema)]
struct Comparison<'a> {
    #[serde(flatten)]
    judgement: Judgement,
    model: Signature<'a>,
}

/// Compare two pictures
///
/// Two sources, a picture or a stored embedding each, are judged by their distance. The verdict is `same` if the distance
/// is at most the threshold.
#[utoipa::path(
    post,
    path = "/compare",
    params(openapi::Criterion),
    request_body(content(
        (openapi::CompareForm = "multipart/form-data"),
        (openapi::Compare = "application/json", example = json!({"a": "UDUgMSAxIDI1NQqA", "b": {"image": "data:image/x-portable-graymap;base64,UDUgMSAxIDI1NQqA"}})),
    )),
    responses((status = 200, description = "The verdict, and what is known about it.", body = Comparison, example = json!({
        "verdict": "same", "distance": 0.6735, "threshold": 1.134, "probability": 0.9993,
        "operating_point": {
            "source": "calibration", "fmr": 0.0242, "fnmr": 0.0289, "same_pairs": 450, "different_pairs": 4500,
            "data": "orl-faces, identities unseen in training"
        },
        "model": {"name": "faces", "digest": "sha256:a57e6666..."}
    })))
)]
pub(crate) async fn compare(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    accept::json(&headers)?;
    let criterion = query::criterion(query.as_deref())?;
    let on = service.engine.deployment();
    let judge = judge(criterion, &service, &on)?;
    let deadline = query::deadline(&headers, &service)?;
    let media = media(&headers)?;
    let (body, _room) = body::read(body, &headers, &service, deadline).await?;
    let pair = match media {
        Media::Multipart => from_parts(multipart::parts(&body, &headers, &PARTS)?)?,
        Media::Json => Raw::read(body, pair).await?,
        Media::Picture => {
            let why = "two pictures come as multipart/form-data or application/json";
            return Err(Fault::MediaTypeUnsupported(why).into());
        }
    };

    let (judgement, timings) = judged(&service, &on, &judge, pair, deadline).await?;
    Ok(Answer::json(&Comparison { judgement, model: on.tower.signature() }, timings))
}

/// Takes a pair through the model, and rules on it.
pub(crate) async fn judged(
    service: &Service,
    on: &Deployment,
    judge: &Judge<'_>,
    pair: Pair,
    deadline: Instant,
) -> Result<(Judgement, Timings), Problem> {
    let (names, sources): (Vec<_>, Vec<_>) = pair.into_iter().unzip();
    let (pair, timings) = service
        .within(deadline, async {
            let embedded = service.engine.embed_all(on, sources).await;
            embedded.map_err(|refusal| service.refusal(refusal, &names))
        })
        .await?;
    let judgement = judge.judge(pair[0].distance(&pair[1]));
    service.metrics.judged(&on.tower.digest, &judgement);
    Ok((judgement, timings))
}

/// Finds the threshold that a request wants.
pub(crate) fn judge<'a>(
    criterion: Criterion,
    service: &Service,
    on: &'a Deployment,
) -> Result<Judge<'a>, Fault> {
    Judge::new(criterion, service.settings().tower.threshold, &on.tower.card)
        .map_err(|err| Fault::OperatingPointUnsupported(err.to_string()))
}

/// Two sources, each with what to call it in a complaint.
pub(crate) type Pair = [(String, Source); 2];

fn from_parts(parts: Vec<(&'static str, bytes::Bytes)>) -> Result<Pair, Problem> {
    complete(parts.into_iter().map(|(name, bytes)| (name, Source::Upload(bytes))))
}

/// Reads `{"a": source, "b": source}`.
pub(crate) fn pair(json: Raw) -> Result<Pair, Problem> {
    let sources = json
        .members()?
        .into_iter()
        .map(|(name, value)| match PARTS.iter().copied().find(|it| *it == name) {
            Some(name) => Ok((name, value.into_source(name)?)),
            None => Err(Fault::PartUnexpected.of(shown(&name))),
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    complete(sources.into_iter())
}

fn complete(sources: impl Iterator<Item = (&'static str, Source)>) -> Result<Pair, Problem> {
    let [mut a, mut b] = [None, None];
    for (name, source) in sources {
        let place = if name == PARTS[0] { &mut a } else { &mut b };
        if place.replace((name.to_owned(), source)).is_some() {
            return Err(Fault::PartRepeated.of(name));
        }
    }
    let missing = |name: &str| Fault::PartMissing.of(name);
    Ok([a.ok_or_else(|| missing(PARTS[0]))?, b.ok_or_else(|| missing(PARTS[1]))?])
}
