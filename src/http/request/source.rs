//! Pictures and embeddings as they stand in JSON.
//!
//! JSON is read into [`Raw`], which is as small as what it was made of and tells of every member, the
//! unknown and the repeated ones too, so that each can be named in the answer.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use siamese_core::score::Embedding;

use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::ops::blocking::{SMALL, compute};

/// Base64 of the standard alphabet, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// JSON as far as requests have use for it.
#[derive(Debug)]
pub(crate) enum Raw {
    Text(String),
    Number(f32),
    Numbers(Vec<f32>),
    List(Vec<Raw>),
    Object(Vec<(String, Raw)>),
    Bool(bool),
    Null,
}

impl Raw {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let budget = Cell::new(MOST_OF_ALL);
        let mut json = serde_json::Deserializer::from_slice(body);
        let raw = Reader(&budget).deserialize(&mut json);
        raw.and_then(|raw| json.end().map(|()| raw)).map_err(|err| {
            let (line, column) = (err.line(), err.column());
            // Of what is read nothing is refused but how much there is of it.
            let why = if err.is_data() { "has more in it than is taken" } else { "breaks" };
            Fault::BodyMalformed(format!("the JSON {why} at line {line}, column {column}"))
        })
    }

    /// Reads a whole body, and what it says; a large one off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        body: Bytes,
        read: impl FnOnce(Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let large = SMALL < body.len();
        let read = move || read(Self::parse(&body)?);
        if large { compute(read).await } else { read() }
    }

    /// Its members, if it is an object with none twice.
    pub(crate) fn members(self) -> Result<Vec<(String, Self)>, Problem> {
        let Self::Object(members) = self else {
            return Err(Fault::BodyMalformed("the JSON is no object".to_owned()).into());
        };
        let mut names = HashSet::with_capacity(members.len());
        let repeated = members.iter().find(|(name, _)| !names.insert(name.as_str()));
        if let Some((name, _)) = repeated {
            return Err(Fault::PartRepeated.of(shown(name)));
        }
        Ok(members)
    }

    /// Its items, if it is a list that any request has use for.
    pub(crate) fn items(self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items),
            Self::Numbers(numbers) if numbers.len() <= MOST => {
                Some(numbers.into_iter().map(Self::Number).collect())
            }
            _ => None,
        }
    }

    /// Reads a source; `field` is what to call it in a complaint.
    pub(crate) fn into_source(self, field: &str) -> Result<Source, Problem> {
        match self {
            Self::Text(text) => picture(&text).map_err(|fault| fault.of(field)),
            Self::Object(_) => self.into_object_source(field),
            _ => {
                let form = "a source is base64 text, or an object with `image` or `embedding`";
                Err(Fault::BodyMalformed(form.to_owned()).of(field))
            }
        }
    }

    fn into_object_source(self, field: &str) -> Result<Source, Problem> {
        let (mut image, mut embedding, mut digest) = (None, None, None);
        for (name, value) in self.members()? {
            let place = match name.as_str() {
                "image" => &mut image,
                "embedding" => &mut embedding,
                "digest" => &mut digest,
                _ => return Err(Fault::PartUnexpected.of(format!("{field}.{}", shown(&name)))),
            };
            *place = Some(value);
        }
        match (image, embedding, digest) {
            (Some(Self::Text(text)), None, None) => picture(&text).map_err(|it| it.of(field)),
            (None, Some(values), digest) => {
                let digest = match digest {
                    None => None,
                    Some(Self::Text(digest)) => Some(digest),
                    Some(_) => return Err(malformed("a digest is text").of(field)),
                };
                let embedding = stored(values).map_err(|it| it.of(field))?;
                Ok(Source::Embedding(embedding, digest))
            }
            (Some(_), None, None) => Err(malformed("an image is base64 text").of(field)),
            (None, None, _) => Err(Fault::PartMissing.of(format!("{field}.image"))),
            (Some(_), _, _) => {
                Err(malformed("a source has an image, or an embedding with its digest").of(field))
            }
        }
    }
}

fn malformed(detail: &str) -> Fault {
    Fault::BodyMalformed(detail.to_owned())
}

/// A stranger's name, cut to what an answer may repeat.
pub(crate) fn shown(name: &str) -> String {
    const MOST: usize = 40;
    name.chars().filter(|it| !it.is_control()).take(MOST).collect()
}

fn picture(text: &str) -> Result<Source, Fault> {
    let base64 = match text.strip_prefix("data:") {
        None => text,
        Some(uri) => match uri.split_once(',') {
            Some((head, base64)) if head.ends_with(";base64") => base64,
            _ => return Err(Fault::Base64Invalid),
        },
    };
    let bytes = BASE64.decode(base64).map_err(|_| Fault::Base64Invalid)?;
    Ok(Source::Upload(bytes.into()))
}

