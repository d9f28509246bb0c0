//! `POST /embed`: where does the model put this?

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::Signature;
use siamese_core::score::Embedding;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::engine::deployment::Deployment;
use crate::engine::pipeline::{Embedded, Source, Timings};
use crate::http::error::{Details, Fault, Problem};
use crate::http::request::accept::Form;
use crate::http::request::form::Image;
use crate::http::request::images::{Embed, EmbedForm, Images};
use crate::http::request::query::NoQuery;
use crate::http::request::received::Received;
use crate::http::response::numbers::{Floats, numbers};
use crate::http::response::{self, Answer};
use crate::http::service::Service;

/// What comes for one source, or for several.
#[derive(Serialize, ToSchema)]
#[schema(as = Embedded)]
#[serde(untagged)]
enum Embeddings<'a> {
    One(One<'a>),
    Several(Several<'a>),
}

#[derive(Serialize, ToSchema)]
#[schema(as = OneEmbedding)]
struct One<'a> {
    embedding: &'a [f32],
    model: Signature<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SeveralEmbeddings)]
struct Several<'a> {
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

/// Embed images
///
/// One image, or several: of several a bad one fails alone. As bare numbers, row by row with their shape in
/// `Siamese-Shape` and the model in `Siamese-Model-Digest`, or as a file for `numpy.load`, embeddings come only where every
/// image is good.
#[utoipa::path(
    post,
    path = "/embed",
    request_body(content(
        (Image = "image/*"),
        (Image = "application/octet-stream"),
        (EmbedForm = "multipart/form-data"),
        (Embed = "application/json", example = json!({"image": "UDUgMSAxIDI1NQqA"})),
    )),
    responses((status = 200, description = "The embeddings.", content(
        (Embeddings = "application/json", example = json!({
            "embedding": [0.0412, -0.1203], "model": {"name": "faces", "digest": "sha256:6cb7b9b9..."}
        })),
        (Floats = "application/octet-stream"),
        (Floats = "application/x-npy"),
    )))
)]
pub(crate) async fn embed(
    State(service): State<Arc<Service>>,
    form: Form,
    _: NoQuery,
    request: Received<Images>,
) -> Result<Response, Problem> {
    let Received { asked: images, on, deadline, .. } = request;
    let (response, timings) = match images {
        Images::One(source) => {
            let embedded = service.engine.embed_all(&on, vec![source]);
            let (embeddings, timings) = service.within(deadline, embedded, &["image"]).await?;
            (one(&on, &embeddings[0], form), timings)
        }
        Images::Several(images) => {
            let most = service.settings().server.max_images.get();
            if images.is_empty() || most < images.len() {
                let why = format!("between 1 and {most} images are embedded at once");
                return Err(Fault::BatchTooLarge(why).of("images"));
            }
            let (outcomes, timings) = each(&service, &on, images, deadline).await?;
            (several(&service, &on, &outcomes, form)?, timings)
        }
    };
    Ok(Answer::with(response, timings))
}

/// What became of a source.
type Outcome = Result<Embedding, Problem>;

/// Takes sources through the model, but for those that could not be read. Each has its own outcome, which bears its name.
async fn each(
    service: &Service,
    on: &Deployment,
    images: Vec<Result<Source, Problem>>,
    deadline: Instant,
) -> Result<(Vec<Outcome>, Timings), Problem> {
    let mut sources = Vec::with_capacity(images.len());
    let read = images.into_iter().map(|image| image.map(|source| sources.push(source)));
    let read: Vec<Result<(), Problem>> = read.collect();
    let embedded = service.engine.embed(on, sources);
    let Embedded { outcomes, timings } = service.within(deadline, embedded, &["images"]).await?;
    let mut outcomes = outcomes.into_iter();
    let all = read.into_iter().enumerate().map(|(at, read)| {
        read?;
        let outcome = outcomes.next().expect("one for each source");
        outcome.map_err(|error| Fault::from(error).of(Images::name(at)))
    });
    Ok((all.collect(), timings))
}

fn one(on: &Deployment, embedding: &Embedding, form: Form) -> Response {
    let embedding = embedding.coordinates();
    match form {
        Form::Json => {
            response::json(&Embeddings::One(One { embedding, model: on.model.signature() }))
        }
        Form::Numbers(kind) => numbers(kind, &[embedding], &[embedding.len()], &on.model.digest),
    }
}

/// Bare numbers have no room for what went wrong: there must be none.
fn several(
    service: &Service,
    on: &Deployment,
    outcomes: &[Outcome],
    form: Form,
) -> Result<Response, Problem> {
    if let Form::Numbers(kind) = form {
        let rows = outcomes.iter().map(|it| it.as_ref().map(Embedding::coordinates));
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(Problem::clone)?;
        let shape = [rows.len(), on.model.width];
        return Ok(numbers(kind, &rows, &shape, &on.model.digest));
    }
    let results = outcomes.iter().map(|outcome| match outcome {
        Ok(embedding) => Item::Embedding(embedding.coordinates()),
        Err(problem) => {
            service.metrics.item_problem(problem.fault.code());
            Item::Error(problem.details())
        }
    });
    let results = results.collect();
    Ok(response::json(&Embeddings::Several(Several { results, model: on.model.signature() })))
}
