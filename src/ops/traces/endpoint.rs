//! Where a collector listens.

use axum::http::Uri;
use serde::Deserialize;
use thiserror::Error;

/// A collector's base address, as `http://127.0.0.1:4318`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    /// Of traces, below the base.
    pub(super) path: String,
}

/// Why a text is no [`Endpoint`]. It may hold a password, so it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidEndpoint {
    /// It is no address.
    #[error("endpoint is an address such as http://127.0.0.1:4318")]
    NoAddress,
    /// It asks for TLS, or another protocol.
    #[error(
        "endpoint begins with http://: spans go to a collector close by, which may send them on by TLS"
    )]
    NotHttp,
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(text: String) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = text.parse().map_err(|_| InvalidEndpoint::NoAddress)?;
        let authority = uri.authority().filter(|it| !it.as_str().contains('@'));
        let (Some(scheme), Some(authority), None) = (uri.scheme_str(), authority, uri.query())
        else {
            return Err(InvalidEndpoint::NoAddress);
        };
        if scheme != "http" {
            return Err(InvalidEndpoint::NotHttp);
        }
        Ok(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
            path: format!("{}/v1/traces", uri.path().trim_end_matches('/')),
        })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, InvalidEndpoint>) {
        let endpoint = Endpoint::try_from(text.to_owned()).map(|it| it.to_string());
        assert_eq!(endpoint.as_deref(), expected.as_ref().map(|it| *it));
    }

    #[test]
    fn traces_have_a_path_below_the_base() {
        check("http://127.0.0.1:4318", Ok("http://127.0.0.1:4318/v1/traces"));
        check("http://collector/base/", Ok("http://collector:80/base/v1/traces"));
        check("http://[::1]:4318/", Ok("http://[::1]:4318/v1/traces"));
    }

    #[test]
    fn other_addresses_are_none() {
        use InvalidEndpoint::{NoAddress, NotHttp};
        check("https://collector:4318", Err(NotHttp));
        check("grpc://collector:4317", Err(NotHttp));
        for text in
            ["", "collector:4318", "/v1", "http://", "http://me:secret@collector", "http://a?b"]
        {
            check(text, Err(NoAddress));
        }
    }
}
