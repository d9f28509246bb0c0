//! `POST /embed`: computes embeddings.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::{Choice, Face, Signature};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::engine::cache::EmbeddedImage;
use crate::engine::deployment::Deployment;
use crate::engine::judgement::Warning;
use crate::engine::pipeline::{Embedded, Source, Timings};
use crate::http::error::{Failed, Fault, Problem};
use crate::http::request::accept::Form;
use crate::http::request::form::Image;
use crate::http::request::images::{Embed, EmbedForm, Images};
use crate::http::request::query::{Choosing, Faces};
use crate::http::request::received::Received;
use crate::http::response::numbers::{Floats, numbers};
use crate::http::response::{self, timed};
use crate::http::service::Service;

/// The response for one source, or for several.
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
    #[serde(flatten)]
    image: ImageEmbedding<'a>,
    model: Signature<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SeveralEmbeddings)]
struct Several<'a> {
    results: Vec<ImageResult<'a>>,
    model: Signature<'a>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum ImageResult<'a> {
    Embedded(ImageEmbedding<'a>),
    Failed(Failed<'a>),
}

/// The embedding of one image.
#[derive(Serialize, ToSchema)]
struct ImageEmbedding<'a> {
    embedding: &'a [f32],
    /// The face that was embedded; absent if the model embeds whole images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    face: Option<Face>,
    /// How much the image is like those that the model was calibrated on: the share of these that are at least as
    /// unusual, above 0 and at most 1. Absent if the model's card does not describe them, and for a stored embedding.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, exclusive_minimum = 0.0, maximum = 1.0)]
    familiarity: Option<f64>,
    /// Reasons to trust the embedding less; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<Warning>,
}

impl<'a> ImageEmbedding<'a> {
    /// `name` is the path of the image in the request.
    fn of(name: &str, image: &'a EmbeddedImage) -> Self {
        let EmbeddedImage { ref embedding, face, familiarity } = *image;
        let warnings = Warning::about(name, face.as_ref(), familiarity);
        Self { embedding: embedding.coordinates(), face, familiarity, warnings }
    }
}

/// Embed images
///
/// The request has one image or several. In JSON, an image that fails has an error as its result, and the others
/// succeed. In the binary formats, the request fails if one image fails. `application/octet-stream` holds the
/// embeddings row by row, with their shape in `Siamese-Shape` and the model in `Siamese-Model-Digest`.
/// `application/x-npy` is a file for `numpy.load`.
#[utoipa::path(
    post,
    path = "/embed",
    tag = "images",
    params(Choosing),
    request_body(content(
        (Image = "image/*"),
        (Image = "application/octet-stream"),
        (EmbedForm = "multipart/form-data"),
        (Embed = "application/json", example = json!({"image": "UDUgMSAxIDI1NQqA"})),
    )),
    responses((status = 200, description = "The embeddings.", content(
        (Embeddings = "application/json", example = json!({
            "embedding": [-0.0796, 0.0736],
            "face": {
                "box": [2.4, 35.7, 73.1, 73.1],
                "points": {"left_eye": [16.1, 56.7], "right_eye": [48.9, 56.1], "nose": [28.3, 74.2], "mouth": [31.0, 88.9]},
                "score": 0.9373, "roll": -1.0, "yaw": -20.0, "sharpness": 0.6
            },
            "familiarity": 1.0,
            "model": {"name": "faces", "digest": "sha256:33950d72..."}
        })),
        (Floats = "application/octet-stream"),
        (Floats = "application/x-npy"),
    )))
)]
pub(crate) async fn embed(
    State(service): State<Arc<Service>>,
    form: Form,
    Faces(choice): Faces,
    request: Received<Images>,
) -> Result<Response, Problem> {
    let Received { content: images, deployment, deadline, .. } = request;
    let (response, timings) = match images {
        Images::One(source) => {
            let embedded = service.engine.embed_all(&deployment, vec![source], choice);
            let (images, timings) = service.within(deadline, embedded, &["image"]).await?;
            (one(&deployment, &images[0], form), timings)
        }
        Images::Several(images) => {
            let most = service.settings().server.max_images.get();
            if images.is_empty() || most < images.len() {
                let why = format!("a request can embed 1 to {most} images");
                return Err(Fault::BatchTooLarge(why).of("images"));
            }
            let (outcomes, timings) = each(&service, &deployment, images, choice, deadline).await?;
            (several(&service, &deployment, &outcomes, form)?, timings)
        }
    };
    Ok(timed(response, timings))
}

