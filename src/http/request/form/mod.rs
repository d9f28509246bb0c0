//! Deserialises a form: the fields of a type are the names of parts, and the values are slices of the body.

pub(crate) mod multipart;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use axum::http::HeaderValue;
use bytes::Bytes;
use serde::de::value::{BorrowedBytesDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use utoipa::ToSchema;

use self::multipart::Part;
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

/// A part that is text or a file.
pub(crate) enum Field<'a> {
    Text(Cow<'a, str>),
    File(&'a [u8]),
}

/// Reads the body of an HTML form without files (`application/x-www-form-urlencoded`).
pub(crate) fn url_encoded<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Problem> {
    T::deserialize(MapDeserializer::new(form_urlencoded::parse(body)))
}

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
        Source::Upload(self.slice(image))
    }

    /// Returns the bytes of one part, without a copy.
    pub(crate) fn slice(&self, Image(image): &Image) -> Bytes {
        self.body.slice_ref(image)
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
        let mut named = BTreeMap::<_, Vec<_>>::new();
        for part in multipart::parts(&self.body, self.media.as_bytes(), fields)? {
            named.entry(part.name).or_default().push(part);
        }
        let named = named.into_iter().map(|(name, parts)| (name, Parts { name, parts }));
        visitor.visit_map(MapDeserializer::new(named))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Problem> {
        Err(Problem::custom("the form must have named parts"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct FieldVisitor;

        impl<'de> Visitor<'de> for FieldVisitor {
            type Value = Field<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a file")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Field<'de>, E> {
                Ok(Field::Text(text.into()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Field<'de>, E> {
                Ok(Field::Text(text.to_owned().into()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Field<'de>, E> {
                Ok(Field::Text(text.into()))
            }

            fn visit_borrowed_bytes<E: Error>(self, file: &'de [u8]) -> Result<Field<'de>, E> {
                Ok(Field::File(file))
            }
        }

        value.deserialize_any(FieldVisitor)
    }
}

/// All parts with the same name: one value, or a list.
struct Parts<'de> {
    name: &'static str,
    parts: Vec<Part<'de>>,
}

impl<'de> IntoDeserializer<'de, Problem> for Parts<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Parts<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.parts[..] {
            // Text is a part without a file name. An image without one is not valid UTF-8.
            [part] => match std::str::from_utf8(part.content) {
                Ok(text) if !part.is_file => visitor.visit_borrowed_str(text),
                _ => visitor.visit_borrowed_bytes(part.content),
            },
            _ => Err(Fault::PartRepeated.of(self.name)),
        }
    }

    /// A part that is there.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let contents = self.parts.into_iter().map(|part| part.content);
        visitor.visit_seq(SeqDeserializer::new(contents.map(BorrowedBytesDeserializer::new)))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct map struct enum identifier
    }
}
