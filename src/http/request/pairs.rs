//! What is to be compared: a pair, or many.

use serde::Deserialize;
use utoipa::ToSchema;

use super::form::Picture;
use super::json::{self, Json};
use super::received::{Asked, Content};
use super::source::{Written, read_at};
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::ops::settings::Server;

/// Two sources.
pub(crate) struct Pair(pub(crate) [Source; 2]);

/// Pairs, each with its own outcome.
#[derive(Default)]
pub(crate) struct Pairs {
    /// Each with what to call it in a complaint.
    pub(crate) sources: Vec<(String, Source)>,
    /// Of two sources each, by their places; or why it is none.
    pub(crate) pairs: Vec<Result<[usize; 2], Problem>>,
}

/// Two sources.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compare<'a> {
    #[serde(borrow)]
    #[schema(value_type = Written)]
    a: Json<'a>,
    #[serde(borrow)]
    #[schema(value_type = Written)]
    b: Json<'a>,
}

/// Two picture files.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CompareForm<'a> {
    #[serde(borrow)]
    a: Picture<'a>,
    #[serde(borrow)]
    b: Picture<'a>,
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

/// One picture file against each of others.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OneToMany<'a> {
    #[serde(borrow)]
    a: Picture<'a>,
    #[serde(borrow)]
    b: Vec<Picture<'a>>,
}

impl Pair {
    /// What to call the two in a complaint.
    pub(crate) const NAMES: [&str; 2] = ["a", "b"];

    fn from_sources(Compare { a, b }: Compare) -> Result<Self, Problem> {
        Ok(Self([read_at("a", a)?, read_at("b", b)?]))
    }

    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Problem> {
        Self::from_sources(json::body(body)?)
    }
}

impl Asked for Pair {
    fn read(content: Content, _: &Server) -> Result<Self, Problem> {
        match content {
            Content::Json(body) => Self::from_json(&body),
            Content::Form(form) => {
                let CompareForm { a, b } = form.read()?;
                Ok(Self([form.upload(&a), form.upload(&b)]))
            }
            Content::Picture(_) => Err(Fault::MediaTypeUnsupported(
                "two pictures come as multipart/form-data or application/json",
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

    /// Refuses none, and more than the limit.
    fn check(pairs: usize, most: usize, field: &str) -> Result<(), Problem> {
        if (1..=most).contains(&pairs) {
            return Ok(());
        }
        let why = format!("between 1 and {most} pairs are compared at once");
        Err(Fault::BatchTooLarge(why).of(field))
    }

    pub(crate) fn from_json(body: &[u8], most: usize) -> Result<Self, Problem> {
        let CompareMany { pairs } = json::body(body)?;
        let list = pairs.list("pairs is a list of objects with `a` and `b`");
        let list = list.map_err(|fault| fault.of("pairs"))?;
        Self::check(list.len(), most, "pairs")?;
        let mut read = Self::default();
        for (at, pair) in list.into_iter().enumerate() {
            let name = format!("pairs[{at}]");
            let pair = pair.object().and_then(Pair::from_sources);
            let pair = pair.map_err(|problem| problem.within(&name)).map(|Pair([a, b])| {
                [read.add(format!("{name}.a"), a), read.add(format!("{name}.b"), b)]
            });
            read.pairs.push(pair);
        }
        Ok(read)
    }
}

impl Asked for Pairs {
    fn read(content: Content, settings: &Server) -> Result<Self, Problem> {
        let most = settings.max_pairs.get();
        match content {
            Content::Json(body) => Self::from_json(&body, most),
            Content::Form(form) => {
                let OneToMany { a, b } = form.read()?;
                Self::check(b.len(), most, "b")?;
                let mut read = Self::default();
                let one = read.add("a".to_owned(), form.upload(&a));
                for (at, other) in b.iter().enumerate() {
                    let other = read.add(format!("b[{at}]"), form.upload(other));
                    read.pairs.push(Ok([one, other]));
                }
                Ok(read)
            }
            Content::Picture(_) => Err(Fault::MediaTypeUnsupported(
                "pairs come as multipart/form-data or application/json",
            )
            .into()),
        }
    }
}
