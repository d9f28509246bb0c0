//! Sources in JSON: images and embeddings.

mod encoded;

use std::borrow::Cow;

use serde::Deserialize;
use siamese_core::score::Embedding;
use utoipa::ToSchema;

use super::json::{self, Json};
use super::mistake::malformed;
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};

/// An image, or an embedding that the client has stored.
#[derive(ToSchema)]
#[schema(as = Source)]
#[serde(untagged)]
pub(crate) enum SourceJson<'a> {
    /// An image as base64 text, or as a data URI with base64.
    Short(Cow<'a, str>),
    Image(ImageSource<'a>),
    Stored(StoredSource<'a>),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImageSource<'a> {
    /// The image as base64 text, or as a data URI with base64.
    #[serde(borrow)]
    #[schema(value_type = String)]
    image: Json<'a>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredSource<'a> {
    /// The embedding. Its length must be the model's embedding width.
    #[serde(borrow)]
    #[schema(value_type = Vec<f32>)]
    embedding: Json<'a>,
    /// The digest of the model that made the embedding. If given, it must be the digest of the server's model.
    #[serde(default, borrow, deserialize_with = "json::given")]
    #[schema(value_type = Option<String>, nullable = false)]
    digest: Option<Json<'a>>,
}

/// Reads a source.
pub(crate) fn read(json: Json) -> Result<Source, Problem> {
    match SourceJson::read(json)? {
        SourceJson::Short(text) => Ok(upload(&text)?),
        SourceJson::Image(ImageSource { image }) => {
            Ok(upload(&image.text("`image` must be base64 text")?)?)
        }
        SourceJson::Stored(StoredSource { embedding, digest }) => {
            let digest = digest.map(|digest| digest.text("`digest` must be text"));
            let digest = digest.transpose()?.map(Cow::into_owned);
            Ok(Source::Embedding(stored(embedding)?, digest))
        }
    }
}

/// Reads the source at a path of the body, and adds the path to an error.
pub(crate) fn read_at(path: &str, json: Json) -> Result<Source, Problem> {
    read(json).map_err(|problem| problem.within(path))
}

impl<'a> SourceJson<'a> {
    /// Distinguishes the forms of a source.
    fn read(json: Json<'a>) -> Result<Self, Problem> {
        let form = "a source must be base64 text, or an object with `image` or `embedding`";
        if !json.0.starts_with('{') {
            return Ok(Self::Short(json.text(form)?));
        }
        match json.object() {
            Err(problem) if problem.is_unexpected(&["embedding", "digest"]) => {}
            image => return image.map(Self::Image),
        }
        json.object().map(Self::Stored).map_err(|problem| match problem.fault {
            // The object has only a digest.
            Fault::PartMissing => Fault::PartMissing.of("image"),
            _ if problem.is_unexpected(&["image"]) => malformed(
                "a source must have either `image`, or `embedding` with an optional `digest`",
            )
            .into(),
            _ => problem,
        })
    }
}

/// Decodes an image from base64 or from a data URI.
pub(crate) fn upload(text: &str) -> Result<Source, Fault> {
    Ok(Source::Upload(encoded::decode(text)?.into()))
}

/// A number of an embedding. A number too large for `f32` becomes infinite, which an embedding rejects.
#[derive(Deserialize)]
#[serde(from = "f64")]
struct Coordinate(f32);

impl From<f64> for Coordinate {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "embeddings use f32; an overflow is rejected"
    )]
    fn from(number: f64) -> Self {
        Self(number as f32)
    }
}

fn stored(json: Json) -> Result<Embedding, Fault> {
    let other = || Fault::EmbeddingInvalid("`embedding` must be a list of numbers".to_owned());
    // An error of serde_json would repeat the whole text.
    if json.0.contains('"') {
        return Err(other());
    }
    let numbers: Vec<Coordinate> = serde_json::from_str(json.0)
        .map_err(|err| if err.is_data() { other() } else { json::unread(&err) })?;
    let numbers: Vec<f32> = numbers.into_iter().map(|Coordinate(number)| number).collect();
    Embedding::new(numbers).map_err(|err| Fault::EmbeddingInvalid(err.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(json: &str) -> Result<Source, (&'static str, Option<String>)> {
        read_at("a", Json(json)).map_err(|problem| (problem.fault.code(), problem.field))
    }

    #[track_caller]
    fn upload(json: &str, expected: &[u8]) {
        match source(json) {
            Ok(Source::Upload(bytes)) => assert_eq!(bytes, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_image_comes_in_three_forms() {
        upload(r#""aGk=""#, b"hi");
        upload(r#""aGk""#, b"hi");
        upload(r#""\u0061Gk""#, b"hi");
        upload(r#""data:image/png;base64,aGk=""#, b"hi");
        upload(r#"{"image":"data:;base64,aGk="}"#, b"hi");
    }

    #[test]
    fn an_embedding_may_name_its_model() {
        for json in [
            r#"{"embedding":[1,-2.5,0],"digest":"sha256:00"}"#,
            r#"{"digest":"sha256:00","embedding":[1,-2.5,0]}"#,
        ] {
            match source(json) {
                Ok(Source::Embedding(embedding, Some(digest))) => {
                    assert_eq!(embedding.coordinates(), [1.0, -2.5, 0.0]);
                    assert_eq!(digest, "sha256:00");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn each_mistake_has_its_code_and_its_field() {
        for (json, code, field) in [
            (r#""a.b""#, "base64_invalid", "a"),
            (r#""data:image/png,abc""#, "base64_invalid", "a"),
            ("7", "body_malformed", "a"),
            ("null", "body_malformed", "a"),
            ("[]", "body_malformed", "a"),
            ("{}", "part_missing", "a.image"),
            (r#"{"digest":"x"}"#, "part_missing", "a.image"),
            (r#"{"url":"http://x"}"#, "part_unexpected", "a.url"),
            (r#"{"image":"","image":""}"#, "part_repeated", "a.image"),
            (r#"{"embedding":[1],"embedding":[1]}"#, "part_repeated", "a.embedding"),
            (r#"{"embedding":[1],"url":""}"#, "part_unexpected", "a.url"),
            (r#"{"image":"","embedding":[1]}"#, "body_malformed", "a"),
            (r#"{"embedding":[1],"image":""}"#, "body_malformed", "a"),
            (r#"{"image":"","digest":"x"}"#, "body_malformed", "a"),
            (r#"{"image":[]}"#, "body_malformed", "a"),
            (r#"{"image":null}"#, "body_malformed", "a"),
            (r#"{"embedding":[1],"digest":1}"#, "body_malformed", "a"),
            (r#"{"embedding":[1],"digest":null}"#, "body_malformed", "a"),
            (r#"{"embedding":[]}"#, "embedding_invalid", "a"),
            (r#"{"embedding":[1,"x"]}"#, "embedding_invalid", "a"),
            (r#"{"embedding":[[1]]}"#, "embedding_invalid", "a"),
            (r#"{"embedding":[1e99]}"#, "embedding_invalid", "a"),
            (r#"{"embedding":[1e999]}"#, "body_malformed", "a"),
            (r#"{"embedding":"aGk="}"#, "embedding_invalid", "a"),
        ] {
            assert_eq!(source(json).err(), Some((code, Some(field.to_owned()))), "{json}");
        }
    }
}
