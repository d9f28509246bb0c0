//! What is to be embedded, or shown: one source, or several.

use serde::Deserialize;
use utoipa::ToSchema;

use super::form::Picture;
use super::json::{self, Json};
use super::received::{Asked, Content};
use super::source::{Written, read_at};
use crate::engine::pipeline::Source;
use crate::http::error::Problem;
use crate::ops::settings::Server;

pub(crate) enum Images {
    One(Source),
    /// Each with its own outcome.
    Several(Vec<Result<Source, Problem>>),
}

/// One or several picture files.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EmbedForm<'a> {
    #[serde(borrow)]
    image: Vec<Picture<'a>>,
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
    #[schema(value_type = Written)]
    image: Json<'a>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbedSeveral<'a> {
    #[serde(borrow)]
    #[schema(value_type = Vec<Written>)]
    images: Json<'a>,
}

impl Images {
    /// What to call one of several in a complaint.
    pub(crate) fn name(at: usize) -> String {
        format!("images[{at}]")
    }

    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Problem> {
        match Embed::read(body)? {
            Embed::One(EmbedOne { image }) => Ok(Self::One(read_at("image", image)?)),
            Embed::Several(EmbedSeveral { images }) => {
                let images = images.list("images is a list of sources");
                let images = images.map_err(|fault| fault.of("images"))?.into_iter().enumerate();
                let read = |(at, image)| read_at(&Self::name(at), image);
                Ok(Self::Several(images.map(read).collect()))
            }
        }
    }
}

impl Asked for Images {
    fn read(content: Content, _: &Server) -> Result<Self, Problem> {
        match content {
            Content::Picture(body) => Ok(Self::One(Source::Upload(body))),
            Content::Json(body) => Self::from_json(&body),
            Content::Form(form) => {
                let EmbedForm { image } = form.read()?;
                match &image[..] {
                    [image] => Ok(Self::One(form.upload(image))),
                    several => {
                        Ok(Self::Several(several.iter().map(|it| Ok(form.upload(it))).collect()))
                    }
                }
            }
        }
    }
}

impl<'a> Embed<'a> {
    /// Tells the two apart.
    fn read(body: &'a [u8]) -> Result<Self, Problem> {
        match json::body(body) {
            Ok(one) => Ok(Self::One(one)),
            Err(problem) if problem.is_unexpected(&["images"]) => {
                json::body(body).map(Self::Several)
            }
            Err(problem) => Err(problem),
        }
    }
}
