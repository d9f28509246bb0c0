//! What is wrong with the parts of a body, as serde's types tell it: by name, and never by what a stranger wrote.

use std::fmt::Display;

use serde::de::{Error, Expected, Unexpected};

use crate::http::error::{Fault, Problem};

/// A stranger's name, cut to what an answer may repeat.
pub(crate) fn shown(name: &str) -> String {
    const MOST: usize = 40;
    name.chars().filter(|it| !it.is_control()).take(MOST).collect()
}

pub(crate) fn malformed(detail: impl Into<String>) -> Fault {
    Fault::BodyMalformed(detail.into())
}

impl Error for Problem {
    fn custom<T: Display>(message: T) -> Self {
        malformed(message.to_string()).into()
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        malformed(format!("{expected} is expected here")).into()
    }

    fn unknown_field(name: &str, _: &'static [&'static str]) -> Self {
        Fault::PartUnexpected.of(shown(name))
    }

    fn missing_field(name: &'static str) -> Self {
        Fault::PartMissing.of(name)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Fault::PartRepeated.of(name)
    }
}
