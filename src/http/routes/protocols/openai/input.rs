//! The images of a request: the texts and the parts of messages that `OpenAI`'s clients send.

use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;

use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::http::request::json::{Json, unless_null};
use crate::http::request::mistake::malformed;
use crate::http::request::source::upload;

/// The error for an input of another type.
const FORM: &str =
    "an input must be an image: base64 text, a data URI, or an object with `image` or `image_url`";

/// The images to embed.
#[derive(ToSchema)]
#[schema(as = OpenAiInput)]
#[serde(untagged)]
#[expect(dead_code, reason = "it documents the forms")]
pub(super) enum Input<'a> {
    One(InputImage<'a>),
    Several(Vec<InputImage<'a>>),
}

/// An image.
#[derive(ToSchema)]
#[schema(as = OpenAiImage)]
#[serde(untagged)]
#[expect(dead_code, reason = "it documents the forms")]
pub(super) enum InputImage<'a> {
    /// The image as base64 text, or as a data URI with base64.
    Short(String),
    Object(ImageObject<'a>),
}

/// An image with exactly one of `image` and `image_url`.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiImageObject)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageObject<'a> {
    /// The image as base64 text, or as a data URI with base64.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<String>)]
    image: Option<Json<'a>>,
    /// `image_url`, if it is given.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<String>, example = "image_url")]
    r#type: Option<Json<'a>>,
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<ImageUrl>)]
    image_url: Option<Json<'a>>,
}

/// The URL of an image. The server fetches nothing, so it is a data URI.
#[derive(ToSchema)]
#[schema(as = OpenAiImageUrl)]
#[serde(untagged)]
#[expect(dead_code, reason = "it documents the forms")]
enum ImageUrl<'a> {
    Short(String),
    Object(UrlObject<'a>),
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiImageUrlObject)]
#[serde(deny_unknown_fields)]
struct UrlObject<'a> {
    /// A data URI.
    #[serde(borrow)]
    #[schema(value_type = String)]
    url: Json<'a>,
    /// Ignored.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    #[expect(dead_code, reason = "the server reads all of an image")]
    detail: IgnoredAny,
}

/// Reads one image.
pub(super) fn image(json: Json) -> Result<Source, Problem> {
    if !json.0.starts_with('{') {
        return Ok(upload(&json.text(FORM)?)?);
    }
    let ImageObject { image, r#type, image_url } = json.object()?;
    let is_url = r#type.is_some();
    if let Some(kind) = r#type
        && kind.text("`type` must be text").map_err(|fault| fault.of("type"))? != "image_url"
    {
        return Err(malformed("`type` must be image_url; the server embeds only images").of("type"));
    }
    match (image, image_url) {
        (Some(image), None) => named(image, "image"),
        (None, Some(url)) if url.0.starts_with('{') => {
            let UrlObject { url, .. } =
                url.object().map_err(|problem: Problem| problem.within("image_url"))?;
            named(url, "image_url.url")
        }
        (None, Some(url)) => named(url, "image_url"),
        (None, None) if is_url => Err(Fault::PartMissing.of("image_url")),
        (None, None) => Err(Fault::PartMissing.of("image")),
        (Some(_), Some(_)) => {
            Err(malformed("an image must have either `image` or `image_url`").into())
        }
    }
}

/// Reads the text of an image at a path within its object.
fn named(text: Json, path: &str) -> Result<Source, Problem> {
    let text = text.text("the value must be text: base64 or a data URI");
    text.and_then(|text| upload(&text)).map_err(|fault| fault.of(path))
}
