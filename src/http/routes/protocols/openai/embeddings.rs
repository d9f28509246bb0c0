//! `POST /v1/embeddings`: computes embeddings, with the request and response of `OpenAI`.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{self, Input};
use crate::engine::deployment::Deployment;
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::http::request::accept::AcceptsJson;
use crate::http::request::json::{self, Json, unless_null};
use crate::http::request::mistake::malformed;
use crate::http::request::named::named;
use crate::http::request::query::{Choosing, Requested};
use crate::http::request::received::{Content, FromContent, Media, Received, media};
use crate::http::response::timed_json;
use crate::http::routes::embed::together;
use crate::http::service::Service;
use crate::ops::settings::Server;

/// The error for another media type.
const ONLY_JSON: &str = "send images as application/json";

/// A parsed request.
pub(crate) struct ToEmbed {
    images: Vec<Source>,
    /// Whether the images were in a list.
    is_list: bool,
    encoding: Encoding,
    model: Option<String>,
    dimensions: Option<usize>,
}

/// How the response writes an embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(as = OpenAiEncoding, rename_all = "lowercase")]
enum Encoding {
    Float,
    /// The little-endian `f32` numbers, as base64.
    Base64,
}

/// A request. A member with the value `null` counts as absent.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiRequest)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    #[schema(value_type = Input)]
    input: Json<'a>,
    /// The name or the digest of a model. Without it, the first model serves.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<String>)]
    model: Option<Json<'a>>,
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<Encoding>)]
    encoding_format: Option<Json<'a>>,
    /// If it is given, it must be the width of the model's embeddings.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<usize>)]
    dimensions: Option<Json<'a>>,
    /// Ignored.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    #[expect(dead_code, reason = "the server does not record who asks")]
    user: IgnoredAny,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiEmbeddings)]
struct Embeddings<'a> {
    #[schema(example = "list")]
    object: &'static str,
    /// One for each image, in order.
    data: Vec<OneEmbedding<'a>>,
    /// The model's name.
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiEmbedding)]
struct OneEmbedding<'a> {
    #[schema(example = "embedding")]
    object: &'static str,
    index: usize,
    embedding: Encoded<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiEncoded)]
#[serde(untagged)]
enum Encoded<'a> {
    Float(&'a [f32]),
    /// Little-endian `f32` numbers, as base64.
    Base64(String),
}

/// Always 0: images have no tokens.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = OpenAiUsage)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Embed images, as `OpenAI` embeds texts
///
/// The request fails if one image fails. Errors have the form of `OpenAI`'s.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    params(Choosing),
    request_body(content = Body, content_type = "application/json", example = json!({"input": ["UDUgMSAxIDI1NQqA"]})),
    responses((status = 200, description = "The embeddings.", body = Embeddings, example = json!({
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [-0.0796, 0.0736]}],
        "model": "faces",
        "usage": {"prompt_tokens": 0, "total_tokens": 0}
    })))
)]
pub(crate) async fn embeddings(
    State(service): State<Arc<Service>>,
    _: AcceptsJson,
    requested: Requested,
    request: Received<ToEmbed>,
) -> Result<Response, Problem> {
    let Received { content, deployment: first, deadline, .. } = request;
    let deployment = content.deployment(first, &service)?;
    let choice = requested.of(&deployment, &service)?;
    let ToEmbed { images, is_list, encoding, .. } = content;
    let name = |index| ToEmbed::name(index, is_list);
    let embedded = together(&service, &deployment, images, choice, deadline, name);
    let (images, timings) = embedded.await?;
    let data = images.iter().enumerate().map(|(index, image)| OneEmbedding {
        object: "embedding",
        index,
        embedding: encoding.of(image.embedding.coordinates()),
    });
    let model = deployment.name.as_str();
    let usage = Usage::default();
    Ok(timed_json(&Embeddings { object: "list", data: data.collect(), model, usage }, timings))
}

impl ToEmbed {
    /// The path of an image in the request, for error messages.
    fn name(index: usize, is_list: bool) -> String {
        if is_list { format!("input[{index}]") } else { "input".to_owned() }
    }

    /// Reads a request with at most `most` images.
    pub(crate) fn from_json(body: &[u8], most: usize) -> Result<Self, Problem> {
        let Body { input, model, encoding_format, dimensions, .. } = json::body(body)?;
        let text = |value: Json| value.text("the value must be text").map(Cow::into_owned);
        let model = model.map(text).transpose().map_err(|fault| fault.of("model"))?;
        let encoding = encoding_format.map(Encoding::read).transpose();
        let dimensions = dimensions.map(|number| number.plain("the value must be a whole number"));
        let is_list = input.0.starts_with('[');
        let images = if is_list { input.list("`input` must be a list") } else { Ok(vec![input]) };
        let images = images.map_err(|fault| fault.of("input"))?;
        if images.is_empty() || most < images.len() {
            let why = format!("a request can embed 1 to {most} images");
            return Err(Fault::BatchTooLarge(why).of("input"));
        }
        let read = |(index, image)| {
            input::image(image).map_err(|problem| problem.within(&Self::name(index, is_list)))
        };
        Ok(Self {
            encoding: encoding
                .map_err(|fault| fault.of("encoding_format"))?
                .unwrap_or(Encoding::Float),
            dimensions: dimensions.transpose().map_err(|fault| fault.of("dimensions"))?,
            images: images.into_iter().enumerate().map(read).collect::<Result<_, _>>()?,
            is_list,
            model,
        })
    }

    /// The deployment of the model that the request names; `first` if it names none.
    fn deployment(
        &self,
        first: Arc<Deployment>,
        service: &Service,
    ) -> Result<Arc<Deployment>, Problem> {
        let deployment = match &self.model {
            Some(model) => named(model, service).map_err(|fault| fault.of("model"))?,
            None => first,
        };
        service.trust(&deployment)?;
        let width = deployment.model.width;
        if self.dimensions.is_some_and(|dimensions| dimensions != width) {
            let why = format!(
                "the model's embeddings have {width} dimensions, and the server does not shorten them"
            );
            return Err(malformed(why).of("dimensions"));
        }
        Ok(deployment)
    }
}

impl Encoding {
    fn read(json: Json) -> Result<Self, Fault> {
        const FORM: &str = "the value must be float or base64";
        match &*json.text(FORM)? {
            "float" => Ok(Self::Float),
            "base64" => Ok(Self::Base64),
            _ => Err(malformed(FORM)),
        }
    }

    fn of(self, coordinates: &[f32]) -> Encoded<'_> {
        match self {
            Self::Float => Encoded::Float(coordinates),
            Self::Base64 => {
                let bytes = coordinates.iter().flat_map(|number| number.to_le_bytes());
                Encoded::Base64(BASE64.encode(bytes.collect::<Vec<u8>>()))
            }
        }
    }
}

impl FromContent for ToEmbed {
    fn media(headers: &HeaderMap) -> Result<Media, Fault> {
        match media(headers) {
            Ok(Media::Json) => Ok(Media::Json),
            _ => Err(Fault::MediaTypeUnsupported(ONLY_JSON)),
        }
    }

    fn read(content: Content, settings: &Server) -> Result<Self, Problem> {
        match content {
            Content::Json(body) => Self::from_json(&body, settings.max_images.get()),
            _ => Err(Fault::MediaTypeUnsupported(ONLY_JSON).into()),
        }
    }

    fn images(&self) -> usize {
        self.images.len()
    }
}
