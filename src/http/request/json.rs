//! JSON as the types of bodies want it.
//!
//! An object is read into a type whose members are [`Json`], slices of the body: whoever knows a member's name and what it
//! may be reads on. So every mistake has its name, nothing is copied, and an item of a list can fail alone.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, MapDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::mistake::malformed;
use crate::http::error::{Fault, Problem};

/// The most items of a list, and members of an object: beyond what any request has use for, and little memory.
const MOST: usize = 4096;

/// How deep values may stand in each other: as deep as `serde_json` itself follows. What it passes over it would follow
/// deeper, for a byte of memory a level.
const DEEPEST: usize = 128;

/// A value that is known to be JSON, and is not read yet.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Json<'a>(pub(crate) &'a str);

/// Reads a body that is an object.
pub(crate) fn body<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Problem> {
    if is_too_deep(body) {
        return Err(malformed("the JSON has more in it than is taken").into());
    }
    // All of it is looked at first: what is no JSON is told as that, whatever else is wrong.
    let json: &RawValue = serde_json::from_slice(body).map_err(|err| {
        malformed(format!("the JSON breaks at line {}, column {}", err.line(), err.column()))
    })?;
    Json(json.get()).object()
}

impl<'de> Json<'de> {
    /// Reads an object. A part that its type doesn't know, misses or has twice is named.
    pub(crate) fn object<T: Deserialize<'de>>(self) -> Result<T, Problem> {
        let Inside(members) = self.read('{', "the JSON is no object")?;
        let members = members.into_iter();
        let members = members.map(|(name, json)| (name, BorrowedStrDeserializer::new(json.get())));
        T::deserialize(MapDeserializer::new(members))
    }

    /// Reads a list; `else_why` is the complaint about anything else.
    pub(crate) fn list(self, else_why: &str) -> Result<Vec<Self>, Fault> {
        let Inside(items) = self.read('[', else_why)?;
        Ok(items.into_iter().map(|(_, json)| Self(json.get())).collect())
    }

    /// Reads a text; `else_why` is the complaint about anything else.
    pub(crate) fn text(self, else_why: &str) -> Result<Cow<'de, str>, Fault> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

        let Text(text) = self.read('"', else_why)?;
        Ok(text)
    }

    /// Looks at how a value begins before it reads it: an error of `serde_json`'s repeats all of what stands there instead.
    fn read<T: Deserialize<'de>>(self, begins: char, else_why: &str) -> Result<T, Fault> {
        if !self.0.starts_with(begins) {
            return Err(malformed(else_why));
        }
        serde_json::from_str(self.0).map_err(|err| unread(&err))
    }
}

/// Takes a member that need not be there; one that is `null` is there.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Why what is JSON can't be read nevertheless. Only [`Inside`] refuses what is.
pub(crate) fn unread(err: &serde_json::Error) -> Fault {
    malformed(if err.is_data() {
        "the JSON has more in it than is taken"
    } else {
        "the JSON has half a character, or a number that is out of range"
    })
}

fn is_too_deep(json: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut rest = json;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => rest = behind_text(rest),
            _ => {}
        }
        if DEEPEST < depth {
            return true;
        }
    }
    false
}

/// What comes behind a text that has begun.
fn behind_text(mut text: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', text) {
        let escaped = usize::from(text[at] == b'\\');
        text = text.get(at + 1 + escaped..).unwrap_or_default();
        if escaped == 0 {
            return text;
        }
    }
    &[]
}

/// What a list or an object has in it, as much as is taken; items of a list have no names.
struct Inside<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Inside<'de> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(Count)
    }
}

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = Inside<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Inside<'de>, A::Error> {
        counted(|| Ok(list.next_element()?.map(|item| (String::new(), item))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Inside<'de>, A::Error> {
        counted(|| object.next_entry())
    }
}

fn counted<'de, E: Error>(
    mut next: impl FnMut() -> Result<Option<(String, &'de RawValue)>, E>,
) -> Result<Inside<'de>, E> {
    let mut inside = Vec::new();
    while let Some(entry) = next()? {
        if inside.len() == MOST {
            return Err(E::custom("there is too much"));
        }
        inside.push(entry);
    }
    Ok(Inside(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Two<'a> {
        #[serde(borrow)]
        a: Json<'a>,
        #[serde(default, borrow, deserialize_with = "given")]
        b: Option<Json<'a>>,
    }

    fn two(json: &str) -> Result<Two<'_>, Problem> {
        body(json.as_bytes())
    }

    #[test]
    fn members_are_slices_of_the_body() {
        let two = two(r#" {"a": [1, "]"], "\u0062": null} "#).expect("an object");
        assert_eq!((two.a.0, two.b.map(|it| it.0)), (r#"[1, "]"]"#, Some("null")));
    }

    #[test]
    fn each_mistake_has_its_code_and_its_name() {
        for (json, code, field) in [
            ("", "body_malformed", None),
            ("null", "body_malformed", None),
            (r#"["a"]"#, "body_malformed", None),
            (r#"{"a":1"#, "body_malformed", None),
            (r#"{"a":1}}"#, "body_malformed", None),
            (r#"{"a":nil}"#, "body_malformed", None),
            ("{}", "part_missing", Some("a")),
            ("{},", "body_malformed", None),
            (r#"{"c":1,"a":nil}"#, "body_malformed", None),
            (r#"{"\ud800":1}"#, "body_malformed", None),
            ("{\"a\":\"\u{7}\"}", "body_malformed", None),
            (r#"{"a":1,"c":1}"#, "part_unexpected", Some("c")),
            (r#"{"a":1,"b":1,"a":1}"#, "part_repeated", Some("a")),
        ] {
            let problem = two(json).expect_err(json);
            assert_eq!((problem.fault.code(), problem.field.as_deref()), (code, field), "{json}");
        }
    }

    #[test]
    fn deep_and_wide_json_is_refused_cheaply() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(DEEPEST), "]".repeat(DEEPEST));
        let wide = format!(r#"{{"a":[{}null]}}"#, "null,".repeat(MOST));
        let refused =
            [two(&deep).map(drop), two(&wide).and_then(|it| Ok(it.a.list("no list").map(drop)?))];
        for refused in refused {
            let problem = refused.expect_err("too much");
            assert_eq!(problem.fault.code(), "body_malformed");
            assert!(problem.to_string().contains("more in it than is taken"), "{problem}");
        }
        let most = format!(r#"{{"a":[{}null]}}"#, "null,".repeat(MOST - 1));
        let items = two(&most).map(|it| it.a.list("no list").map(|it| it.len()));
        assert_eq!(items.expect("an object").ok(), Some(MOST));
    }

    #[test]
    fn depth_is_of_brackets_and_not_of_texts() {
        for (json, expected) in [
            ("[".repeat(DEEPEST), false),
            ("{".repeat(DEEPEST + 1), true),
            ("[]".repeat(DEEPEST + 1), false),
            (format!(r#""{}""#, "[".repeat(DEEPEST + 1)), false),
            (format!(r#""\"{}"#, "[".repeat(DEEPEST + 1)), false),
            (format!(r#""\\"{}"#, "[".repeat(DEEPEST + 1)), true),
        ] {
            assert_eq!(is_too_deep(json.as_bytes()), expected, "{json}");
        }
    }
}
