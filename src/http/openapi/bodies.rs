//! What requests are made of, for the document alone: handlers read them by [`Raw`](crate::http::request::source::Raw) and
//! [`multipart`](crate::http::request::multipart), which name whatever is wrong.

#![expect(dead_code, reason = "described, never made")]

use utoipa::{IntoParams, ToSchema};

use crate::http::routes::embed::{One, Several};

/// A picture's file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Picture(Vec<u8>);

/// Little-endian `f32`s.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Floats(Vec<u8>);

/// A picture, or an embedding that the client has stored.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Source {
    /// A picture in base64, or as a data URI in base64.
    Short(String),
    Picture(ImageSource),
    Stored(StoredSource),
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImageSource {
    /// The picture in base64, or as a data URI in base64.
    image: String,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredSource {
    /// As many numbers as the tower's embeddings have.
    embedding: Vec<f32>,
    /// The digest of the tower that made it; where it is given it must be the loaded tower's.
    #[schema(nullable = false)]
    digest: Option<String>,
}

/// Two sources.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compare {
    a: Source,
    b: Source,
}

/// Two picture files.
#[derive(ToSchema)]
pub(crate) struct CompareForm {
    a: Picture,
    b: Picture,
}

/// Pairs of sources.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pairs {
    pairs: Vec<Compare>,
}

/// One picture file against each of others.
#[derive(ToSchema)]
pub(crate) struct OneToMany {
    a: Picture,
    b: Vec<Picture>,
}

/// One source, or several.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Embed {
    One(EmbedOne),
    Several(EmbedSeveral),
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbedOne {
    image: Source,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbedSeveral {
    images: Vec<Source>,
}

/// One or several picture files.
#[derive(ToSchema)]
pub(crate) struct EmbedForm {
    image: Vec<Picture>,
}

/// What comes for one source, or for several.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Embedded<'a> {
    One(One<'a>),
    Several(Several<'a>),
}

/// How pairs are judged: by the threshold in force, or by one of these.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Criterion {
    /// By this threshold; not with `fmr`.
    #[param(minimum = 0.0, nullable = false)]
    threshold: Option<f64>,
    /// By the operating point with the largest threshold whose false match rate is at most this; not with `threshold`.
    #[param(exclusive_minimum = 0.0, exclusive_maximum = 1.0, nullable = false)]
    fmr: Option<f64>,
}
