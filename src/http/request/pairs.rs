//! The sources of `/compare` and `/compare/batch`: a pair, or many.

use serde::Deserialize;
use utoipa::ToSchema;

use super::form::Image;
use super::json::{self, Json};
use super::received::{Content, FromContent};
use super::source::{SourceJson, read_at};
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::ops::settings::Server;

/// Two sources.
pub(crate) struct Pair(pub(crate) [Source; 2]);

/// Many pairs, each read or with its own error.
#[derive(Default)]
pub(crate) struct Pairs {
    /// The sources, each with its path for error messages.
    pub(crate) sources: Vec<(String, Source)>,
    /// Each pair as two indices into `sources`, or the error of reading it.
    pub(crate) pairs: Vec<Result<[usize; 2], Problem>>,
}

/// Two sources.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compare<'a> {
    #[serde(borrow)]
    #[schema(value_type = SourceJson)]
    a: Json<'a>,
    #[serde(borrow)]
    #[schema(value_type = SourceJson)]
    b: Json<'a>,
}

/// Two image files.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CompareForm<'a> {
    #[serde(borrow)]
    a: Image<'a>,
    #[serde(borrow)]
    b: Image<'a>,
}

/// Pairs of sources.
#[derive(Deserialize, ToSchema)]
#[schema(as = Pairs)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompareMany<'a> {
    #[serde(borrow)]
    #[schema(value_type = Vec<Compare>)]
    pairs: Json<'a>,
}

/// One image file against each of others.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OneToMany<'a> {
    #[serde(borrow)]
    a: Image<'a>,
    #[serde(borrow)]
    b: Vec<Image<'a>>,
}

impl Pair {
    /// The paths of the two sources, for error messages.
    pub(crate) const NAMES: [&str; 2] = ["a", "b"];

    fn from_sources(Compare { a, b }: Compare) -> Result<Self, Problem> {
        Ok(Self([read_at("a", a)?, read_at("b", b)?]))
    }

    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Problem> {
        Self::from_sources(json::body(body)?)
    }
}

impl FromContent for Pair {
    fn read(content: Content, _: &Server) -> Result<Self, Problem> {
        match content {
            Content::Json(body) => Self::from_json(&body),
            Content::Form(form) => {
                let CompareForm { a, b } = form.read()?;
                Ok(Self([form.upload(&a), form.upload(&b)]))
            }
            Content::Image(_) => Err(Fault::MediaTypeUnsupported(
                "send two images as multipart/form-data or application/json",
            )
            .into()),
        }
    }
}

impl Pairs {
    fn add(&mut self, name: String, source: Source) -> usize {
        self.sources.push((name, source));
        self.sources.len() - 1
    }

    /// Rejects an empty list, and one above the limit.
    fn check(pairs: usize, most: usize, field: &str) -> Result<(), Problem> {
        if (1..=most).contains(&pairs) {
            return Ok(());
        }
        let why = format!("a request can compare 1 to {most} pairs");
        Err(Fault::BatchTooLarge(why).of(field))
    }

    pub(crate) fn from_json(body: &[u8], most: usize) -> Result<Self, Problem> {
        let CompareMany { pairs } = json::body(body)?;
        let list = pairs.list("`pairs` must be a list of objects with `a` and `b`");
        let list = list.map_err(|fault| fault.of("pairs"))?;
        Self::check(list.len(), most, "pairs")?;
        let mut read = Self::default();
        for (index, pair) in list.into_iter().enumerate() {
            let name = format!("pairs[{index}]");
            let pair = pair.object().and_then(Pair::from_sources);
            let pair = pair.map_err(|problem| problem.within(&name)).map(|Pair([a, b])| {
                [read.add(format!("{name}.a"), a), read.add(format!("{name}.b"), b)]
            });
            read.pairs.push(pair);
        }
        Ok(read)
    }
}

impl FromContent for Pairs {
    fn read(content: Content, settings: &Server) -> Result<Self, Problem> {
        let most = settings.max_pairs.get();
        match content {
            Content::Json(body) => Self::from_json(&body, most),
            Content::Form(form) => {
                let OneToMany { a, b } = form.read()?;
                Self::check(b.len(), most, "b")?;
                let mut read = Self::default();
                let one = read.add("a".to_owned(), form.upload(&a));
                for (index, other) in b.iter().enumerate() {
                    let other = read.add(format!("b[{index}]"), form.upload(other));
                    read.pairs.push(Ok([one, other]));
                }
                Ok(read)
            }
            Content::Image(_) => Err(Fault::MediaTypeUnsupported(
                "send pairs as multipart/form-data or application/json",
            )
            .into()),
        }
    }
}
