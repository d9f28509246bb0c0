//! Headers that a collector asks for, such as a key.

use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::list::{InvalidList, items};

/// What the exporter says itself, or what would break the connection.
const TAKEN: [HeaderName; 5] = [
    header::HOST,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
];

/// Headers of each post. Their values are secret: printed, they are left out.
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
        for item in items(text) {
            let item = item?;
            let name = HeaderName::from_bytes(item.key.as_bytes())
                .map_err(|_| InvalidList::Key(item.number))?;
            if TAKEN.contains(&name) {
                return Err(InvalidList::Taken(item.number));
            }
            let mut value = HeaderValue::from_bytes(&item.value)
                .map_err(|_| InvalidList::Value(item.number))?;
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
        let said = format!("{headers:?}");
        assert!(said.contains("authorization") && !said.contains("c2Vj"), "{said}");
    }

    #[test]
    fn what_is_no_header_is_told_by_its_number_alone() {
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
