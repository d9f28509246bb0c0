//! `POST /embed`: where does the tower put this?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use super::accept::{self, Form};
use super::answer::Answer;
use super::body;
use super::error::{Details, Fault, Problem};
use super::media::{Media, media};
use super::multipart;
use super::query;
use super::service::{self, Service, Spent};
use super::source::{Raw, Source, shown};
use crate::model::Signature;

/// Names the tower where the body has no room for it.
const MODEL_DIGEST: HeaderName = HeaderName::from_static("siamese-model-digest");

/// What is to be embedded.
pub(super) enum Asked {
    One(Source),
    /// Each with its own outcome.
    Several(Vec<service::Asked>),
}

#[derive(Serialize)]
struct One<'a> {
    embedding: &'a [f32],
    model: Signature<'a>,
}

#[derive(Serialize)]
struct Several<'a> {
    results: Vec<Item<'a>>,
    model: Signature<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Item<'a> {
    Embedding(&'a [f32]),
    Error(Details<'a>),
}

pub(super) async fn embed(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let form = accept::json_or_bytes(&headers)?;
    query::none(query.as_deref())?;
    let deadline = service.deadline(&headers)?;
    let media = media(&headers)?;
    let (body, _room) = body::read(body, &headers, &service, deadline).await?;
    let asked = match media {
        Media::Picture => Asked::One(Source::Upload(body)),
        Media::Multipart => from_parts(multipart::parts(&body, &headers, &["image"])?)?,
        Media::Json => Raw::read(body, from_json).await?,
    };
    match asked {
        Asked::One(source) => service.within(deadline, one(&service, source, form)).await,
        Asked::Several(_) if form == Form::Bytes => {
            Err(Fault::NotAcceptable("application/json for several pictures").into())
        }
        Asked::Several(sources) => {
            let most = service.settings.server.max_pictures.get();
            if sources.is_empty() || most < sources.len() {
                let why = format!("between 1 and {most} pictures are embedded at once");
                return Err(Fault::BatchTooLarge(why).of("images"));
            }
            service.within(deadline, several(&service, sources)).await
        }
    }
}

async fn one(service: &Service, source: Source, form: Form) -> Result<Response, Problem> {
    let (on, mut spent) = (service.in_service(), Spent::default());
    let work = service.prepare(&on, vec![Ok(("image".to_owned(), source))], &mut spent).await?;
    let embedded = service.embed(work.whole()?, &mut spent).await?.remove(0)?;
    let embedding = embedded.coordinates();
    Ok(match form {
        Form::Json => Answer::json(&One { embedding, model: on.tower.signature() }, spent),
        Form::Bytes => {
            let bytes: Vec<u8> = embedding.iter().flat_map(|it| it.to_le_bytes()).collect();
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (MODEL_DIGEST, on.tower.digest.as_str()),
            ];
            Answer::with((headers, bytes).into_response(), spent)
        }
    })
}

async fn several(service: &Service, sources: Vec<service::Asked>) -> Result<Response, Problem> {
    let (on, mut spent) = (service.in_service(), Spent::default());
    let work = service.prepare(&on, sources, &mut spent).await?;
    let outcomes = service.embed(work, &mut spent).await?;
    let results = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(embedding) => Item::Embedding(embedding.coordinates()),
            Err(problem) => {
                service.metrics.item_problem(problem.fault.code());
                Item::Error(problem.details())
            }
        })
        .collect();
    Ok(Answer::json(&Several { results, model: on.tower.signature() }, spent))
}

fn from_parts(parts: Vec<(&'static str, Bytes)>) -> Result<Asked, Problem> {
    let mut uploads: Vec<Source> =
        parts.into_iter().map(|(_, bytes)| Source::Upload(bytes)).collect();
    match uploads.len() {
        0 => Err(Fault::PartMissing.of("image")),
        1 => Ok(Asked::One(uploads.remove(0))),
        _ => Ok(Asked::Several(
            uploads.into_iter().enumerate().map(|(at, it)| Ok((item(at), it))).collect(),
        )),
    }
}

pub(super) fn from_json(json: Raw) -> Result<Asked, Problem> {
    let mut asked = None;
    for (name, value) in json.members()? {
        let this = match (name.as_str(), value) {
            ("image", value) => Asked::One(value.into_source("image")?),
            ("images", Raw::List(items)) => Asked::Several(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(at, it)| it.into_source(&item(at)).map(|source| (item(at), source)))
                    .collect(),
            ),
            ("images", _) => {
                let why = "images is a list of sources".to_owned();
                return Err(Fault::BodyMalformed(why).of("images"));
            }
            _ => return Err(Fault::PartUnexpected.of(shown(&name))),
        };
        if asked.replace(this).is_some() {
            return Err(Fault::PartUnexpected.of(name));
        }
    }
    asked.ok_or_else(|| Fault::PartMissing.of("image"))
}

/// What to call an item of a list in a complaint.
fn item(at: usize) -> String {
    format!("images[{at}]")
}
