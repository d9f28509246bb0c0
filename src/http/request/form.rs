//! Deserialises a form: the fields of a type are the names of parts, and the values are slices of the body.

use std::collections::BTreeMap;

use axum::http::HeaderValue;
use bytes::Bytes;
use serde::de::value::{BorrowedBytesDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use utoipa::ToSchema;

use super::multipart;
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};

/// A complete form.
pub(crate) struct Form {
    body: Bytes,
    /// The media type, with the boundary.
    media: HeaderValue,
}

/// An image file.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Image<'a>(#[serde(borrow)] pub(crate) &'a [u8]);

impl Form {
    pub(crate) fn new(body: Bytes, media: HeaderValue) -> Self {
        Self { body, media }
    }

    /// Reads the parts. An error names an unknown, missing or repeated part.
    pub(crate) fn read<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Problem> {
        T::deserialize(self)
    }

    /// Returns one part as an image to embed, without a copy.
    pub(crate) fn upload(&self, image: &Image) -> Source {
        Source::Upload(self.body.slice_ref(image.0))
    }
}

impl<'de> Deserializer<'de> for &'de Form {
    type Error = Problem;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let mut parts = BTreeMap::<_, Vec<_>>::new();
        for (name, content) in multipart::parts(&self.body, self.media.as_bytes(), fields)? {
            parts.entry(name).or_default().push(content);
        }
        let parts = parts.into_iter().map(|(name, contents)| (name, Part { name, contents }));
        visitor.visit_map(MapDeserializer::new(parts))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Problem> {
        Err(Problem::custom("the form must have named parts"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// All parts with the same name: one value, or a list.
struct Part<'de> {
    name: &'static str,
    contents: Vec<&'de [u8]>,
}

impl<'de> IntoDeserializer<'de, Problem> for Part<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Part<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.contents[..] {
            [content] => visitor.visit_borrowed_bytes(content),
            _ => Err(Fault::PartRepeated.of(self.name)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let contents = self.contents.into_iter().map(BorrowedBytesDeserializer::new);
        visitor.visit_seq(SeqDeserializer::new(contents))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct tuple tuple_struct map struct enum identifier
    }
}
