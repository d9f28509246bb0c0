//! One sentence of a card that people read.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use serde::Serialize;

/// The largest length of a statement, in characters. The page shows it above the first verdict.
const MAX_CHARACTERS: usize = 400;

/// A sentence about a model: what it is for, or what it cannot do.
///
/// Invariant: it has 1 to 400 characters, none of them a control character, and no space at either end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Statement(String);

impl Statement {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Statement {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty");
        }
        if MAX_CHARACTERS < text.chars().count() {
            return Err("it is longer than 400 characters");
        }
        if text.chars().any(char::is_control) {
            return Err("it is one line of text, without control characters");
        }
        Ok(Self(text.to_owned()))
    }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_at_the_ends_are_cut_off() {
        let statement: Statement = " Tells bolts apart. \n".parse().expect("a statement");
        assert_eq!(statement.as_str(), "Tells bolts apart.");
    }

    #[test]
    fn a_statement_is_one_line_of_limited_length() {
        let longest = "é".repeat(MAX_CHARACTERS);
        assert!(longest.parse::<Statement>().is_ok());
        for text in ["", " \t ", "two\nlines", "\u{1b}[31mred", &(longest + "é")] {
            assert!(text.parse::<Statement>().is_err(), "{text:?}");
        }
    }
}
