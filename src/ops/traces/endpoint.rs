//! The address of a collector.

use axum::http::Uri;
use serde::Deserialize;
use thiserror::Error;
use tokio_rustls::rustls::pki_types::ServerName;

/// The address of a collector's traces. Settings state its base, such as `http://127.0.0.1:4318`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint {
    /// The name that its certificate must state; `None` without TLS.
    pub(super) encrypted: Option<ServerName<'static>>,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

/// Why a text is not a valid [`Endpoint`]. The message does not contain the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidEndpoint {
    /// It is not an address.
    #[error("endpoint must be an address such as http://127.0.0.1:4318")]
    NoAddress,
    /// Its protocol is not HTTP.
    #[error("endpoint must begin with http:// or https://")]
    NotHttp,
}

impl Endpoint {
    /// Parses the complete address of the traces, with its path.
    pub fn exact(text: &str) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = text.parse().map_err(|_| InvalidEndpoint::NoAddress)?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let (Some(scheme), Some(authority), None) = (uri.scheme_str(), authority, uri.query())
        else {
            return Err(InvalidEndpoint::NoAddress);
        };
        let host = authority.host();
        let (encrypted, port) = match scheme {
            "http" => (None, 80),
            "https" => {
                let name = ServerName::try_from(bare(host).to_owned());
                (Some(name.map_err(|_| InvalidEndpoint::NoAddress)?), 443)
            }
            _ => return Err(InvalidEndpoint::NotHttp),
        };
        Ok(Self {
            encrypted,
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(port),
            path: uri.path().to_owned(),
        })
    }

    /// The host and port to connect to.
    pub(super) fn address(&self) -> (&str, u16) {
        (bare(&self.host), self.port)
    }
}

/// Removes the brackets that addresses have only in a URI.
fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

/// Parses a base address, and appends the path of traces.
impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(text: String) -> Result<Self, InvalidEndpoint> {
        let mut endpoint = Self::exact(&text)?;
        endpoint.path = format!("{}/v1/traces", endpoint.path.trim_end_matches('/'));
        Ok(endpoint)
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { encrypted, host, port, path } = self;
        let scheme = if encrypted.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{host}:{port}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, InvalidEndpoint>) {
        let endpoint = Endpoint::try_from(text.to_owned()).map(|endpoint| endpoint.to_string());
        assert_eq!(endpoint.as_deref(), expected.as_ref().map(|text| *text));
    }

    #[test]
    fn traces_have_a_path_below_the_base() {
        check("http://127.0.0.1:4318", Ok("http://127.0.0.1:4318/v1/traces"));
        check("http://collector/base/", Ok("http://collector:80/base/v1/traces"));
        check("http://[::1]:4318/", Ok("http://[::1]:4318/v1/traces"));
        check("https://collector", Ok("https://collector:443/v1/traces"));
        check("https://[::1]:4318", Ok("https://[::1]:4318/v1/traces"));
    }

    #[test]
    fn an_exact_address_is_unchanged() {
        let exact = |text| Endpoint::exact(text).map(|endpoint| endpoint.to_string());
        assert_eq!(exact("http://collector:4318").as_deref(), Ok("http://collector:4318/"));
        assert_eq!(
            exact("https://collector/its/own").as_deref(),
            Ok("https://collector:443/its/own")
        );
    }

    #[test]
    fn other_addresses_are_refused() {
        use InvalidEndpoint::{NoAddress, NotHttp};
        check("grpc://collector:4317", Err(NotHttp));
        for text in [
            "",
            "collector:4318",
            "/v1",
            "http://",
            "http://me:secret@collector",
            "http://a?b",
            "https://-",
        ] {
            check(text, Err(NoAddress));
        }
    }
}
