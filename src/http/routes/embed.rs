//! `POST /embed`: where does the tower put this?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use siamese_core::model::Signature;
use siamese_core::score::Embedding;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::engine::deployment::Deployment;
use crate::engine::pipeline::{Embedded, Source};
use crate::http::error::{Details, Fault, Problem};
use crate::http::openapi;
use crate::http::request::accept::{self, Form};
use crate::http::request::body::{self, Admitted};
use crate::http::request::media::{Media, media};
use crate::http::request::multipart;
use crate::http::request::query;
use crate::http::request::source::{Raw, shown};
use crate::http::response::numbers::numbers;
use crate::http::response::{self, Answer};
use crate::http::service::Service;

/// What is to be embedded.
pub(crate) enum Asked {
    One(Source),
    /// Each with its own outcome.
    Several(Vec<Result<Source, Problem>>),
}

#[derive(Serialize, ToSchema)]
#[schema(as = OneEmbedding)]
pub(crate) struct One<'a> {
    embedding: &'a [f32],
    model: Signature<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SeveralEmbeddings)]
pub(crate) struct Several<'a> {
    results: Vec<Item<'a>>,
    model: Signature<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = EmbeddedItem)]
#[serde(rename_all = "lowercase")]
enum Item<'a> {
    Embedding(&'a [f32]),
    Error(Details<'a>),
}

/// Embed pictures
///
/// One picture, or several: of several a bad one fails alone. As bare numbers, row by row with their shape in
/// `Siamese-Shape` and the tower in `Siamese-Model-Digest`, or as a file for `numpy.load`, embeddings come only where every
/// picture is good.
#[utoipa::path(
    post,
    path = "/embed",
    request_body(content(
        (openapi::Picture = "image/*"),
        (openapi::Picture = "application/octet-stream"),
        (openapi::EmbedForm = "multipart/form-data"),
        (openapi::Embed = "application/json", example = json!({"image": "UDUgMSAxIDI1NQqA"})),
    )),
    responses((status = 200, description = "The embeddings.", content(
        (openapi::Embedded = "application/json", example = json!({
            "embedding": [0.0412, -0.1203], "model": {"name": "faces", "digest": "sha256:a57e6666..."}
        })),
        (openapi::Floats = "application/octet-stream"),
        (openapi::Floats = "application/x-npy"),
    )))
)]
pub(crate) async fn embed(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let form = accept::embedding_form(&headers)?;
    query::none(query.as_deref())?;
    let deadline = query::deadline(&headers, &service)?;
    let (asked, _room) = asked(body, &headers, &service, deadline).await?;
    let on = service.engine.deployment();
    match asked {
        Asked::One(source) => {
            let (embeddings, timings) = service
                .within(deadline, async {
                    let embedded = service.engine.embed_all(&on, vec![source]).await;
                    embedded.map_err(|refusal| service.refusal(refusal, &["image"]))
                })
                .await?;
            Ok(Answer::with(one(&on, &embeddings[0], form), timings))
        }
        Asked::Several(sources) => {
            let most = service.settings().server.max_pictures.get();
            if sources.is_empty() || most < sources.len() {
                let why = format!("between 1 and {most} pictures are embedded at once");
                return Err(Fault::BatchTooLarge(why).of("images"));
            }
            let mut good = Vec::with_capacity(sources.len());
            let read: Vec<Result<(), Problem>> =
                sources.into_iter().map(|source| Ok(good.push(source?))).collect();
            let Embedded { outcomes, timings } = service
                .within(deadline, async {
                    let embedded = service.engine.embed(&on, good).await;
                    embedded.map_err(|refusal| service.refusal(refusal, &["images"]))
                })
                .await?;
            let mut outcomes = outcomes.into_iter();
            let outcomes = read.into_iter().enumerate().map(|(at, read)| {
                read?;
                let outcome = outcomes.next().expect("one for each source");
                outcome.map_err(|error| Fault::from(error).of(item(at)))
            });
            let outcomes: Vec<Outcome> = outcomes.collect();
            Ok(Answer::with(several(&service, &on, &outcomes, form)?, timings))
        }
    }
}

/// Reads what is asked for; it is worked on until the second is dropped.
pub(crate) async fn asked(
    body: Body,
    headers: &HeaderMap,
    service: &Service,
    deadline: Instant,
) -> Result<(Asked, Admitted), Problem> {
    let media = media(headers)?;
    let (body, room) = body::read(body, headers, service, deadline).await?;
    let asked = match media {
        Media::Picture => Asked::One(Source::Upload(body)),
        Media::Multipart => from_parts(multipart::parts(&body, headers, &["image"])?)?,
        Media::Json => Raw::read(body, from_json).await?,
    };
    Ok((asked, room))
}

fn one(on: &Deployment, embedding: &Embedding, form: Form) -> Response {
    let embedding = embedding.coordinates();
    match form {
        Form::Json => response::json(&One { embedding, model: on.tower.signature() }),
        Form::Numbers(kind) => numbers(kind, &[embedding], &[embedding.len()], &on.tower.digest),
    }
}

/// What became of a picture of several.
type Outcome = Result<Embedding, Problem>;

/// Bare numbers have no room for what went wrong: there must be none.
fn several(
    service: &Service,
    on: &Deployment,
    outcomes: &[Outcome],
    form: Form,
) -> Result<Response, Problem> {
    if let Form::Numbers(kind) = form {
        let rows = outcomes.iter().map(|outcome| match outcome {
            Ok(embedding) => Ok(embedding.coordinates()),
            Err(problem) => Err(problem.clone()),
        });
        let rows = rows.collect::<Result<Vec<_>, Problem>>()?;
        let shape = [rows.len(), on.tower.width];
        return Ok(numbers(kind, &rows, &shape, &on.tower.digest));
    }
    let results = outcomes.iter().map(|outcome| match outcome {
        Ok(embedding) => Item::Embedding(embedding.coordinates()),
        Err(problem) => {
            service.metrics.item_problem(problem.fault.code());
            Item::Error(problem.details())
        }
    });
    let results = results.collect();
    Ok(response::json(&Several { results, model: on.tower.signature() }))
}

fn from_parts(parts: Vec<(&'static str, Bytes)>) -> Result<Asked, Problem> {
    let mut uploads: Vec<Source> =
        parts.into_iter().map(|(_, bytes)| Source::Upload(bytes)).collect();
    match uploads.len() {
        0 => Err(Fault::PartMissing.of("image")),
        1 => Ok(Asked::One(uploads.remove(0))),
        _ => Ok(Asked::Several(uploads.into_iter().map(Ok).collect())),
    }
}

pub(crate) fn from_json(json: Raw) -> Result<Asked, Problem> {
    let mut asked = None;
    for (name, value) in json.members()? {
        let this = match name.as_str() {
            "image" => Asked::One(value.into_source("image")?),
            "images" => {
                let why = || Fault::BodyMalformed("images is a list of sources".to_owned());
                let items = value.items().ok_or_else(|| why().of("images"))?;
                let sources = items.into_iter().enumerate();
                let source = |(at, it): (usize, Raw)| it.into_source(&item(at));
                Asked::Several(sources.map(source).collect())
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
