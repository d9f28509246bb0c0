//! Deserialises JSON bodies without copies.
//!
//! An object is read into a type whose members are [`Json`] values, which are slices of the body. The code that knows a
//! member's name and type reads it further. So each error names its member, and an item of a list can fail alone.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, MapDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::mistake::malformed;
use crate::http::error::{Fault, Problem};

/// The most items of a list and members of an object: more than any request needs, and little memory.
const MOST: usize = 4096;

/// The deepest nesting of values: the limit of `serde_json`. For values that it skips, `serde_json` has no limit, and
/// one byte per level would be enough to exhaust its stack.
const DEEPEST: usize = 128;

/// A value that is valid JSON, and is not interpreted yet.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Json<'a>(pub(crate) &'a str);

/// Reads a body that is an object.
pub(crate) fn body<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Problem> {
    value(body)?.object()
}

/// Checks that a body is JSON.
pub(crate) fn value(body: &[u8]) -> Result<Json<'_>, Problem> {
    let body = utf_8(body)?;
    if is_too_deep(body) {
        return Err(malformed("the JSON is nested too deeply or has too many members").into());
    }
    // The whole body is checked first, so that invalid JSON is reported as such, whatever else is wrong.
    let json: &RawValue = serde_json::from_slice(body).map_err(|err| {
        if std::str::from_utf8(body).is_err() {
            return malformed("the JSON is not in UTF-8");
        }
        malformed(format!("the JSON is invalid at line {}, column {}", err.line(), err.column()))
    })?;
    Ok(Json(json.get()))
}

/// Removes a byte-order mark, which some clients send although JSON has none. Names another encoding: the first
/// character of JSON is ASCII, so the zeros around it tell the width of a character.
fn utf_8(body: &[u8]) -> Result<&[u8], Fault> {
    let encoding = match body {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] | [_, 0, 0, 0, ..] => {
            "UTF-32"
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => "UTF-16",
        _ => return Ok(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)),
    };
    Err(malformed(format!("the JSON is in {encoding}; send it in UTF-8")))
}

impl<'de> Json<'de> {
    /// Reads an object. An error names an unknown, missing or repeated member.
    pub(crate) fn object<T: Deserialize<'de>>(self) -> Result<T, Problem> {
        let Members(members) = self.read('{', "the JSON is not an object")?;
        let members = members.into_iter();
        let members = members.map(|(name, json)| (name, BorrowedStrDeserializer::new(json.get())));
        T::deserialize(MapDeserializer::new(members))
    }

    /// Reads a list. `mismatch` is the error message for any other type.
    pub(crate) fn list(self, mismatch: &str) -> Result<Vec<Self>, Fault> {
        let Members(items) = self.read('[', mismatch)?;
        Ok(items.into_iter().map(|(_, json)| Self(json.get())).collect())
    }

    /// Reads a string. `mismatch` is the error message for any other type.
    pub(crate) fn text(self, mismatch: &str) -> Result<Cow<'de, str>, Fault> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

        let Text(text) = self.read('"', mismatch)?;
        Ok(text)
    }

    /// Reads a number, a truth value, or a list of these. `mismatch` is the error message for any other value.
    pub(crate) fn plain<T: Deserialize<'de>>(self, mismatch: &str) -> Result<T, Fault> {
        // An error of serde_json would repeat a whole text.
        if self.0.contains('"') {
            return Err(malformed(mismatch));
        }
        serde_json::from_str(self.0).map_err(|_| malformed(mismatch))
    }

    /// Checks the first character before it reads the value: an error of `serde_json` would repeat the whole value.
    fn read<T: Deserialize<'de>>(self, begins: char, mismatch: &str) -> Result<T, Fault> {
        if !self.0.starts_with(begins) {
            return Err(malformed(mismatch));
        }
        serde_json::from_str(self.0).map_err(|err| unread(&err))
    }
}

/// Reads an optional member. A member with the value `null` counts as present.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Reads an optional member. A member with the value `null` counts as absent.
pub(crate) fn unless_null<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<Json<'de>>, D::Error> {
    Json::deserialize(value).map(|json| Some(json).filter(|json| json.0 != "null"))
}

