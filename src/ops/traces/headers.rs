//! Headers that a collector requires, such as a key.

use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::list::{InvalidList, entries};

/// Headers that the client sets itself, or that would break the connection.
const RESERVED: [HeaderName; 5] = [
    header::HOST,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
];

/// Headers of each request. Their values are secret and are never printed.
#[derive(Clone, Debug, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    pub(super) fn get(&self) -> &HeaderMap {
        &self.0
    }
}

/// Reads `OTEL_EXPORTER_OTLP_HEADERS`.
impl FromStr for Headers {
    type Err = InvalidList;

    fn from_str(text: &str) -> Result<Self, InvalidList> {
        let mut headers = HeaderMap::new();
        for entry in entries(text) {
            let entry = entry?;
            let name = HeaderName::from_bytes(entry.key.as_bytes())
                .map_err(|_| InvalidList::Key(entry.number))?;
            if RESERVED.contains(&name) {
                return Err(InvalidList::Taken(entry.number));
            }
            let mut value = HeaderValue::from_bytes(&entry.value)
                .map_err(|_| InvalidList::Value(entry.number))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self(headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_decoded_and_never_printed() {
        let text = "Authorization=Basic%20c2VjcmV0Og==, x-scope-orgid = us ,";
        let headers: Headers = text.parse().expect("headers");
        assert_eq!(headers.get()["authorization"], "Basic c2VjcmV0Og==");
        assert_eq!(headers.get()["x-scope-orgid"], "us");
        assert_eq!(headers.get().len(), 2);
        let message = format!("{headers:?}");
        assert!(message.contains("authorization") && !message.contains("c2Vj"), "{message}");
    }

    #[test]
    fn an_invalid_header_is_named_by_its_number_only() {
        for (text, expected) in [
            ("a=b,secret", InvalidList::NoPair(2)),
            ("sec ret=b", InvalidList::Key(1)),
            ("=secret", InvalidList::Key(1)),
            ("a=b,,c=se%0Dcret", InvalidList::Value(3)),
            ("Host=secret", InvalidList::Taken(1)),
        ] {
            let why = text.parse::<Headers>().expect_err("no headers");
            assert_eq!(why, expected, "{text}");
            assert!(!why.to_string().contains("secret"), "{why}");
        }
    }
}
