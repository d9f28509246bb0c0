//! What a line of a key file says, or an entry of the list of keys: `KEY`, or `NAME:KEY` with rate limits.

use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::caller::Limits;

/// The fewest characters of a key: shorter ones can be guessed.
const SHORTEST: usize = 16;

/// The most characters of a name.
const LONGEST_NAME: usize = 64;

/// The range of a rate, in events per second.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=1e6;

/// The largest burst.
const LARGEST_BURST: u32 = 1_000_000;

/// The SHA-256 of a key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// A key, with its name and limits if it has a name.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// Empty if it has none.
    pub(super) name: String,
    pub(super) limits: Limits,
}

/// Why a text is not a valid entry. The message does not contain the text, which may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidKey {
    /// The key is too short.
    #[error("a key must have at least {SHORTEST} characters")]
    TooShort,
    /// The key has a character that is invalid in a header (RFC 6750, 2.1).
    #[error("a key may contain only letters, digits and -._~+/=")]
    OddCharacter,
    /// The name is empty, too long, or has another character.
    #[error("a name before `:` must have 1 to {LONGEST_NAME} of the characters a-z, 0-9, _ and -")]
    Name,
    /// What follows the key is no limit.
    #[error(
        "after NAME:KEY, only requests_per_second=N, burst=N and images_per_second=N may follow, each once"
    )]
    Limit,
    /// A rate is not in its range.
    #[error("a rate must be a number from {} to {}", RATES.start(), RATES.end())]
    Rate,
    /// A burst is not in its range, or has no rate.
    #[error("a burst must be a whole number from 1 to {LARGEST_BURST}, beside requests_per_second")]
    Burst,
}

impl Key {
    /// Hashes a text that is valid as a key.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        if text.len() < SHORTEST {
            return Err(InvalidKey::TooShort);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)) {
            return Err(InvalidKey::OddCharacter);
        }
        Ok(Self::of(text.as_bytes()))
    }

    /// Hashes what a client sends.
    pub(super) fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }
}

/// Prints nothing of the key, because settings may be printed.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Entry {
    /// Parses `KEY`, or `NAME:KEY` with limits such as `requests_per_second=50`, separated by blanks.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidKey> {
        // No key has a colon.
        let Some((name, rest)) = text.split_once(':') else {
            let (name, limits) = (String::new(), Limits::default());
            return Ok(Self { key: Key::new(text)?, name, limits });
        };
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(is_plain) {
            return Err(InvalidKey::Name);
        }
        let mut words = rest.split_ascii_whitespace();
        let key = Key::new(words.next().unwrap_or_default())?;
        Ok(Self { key, name: name.to_owned(), limits: Limits::parse(words)? })
    }
}

impl Limits {
    fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, InvalidKey> {
        let mut limits = Self::default();
        for word in words {
            let (limit, value) = word.split_once('=').ok_or(InvalidKey::Limit)?;
            let is_repeated = match limit {
                "requests_per_second" => limits.requests_per_second.replace(rate(value)?).is_some(),
                "images_per_second" => limits.images_per_second.replace(rate(value)?).is_some(),
                "burst" => limits.burst.replace(burst(value)?).is_some(),
                _ => true,
            };
            if is_repeated {
                return Err(InvalidKey::Limit);
            }
        }
        if limits.burst.is_some() && limits.requests_per_second.is_none() {
            return Err(InvalidKey::Burst);
        }
        Ok(limits)
    }
}

fn rate(text: &str) -> Result<f64, InvalidKey> {
    text.parse().ok().filter(|rate| RATES.contains(rate)).ok_or(InvalidKey::Rate)
}

fn burst(text: &str) -> Result<u32, InvalidKey> {
    let burst = text.parse().ok().filter(|burst| (1..=LARGEST_BURST).contains(burst));
    burst.ok_or(InvalidKey::Burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "first-key-0123456789";

    #[test]
    fn a_key_may_have_a_name_and_limits() {
        let Entry { key, name, limits } = Entry::parse(KEY).expect("a key");
        assert_eq!((key, name.as_str(), limits), (Key::of(KEY.as_bytes()), "", Limits::default()));

        let text =
            format!("team_a-1:{KEY}  requests_per_second=0.5\tburst=7 images_per_second=200");
        let Entry { key, name, limits } = Entry::parse(&text).expect("a key");
        assert_eq!((key, name.as_str()), (Key::of(KEY.as_bytes()), "team_a-1"));
        let expected = Limits {
            requests_per_second: Some(0.5),
            burst: Some(7),
            images_per_second: Some(200.0),
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn an_invalid_entry_is_refused() {
        let long = "a".repeat(LONGEST_NAME);
        assert!(Entry::parse(&format!("{long}:{KEY}")).is_ok());
        for (text, why) in [
            (format!("{long}a:{KEY}"), InvalidKey::Name),
            (format!(":{KEY}"), InvalidKey::Name),
            (format!("Team:{KEY}"), InvalidKey::Name),
            (format!("team a:{KEY}"), InvalidKey::Name),
            ("team:".to_owned(), InvalidKey::TooShort),
            ("team:short".to_owned(), InvalidKey::TooShort),
            (format!("team:{KEY}:x"), InvalidKey::OddCharacter),
            (format!("{KEY} burst=7"), InvalidKey::OddCharacter),
            (format!("team:{KEY} fast"), InvalidKey::Limit),
            (format!("team:{KEY} rate=1"), InvalidKey::Limit),
            (format!("team:{KEY} images_per_second=1 images_per_second=1"), InvalidKey::Limit),
            (format!("team:{KEY} requests_per_second=0"), InvalidKey::Rate),
            (format!("team:{KEY} requests_per_second=NaN"), InvalidKey::Rate),
            (format!("team:{KEY} requests_per_second=inf"), InvalidKey::Rate),
            (format!("team:{KEY} requests_per_second=1 burst=0"), InvalidKey::Burst),
            (format!("team:{KEY} burst=7"), InvalidKey::Burst),
        ] {
            assert_eq!(Entry::parse(&text).err(), Some(why), "{text}");
        }
    }
}
