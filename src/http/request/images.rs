//! The sources of `/embed` and `/pixels`: one, or several.

use bytes::Bytes;
use serde::Deserialize;
use utoipa::ToSchema;

use super::form::Image;
use super::json::{self, Json};
use super::received::{Content, FromContent};
use super::source::{SourceJson, read_at};
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::ops::settings::Server;

pub(crate) enum Images {
    One(Source),
    /// Several sources, each read or with its own error.
    Several(Vec<Result<Source, Problem>>),
}

/// One or several image files.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EmbedForm<'a> {
    #[serde(borrow)]
    image: Vec<Image<'a>>,
}

/// One source, or several.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Embed<'a> {
    One(EmbedOne<'a>),
    Several(EmbedSeveral<'a>),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbedOne<'a> {
    #[serde(borrow)]
    #[schema(value_type = SourceJson)]
    image: Json<'a>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbedSeveral<'a> {
    #[serde(borrow)]
    #[schema(value_type = Vec<SourceJson>)]
    images: Json<'a>,
}

impl Images {
    /// The only image, for a route that needs its pixels. `one` says why there is only one.
    pub(crate) fn one_upload(self, one: &str) -> Result<Bytes, Problem> {
        match self {
            Self::One(Source::Upload(upload)) => Ok(upload),
            Self::One(Source::Embedding(..) | Source::Pixels(_)) => {
                let why = "an embedding has no pixels; send an image";
                Err(Fault::BodyMalformed(why.to_owned()).of("image"))
            }
            Self::Several(_) => Err(Fault::BatchTooLarge(one.to_owned()).of("images")),
        }
    }

    /// The path of one of several images, for error messages.
    pub(crate) fn name(index: usize) -> String {
        format!("images[{index}]")
    }

    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Problem> {
        match Embed::read(body)? {
            Embed::One(EmbedOne { image }) => Ok(Self::One(read_at("image", image)?)),
            Embed::Several(EmbedSeveral { images }) => {
                let images = images.list("`images` must be a list of sources");
                let images = images.map_err(|fault| fault.of("images"))?.into_iter().enumerate();
                let read = |(index, image)| read_at(&Self::name(index), image);
                Ok(Self::Several(images.map(read).collect()))
            }
        }
    }
}

impl FromContent for Images {
    fn read(content: Content, _: &Server) -> Result<Self, Problem> {
        match content {
            Content::Image(body) => Ok(Self::One(Source::Upload(body))),
            Content::Json(body) => Self::from_json(&body),
            Content::Form(form) => {
                let EmbedForm { image } = form.read()?;
                match &image[..] {
                    [image] => Ok(Self::One(form.upload(image))),
                    several => {
                        let several = several.iter().map(|image| Ok(form.upload(image)));
                        Ok(Self::Several(several.collect()))
                    }
                }
            }
            Content::UrlEncoded(_) | Content::Tensor { .. } => Err(Fault::MediaTypeUnsupported(
                "send images as multipart/form-data or application/json, or one image as the body",
            )
            .into()),
        }
    }

    fn images(&self) -> usize {
        match self {
            Self::One(source) => usize::from(source.is_image()),
            Self::Several(sources) => {
                sources.iter().flatten().filter(|source| source.is_image()).count()
            }
        }
    }
}

impl<'a> Embed<'a> {
    /// Distinguishes the two forms.
    fn read(body: &'a [u8]) -> Result<Self, Problem> {
        let json = json::value(body)?;
        match json.object() {
            Ok(one) => Ok(Self::One(one)),
            Err(problem) if problem.is_unexpected(&["images"]) => json.object().map(Self::Several),
            Err(problem) => Err(problem),
        }
    }
}