/// The result for one source.
type Outcome = Result<EmbeddedImage, Problem>;

/// Embeds several sources. A source that could not be read keeps its error; every error names its source.
async fn each(
    service: &Service,
    deployment: &Deployment,
    images: Vec<Result<Source, Problem>>,
    choice: Choice,
    deadline: Instant,
) -> Result<(Vec<Outcome>, Timings), Problem> {
    let mut sources = Vec::with_capacity(images.len());
    let read = images.into_iter().map(|image| image.map(|source| sources.push(source)));
    let read: Vec<Result<(), Problem>> = read.collect();
    let embedded = service.engine.embed(deployment, sources, choice);
    let Embedded { outcomes, timings } = service.within(deadline, embedded, &["images"]).await?;
    let mut outcomes = outcomes.into_iter();
    let all = read.into_iter().enumerate().map(|(index, read)| {
        read?;
        let outcome = outcomes.next().expect("one outcome for each source");
        outcome.map_err(|error| Fault::from(error).of(Images::name(index)))
    });
    Ok((all.collect(), timings))
}

/// Embeds sources that are needed together. The error is that of the first source that fails, under its name.
pub(super) async fn together(
    service: &Service,
    deployment: &Deployment,
    sources: Vec<Source>,
    choice: Choice,
    deadline: Instant,
    name: impl Fn(usize) -> String,
) -> Result<(Vec<EmbeddedImage>, Timings), Problem> {
    let embedded = service.engine.embed(deployment, sources, choice);
    let Embedded { outcomes, timings } = service.within(deadline, embedded, &[name(0)]).await?;
    let images = outcomes
        .into_iter()
        .enumerate()
        .map(|(index, outcome)| outcome.map_err(|error| Fault::from(error).of(name(index))));
    Ok((images.collect::<Result<_, _>>()?, timings))
}

fn one(deployment: &Deployment, image: &EmbeddedImage, form: Form) -> Response {
    let embedding = image.embedding.coordinates();
    match form {
        Form::Json => {
            let model = deployment.model.signature();
            response::json(&Embeddings::One(One {
                image: ImageEmbedding::of("image", image),
                model,
            }))
        }
        Form::Numbers(kind) => {
            numbers(kind, &[embedding], &[embedding.len()], &deployment.model.digest)
        }
    }
}

/// Several embeddings. A binary form cannot contain errors, so there all outcomes must be good.
fn several(
    service: &Service,
    deployment: &Deployment,
    outcomes: &[Outcome],
    form: Form,
) -> Result<Response, Problem> {
    if let Form::Numbers(kind) = form {
        let rows = outcomes
            .iter()
            .map(|outcome| outcome.as_ref().map(|image| image.embedding.coordinates()));
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(Problem::clone)?;
        let shape = [rows.len(), deployment.model.width];
        return Ok(numbers(kind, &rows, &shape, &deployment.model.digest));
    }
    let results = outcomes.iter().enumerate().map(|(index, outcome)| match outcome {
        Ok(image) => ImageResult::Embedded(ImageEmbedding::of(&Images::name(index), image)),
        Err(problem) => {
            service.metrics.item_problem(problem.fault.code());
            ImageResult::Failed(problem.into())
        }
    });
    let results = results.collect();
    let model = deployment.model.signature();
    Ok(response::json(&Embeddings::Several(Several { results, model })))
}