fn stored(values: Raw) -> Result<Embedding, Fault> {
    match values {
        Raw::Numbers(values) => {
            Embedding::new(values).map_err(|err| Fault::EmbeddingInvalid(err.to_string()))
        }
        _ => Err(Fault::EmbeddingInvalid("an embedding is a list of numbers".to_owned())),
    }
}

/// Reads one value, and takes what it is made of out of what the whole body may be made of.
struct Reader<'a>(&'a Cell<usize>);

impl Reader<'_> {
    /// Makes room for one more, where so many are there already.
    fn take<E: de::Error>(&self, so_far: usize) -> Result<(), E> {
        let left = self.0.get().checked_sub(1).filter(|_| so_far < MOST);
        self.0.set(left.ok_or_else(|| E::custom("too much of it"))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "an embedding is of f32; what overflows is refused"
    )]
    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Number(number as f32))
    }

    #[expect(clippy::cast_precision_loss, reason = "an embedding is of f32")]
    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number as f32))
    }

    #[expect(clippy::cast_precision_loss, reason = "an embedding is of f32")]
    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number as f32))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let (mut numbers, mut others) = (Vec::new(), Vec::new());
        while let Some(item) = items.next_element_seed(Reader(self.0))? {
            match item {
                Raw::Number(number) if others.is_empty() => numbers.push(number),
                other => {
                    // A number beside something else is an item like any.
                    for item in numbers.drain(..).map(Raw::Number).chain([other]) {
                        self.take(others.len())?;
                        others.push(item);
                    }
                }
            }
        }
        Ok(if numbers.is_empty() { Raw::List(others) } else { Raw::Numbers(numbers) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = entries.next_key()? {
            self.take(members.len())?;
            members.push((name, entries.next_value_seed(Reader(self.0))?));
        }
        Ok(Raw::Object(members))
    }
}

/// The most items of a list that are no numbers, and members of an object: beyond what any request
/// has use for, and little memory.
const MOST: usize = 4096;

/// The most of both in a whole body: three bytes of JSON may become fifty in memory.
const MOST_OF_ALL: usize = 16 * MOST;

#[cfg(test)]
mod tests {
    use super::*;

    fn source(json: &str) -> Result<Source, &'static str> {
        Raw::parse(json.as_bytes())
            .map_err(|it| it.code())?
            .into_source("a")
            .map_err(|it| it.fault.code())
    }

    #[track_caller]
    fn upload(json: &str, expected: &[u8]) {
        match source(json) {
            Ok(Source::Upload(bytes)) => assert_eq!(bytes, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_picture_comes_in_three_forms() {
        upload(r#""aGk=""#, b"hi");
        upload(r#""aGk""#, b"hi");
        upload(r#""data:image/png;base64,aGk=""#, b"hi");
        upload(r#"{"image":"data:;base64,aGk="}"#, b"hi");
    }

    #[test]
    fn an_embedding_may_name_its_tower() {
        match source(r#"{"embedding":[1,-2.5,0],"digest":"sha256:00"}"#) {
            Ok(Source::Embedding(embedding, Some(digest))) => {
                assert_eq!(embedding.coordinates(), [1.0, -2.5, 0.0]);
                assert_eq!(digest, "sha256:00");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_mistake_has_its_code() {
        for (json, code) in [
            (r#""a-b""#, "base64_invalid"),
            (r#""data:image/png,abc""#, "base64_invalid"),
            ("7", "body_malformed"),
            ("null", "body_malformed"),
            ("{", "body_malformed"),
            ("{}", "part_missing"),
            (r#"{"url":"http://x"}"#, "part_unexpected"),
            (r#"{"image":"","image":""}"#, "part_repeated"),
            (r#"{"image":"","embedding":[1]}"#, "body_malformed"),
            (r#"{"image":"","digest":"x"}"#, "body_malformed"),
            (r#"{"image":[]}"#, "body_malformed"),
            (r#"{"embedding":[]}"#, "embedding_invalid"),
            (r#"{"embedding":[1,"x"]}"#, "embedding_invalid"),
            (r#"{"embedding":[1e99]}"#, "embedding_invalid"),
            (r#"{"embedding":"aGk="}"#, "embedding_invalid"),
        ] {
            assert_eq!(source(json).err(), Some(code), "{json}");
        }
    }

    #[test]
    fn deep_and_wide_json_is_refused_cheaply() {
        let deep = "[".repeat(100_000);
        let wide = format!("[{}null]", "null,".repeat(MOST));
        let inner = format!("[{}[]]", "[],".repeat(MOST - 1));
        let both = format!("[{}]", vec![inner; 17].join(","));
        for json in [&wide, &both] {
            let fault = Raw::parse(json.as_bytes()).expect_err("too much");
            assert!(fault.to_string().contains("more in it than is taken"), "{fault}");
        }
        for json in [deep, wide, both] {
            let fault = Raw::parse(json.as_bytes()).expect_err("too much");
            assert_eq!(fault.code(), "body_malformed");
        }
    }
}
