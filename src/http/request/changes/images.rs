//! The sources of `/changes`: two images, and one that tells what is ignored.

use bytes::Bytes;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::form::Image;
use super::super::json::{self, Json};
use super::super::mistake::malformed;
use super::super::received::{Content, FromContent};
use super::super::source::{SourceJson, read_at};
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::ops::settings::Server;

/// The uploads of a scene.
pub(crate) struct SceneImages {
    pub(crate) before: Bytes,
    pub(crate) after: Bytes,
    pub(crate) ignore: Option<Bytes>,
}

/// Two images of a scene.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes<'a> {
    #[serde(borrow)]
    #[schema(value_type = SourceJson)]
    before: Json<'a>,
    #[serde(borrow)]
    #[schema(value_type = SourceJson)]
    after: Json<'a>,
    /// An image whose light pixels are not compared. It is stretched to the size of `after`.
    #[serde(default, borrow, deserialize_with = "json::given")]
    #[schema(value_type = Option<SourceJson>, nullable = false)]
    ignore: Option<Json<'a>>,
}

/// Two image files of a scene.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChangesForm<'a> {
    #[serde(borrow)]
    before: Image<'a>,
    #[serde(borrow)]
    after: Image<'a>,
    /// An image whose light pixels are not compared. It is stretched to the size of `after`.
    #[serde(default, borrow)]
    ignore: Option<Image<'a>>,
}

impl SceneImages {
    /// The paths of the images, for error messages.
    pub(crate) const NAMES: [&str; 3] = ["before", "after", "ignore"];

    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Problem> {
        let Changes { before, after, ignore } = json::body(body)?;
        let [first, second, third] = Self::NAMES;
        Ok(Self {
            before: upload(first, before)?,
            after: upload(second, after)?,
            ignore: ignore.map(|ignore| upload(third, ignore)).transpose()?,
        })
    }
}

fn upload(name: &str, json: Json) -> Result<Bytes, Problem> {
    match read_at(name, json)? {
        Source::Upload(upload) => Ok(upload),
        Source::Embedding(..) | Source::Pixels(_) => {
            Err(malformed("an embedding has no pixels; send an image").of(name))
        }
    }
}

impl FromContent for SceneImages {
    fn read(content: Content, _: &Server) -> Result<Self, Problem> {
        match content {
            Content::Json(body) => Self::from_json(&body),
            Content::Form(form) => {
                let ChangesForm { before, after, ignore } = form.read()?;
                Ok(Self {
                    before: form.slice(&before),
                    after: form.slice(&after),
                    ignore: ignore.map(|ignore| form.slice(&ignore)),
                })
            }
            Content::Image(_) | Content::UrlEncoded(_) | Content::Tensor { .. } => {
                Err(Fault::MediaTypeUnsupported(
                    "send two images as multipart/form-data or application/json",
                )
                .into())
            }
        }
    }

    fn images(&self) -> usize {
        2
    }
}