/// The error for valid JSON that cannot be read. Only [`Members`] rejects data.
pub(crate) fn unread(err: &serde_json::Error) -> Fault {
    malformed(if err.is_data() {
        "the JSON is nested too deeply or has too many members"
    } else {
        "the JSON contains an invalid Unicode escape or a number out of range"
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
            b'"' => rest = after_text(rest),
            _ => {}
        }
        if DEEPEST < depth {
            return true;
        }
    }
    false
}

/// The rest after a string whose opening quote is already consumed.
fn after_text(mut text: &[u8]) -> &[u8] {
    while let Some(quote) = memchr::memchr2(b'"', b'\\', text) {
        let escaped = usize::from(text[quote] == b'\\');
        text = text.get(quote + 1 + escaped..).unwrap_or_default();
        if escaped == 0 {
            return text;
        }
    }
    &[]
}

/// The items of a list or the members of an object, up to the limit. Items of a list have empty names.
struct Members<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(Count)
    }
}

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Members<'de>, A::Error> {
        counted(|| Ok(list.next_element()?.map(|item| (String::new(), item))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members<'de>, A::Error> {
        counted(|| object.next_entry())
    }
}

fn counted<'de, E: Error>(
    mut next: impl FnMut() -> Result<Option<(String, &'de RawValue)>, E>,
) -> Result<Members<'de>, E> {
    let mut members = Vec::new();
    while let Some(entry) = next()? {
        if members.len() == MOST {
            return Err(E::custom("too many members"));
        }
        members.push(entry);
    }
    Ok(Members(members))
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
        assert_eq!((two.a.0, two.b.map(|json| json.0)), (r#"[1, "]"]"#, Some("null")));
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
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(two("\u{feff}{\"a\":1}").expect("an object").a.0, "1");
        assert_eq!(two("{\u{feff}}").expect_err("a mark").fault.code(), "body_malformed");
    }

    #[test]
    fn another_encoding_is_refused_by_name() {
        let json = r#"{"a":1}"#;
        let wide = |mark: &[u8], unit: fn(u8) -> Vec<u8>| {
            [mark, &json.bytes().flat_map(unit).collect::<Vec<_>>()].concat()
        };
        for (bytes, name) in [
            (wide(b"", |byte| vec![byte, 0]), "UTF-16"),
            (wide(b"", |byte| vec![0, byte]), "UTF-16"),
            (wide(b"\xff\xfe", |byte| vec![byte, 0]), "UTF-16"),
            (wide(b"\xfe\xff", |byte| vec![0, byte]), "UTF-16"),
            (wide(b"", |byte| vec![byte, 0, 0, 0]), "UTF-32"),
            (wide(b"\0\0\xfe\xff", |byte| vec![0, 0, 0, byte]), "UTF-32"),
            (b"{\"\xe4\":1}".to_vec(), "not in UTF-8"),
        ] {
            let problem = body::<Two>(&bytes).expect_err(name);
            assert_eq!(problem.fault.code(), "body_malformed");
            assert!(problem.to_string().contains(name), "{problem}");
        }
    }

    #[test]
    fn deep_and_wide_json_is_refused_cheaply() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(DEEPEST), "]".repeat(DEEPEST));
        let wide = format!(r#"{{"a":[{}null]}}"#, "null,".repeat(MOST));
        let refused =
            [two(&deep).map(drop), two(&wide).and_then(|two| Ok(two.a.list("no list").map(drop)?))];
        for refused in refused {
            let problem = refused.expect_err("too much");
            assert_eq!(problem.fault.code(), "body_malformed");
            assert!(problem.to_string().contains("too deeply or has too many"), "{problem}");
        }
        let most = format!(r#"{{"a":[{}null]}}"#, "null,".repeat(MOST - 1));
        let items = two(&most).map(|two| two.a.list("no list").map(|items| items.len()));
        assert_eq!(items.expect("an object").ok(), Some(MOST));
    }

    #[test]
    fn only_brackets_outside_strings_count_as_depth() {
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
