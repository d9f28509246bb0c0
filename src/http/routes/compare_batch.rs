//! `POST /compare/batch`: many pairs, or one against many.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use siamese_core::model::Signature;
use utoipa::ToSchema;

use super::compare::{PARTS, judge, pair};
use crate::engine::judgement::Judgement;
use crate::engine::pipeline::{Embedded, ItemError, Source};
use crate::http::error::{Details, Fault, Problem};
use crate::http::openapi;
use crate::http::request::accept;
use crate::http::request::body;
use crate::http::request::media::{Media, media};
use crate::http::request::multipart;
use crate::http::request::query;
use crate::http::request::source::{Raw, shown};
use crate::http::response::Answer;
use crate::http::service::Service;
use crate::ops::blocking::{SMALL, compute};

/// The member of JSON that holds the pairs.
const PAIRS: &str = "pairs";

/// Pairs that are to be compared, each with its own outcome.
pub(crate) struct Pairs {
    sources: Vec<Source>,
    pairs: Vec<Result<[Half; 2], Problem>>,
}

/// One of a pair: what to call it in a complaint, and where it stands among the sources.
struct Half {
    name: String,
    at: usize,
}

#[derive(Serialize, ToSchema)]
struct Comparisons<'a> {
    results: Vec<Item<'a>>,
    model: Signature<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Compared)]
#[serde(untagged)]
enum Item<'a> {
    Judged(Judgement),
    Failed { error: Details<'a> },
}

/// Compare many pairs
///
/// Pairs as JSON, or a form with one picture `a` against several `b`. Results come in order; a bad item fails alone, and
/// the answer is still 200. A picture that stands in several pairs is embedded once.
#[utoipa::path(
    post,
    path = "/compare/batch",
    operation_id = "compare_batch",
    params(openapi::Criterion),
    request_body(content(
        (openapi::OneToMany = "multipart/form-data"),
        (openapi::Pairs = "application/json", example = json!({"pairs": [{"a": "UDUgMSAxIDI1NQqA", "b": "UDUgMSAxIDI1NQqA"}]})),
    )),
    responses((status = 200, description = "One result or error for each pair.", body = Comparisons, example = json!({
        "results": [
            {"verdict": "different", "distance": 1.31, "threshold": 1.134, "operating_point": {"source": "calibration"}},
            {"error": {
                "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "picture_empty",
                "detail": "the picture has no bytes", "field": "pairs[1].b"
            }}
        ],
        "model": {"name": "faces", "digest": "sha256:a57e6666..."}
    })))
)]
pub(crate) async fn compare_batch(
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
    let most = service.settings().server.max_pairs.get();
    let Pairs { sources, pairs } = match media {
        Media::Multipart => {
            let large = SMALL < body.len();
            let parts = multipart::parts(&body, &headers, &PARTS)?;
            let read = move || from_parts(parts, most);
            if large { compute(read).await? } else { read()? }
        }
        Media::Json => Raw::read(body, move |json| from_json(json, most)).await?,
        Media::Picture => {
            let why = "pairs come as multipart/form-data or application/json";
            return Err(Fault::MediaTypeUnsupported(why).into());
        }
    };

    let Embedded { outcomes, timings } = service
        .within(deadline, async {
            let embedded = service.engine.embed(&on, sources).await;
            embedded.map_err(|refusal| service.refusal(refusal, &["pairs"]))
        })
        .await?;
    let judged: Vec<Result<Judgement, Problem>> = pairs
        .into_iter()
        .map(|pair| {
            let [a, b] = pair?.map(|Half { name, at }| {
                let named = |error: &ItemError| Fault::from(error.clone()).of(name);
                outcomes[at].as_ref().map_err(named)
            });
            Ok(judge.judge(a?.distance(b?)))
        })
        .collect();
    let results = judged.iter().map(|judged| match judged {
        Ok(judgement) => {
            service.metrics.judged(&on.tower.digest, judgement);
            Item::Judged(judgement.clone())
        }
        Err(problem) => {
            service.metrics.item_problem(problem.fault.code());
            Item::Failed { error: problem.details() }
        }
    });
    let results = results.collect();
    Ok(Answer::json(&Comparisons { results, model: on.tower.signature() }, timings))
}

impl Pairs {
    /// Refuses none, and more than the limit.
    fn check(pairs: usize, most: usize, field: &str) -> Result<(), Problem> {
        if (1..=most).contains(&pairs) {
            return Ok(());
        }
        let why = format!("between 1 and {most} pairs are compared at once");
        Err(Fault::BatchTooLarge(why).of(field))
    }
}

/// One `a` against each `b`.
fn from_parts(parts: Vec<(&'static str, Bytes)>, most: usize) -> Result<Pairs, Problem> {
    let (a, b): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(name, _)| *name == PARTS[0]);
    match a.len() {
        0 => return Err(Fault::PartMissing.of(PARTS[0])),
        1 if b.is_empty() => return Err(Fault::PartMissing.of(PARTS[1])),
        1 => Pairs::check(b.len(), most, PARTS[1])?,
        _ => return Err(Fault::PartRepeated.of(PARTS[0])),
    }
    let mut sources = Vec::with_capacity(1 + b.len());
    let mut half = |name: String, (_, bytes)| {
        sources.push(Source::Upload(bytes));
        Half { name, at: sources.len() - 1 }
    };
    let mut one = a.into_iter().map(|it| half(PARTS[0].to_owned(), it)).collect::<Vec<_>>();
    let one = one.remove(0);
    let pairs = b
        .into_iter()
        .enumerate()
        .map(|(at, it)| {
            let a = Half { name: one.name.clone(), at: one.at };
            Ok([a, half(format!("{}[{at}]", PARTS[1]), it)])
        })
        .collect();
    Ok(Pairs { sources, pairs })
}

pub(crate) fn from_json(json: Raw, most: usize) -> Result<Pairs, Problem> {
    let mut list = None;
    for (name, value) in json.members()? {
        if name != PAIRS {
            return Err(Fault::PartUnexpected.of(shown(&name)));
        }
        let why = "pairs is a list of objects with `a` and `b`";
        list = Some(value.items().ok_or_else(|| Fault::BodyMalformed(why.to_owned()).of(PAIRS))?);
    }
    let list = list.ok_or_else(|| Fault::PartMissing.of(PAIRS))?;
    Pairs::check(list.len(), most, PAIRS)?;
    let mut sources = Vec::with_capacity(2 * list.len());
    let pairs = list
        .into_iter()
        .enumerate()
        .map(|(at, item)| {
            let within = |field: Option<String>| match field {
                Some(field) => format!("{PAIRS}[{at}].{field}"),
                None => format!("{PAIRS}[{at}]"),
            };
            let pair = pair(item).map_err(|it| it.fault.of(within(it.field)))?;
            Ok(pair.map(|(name, source)| {
                let name = within(Some(name));
                sources.push(source);
                Half { name, at: sources.len() - 1 }
            }))
        })
        .collect();
    Ok(Pairs { sources, pairs })
}
