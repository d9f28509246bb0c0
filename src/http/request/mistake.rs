//! Converts serde's errors to problems: they name the part, and never repeat the client's values.

use std::fmt::Display;

use serde::de::{Error, Expected, Unexpected};

use crate::http::error::{Fault, Problem};

/// A name from the client, shortened to what a response may repeat.
pub(crate) fn shown(name: &str) -> String {
    const MOST: usize = 40;
    name.chars().filter(|character| !character.is_control()).take(MOST).collect()
}

pub(crate) fn malformed(detail: impl Into<String>) -> Fault {
    Fault::BodyMalformed(detail.into())
}

impl Error for Problem {
    fn custom<T: Display>(message: T) -> Self {
        malformed(message.to_string()).into()
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        malformed(format!("the value must be {expected}")).into()
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
