//! The sources of `/compare` and `/compare/batch`: a pair, or many.

use bytes::Bytes;
use serde::Deserialize;
use utoipa::ToSchema;

use super::form::Image;
use super::json::{self, Json};
use super::mistake::malformed;
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

/// Pairs of sources, or one source and others to compare it with.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum CompareMany<'a> {
    Pairs(ListedPairs<'a>),
    OneToMany(OneToMany<'a>),
}

/// Pairs of sources.
#[derive(Deserialize, ToSchema)]
#[schema(as = Pairs)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListedPairs<'a> {
    #[serde(borrow)]
    #[schema(value_type = Vec<Compare>)]
    pairs: Json<'a>,
}

/// One source against each of others.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneToMany<'a> {
    #[serde(borrow)]
    #[schema(value_type = SourceJson)]
    a: Json<'a>,
    #[serde(borrow)]
    #[schema(value_type = Vec<SourceJson>)]
    b: Json<'a>,
}

/// One image file against each of others.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OneToManyForm<'a> {
    #[serde(borrow)]
    a: Image<'a>,
    #[serde(borrow)]
    b: Vec<Image<'a>>,
}

impl Pair {
    /// The paths of the two sources, for error messages.
    pub(crate) const NAMES: [&str; 2] = ["a", "b"];

    /// The uploads, for a route that needs the pixels.
    pub(crate) fn uploads(&self) -> Result<[Bytes; 2], Problem> {
        let upload = |at: usize| match &self.0[at] {
            Source::Upload(upload) => Ok(upload.clone()),
            Source::Embedding(..) | Source::Pixels(_) => {
                let why = "an embedding has no pixels that could be explained; send an image";
                Err(malformed(why).of(Self::NAMES[at]))
            }
        };
        Ok([upload(0)?, upload(1)?])
    }

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
            Content::Image(_) | Content::UrlEncoded(_) | Content::Tensor { .. } => {
                Err(Fault::MediaTypeUnsupported(
                    "send two images as multipart/form-data or application/json",
                )
                .into())
            }
        }
    }

    fn images(&self) -> usize {
        self.0.iter().filter(|source| source.is_image()).count()
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
        match CompareMany::read(body)? {
            CompareMany::Pairs(ListedPairs { pairs }) => Self::listed(pairs, most),
            CompareMany::OneToMany(OneToMany { a, b }) => {
                let others = b.list("`b` must be a list of sources");
                let others = others.map_err(|fault| fault.of("b"))?.into_iter().enumerate();
                let others = others.map(|(index, other)| read_at(&Self::other(index), other));
                Self::one_to_many(read_at("a", a), others, most)
            }
        }
    }

    fn listed(pairs: Json, most: usize) -> Result<Self, Problem> {
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

    /// Pairs one source with each of others. If the one is faulty, every pair has its error.
    fn one_to_many(
        one: Result<Source, Problem>,
        others: impl ExactSizeIterator<Item = Result<Source, Problem>>,
        most: usize,
    ) -> Result<Self, Problem> {
        Self::check(others.len(), most, "b")?;
        let mut read = Self::default();
        let one = one.map(|one| read.add("a".to_owned(), one));
        for (index, other) in others.enumerate() {
            let pair = one.clone().and_then(|one| Ok([one, read.add(Self::other(index), other?)]));
            read.pairs.push(pair);
        }
        Ok(read)
    }

    /// The path of one of the sources that one source is compared with, for error messages.
    fn other(index: usize) -> String {
        format!("b[{index}]")
    }
}

impl FromContent for Pairs {
    fn read(content: Content, settings: &Server) -> Result<Self, Problem> {
        let most = settings.max_pairs.get();
        match content {
            Content::Json(body) => Self::from_json(&body, most),
            Content::Form(form) => {
                let OneToManyForm { a, b } = form.read()?;
                let others = b.iter().map(|other| Ok(form.upload(other)));
                Self::one_to_many(Ok(form.upload(&a)), others, most)
            }
            Content::Image(_) | Content::UrlEncoded(_) | Content::Tensor { .. } => {
                Err(Fault::MediaTypeUnsupported(
                    "send pairs as multipart/form-data or application/json",
                )
                .into())
            }
        }
    }

    fn images(&self) -> usize {
        self.sources.iter().filter(|(_, source)| source.is_image()).count()
    }
}

impl<'a> CompareMany<'a> {
    /// Distinguishes the two forms.
    fn read(body: &'a [u8]) -> Result<Self, Problem> {
        let json = json::value(body)?;
        match json.object() {
            Err(problem) if problem.is_unexpected(&Pair::NAMES) => {}
            pairs => return pairs.map(Self::Pairs),
        }
        json.object().map(Self::OneToMany).map_err(|problem| {
            if problem.is_unexpected(&["pairs"]) {
                malformed("the request must have either `pairs`, or `a` and `b`").into()
            } else {
                problem
            }
        })
    }
}
