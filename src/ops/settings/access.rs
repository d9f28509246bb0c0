//! `[auth]`, `[cors]`, `[tls]`: access control and encryption.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::HeaderValue;
use serde::Deserialize;

use crate::ops::keys::{Fixed, Keys, KeysError};

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The keys. Each request must have one of them.
    pub keys: Option<Fixed>,
    /// A file with more keys.
    pub keys_file: Option<PathBuf>,
}

/// `[cors]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// The permitted origins; none by default.
    pub origins: Vec<Origin>,
}

/// An origin as a browser sends it, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin(HeaderValue);

/// `[tls]`
///
/// Invariant, checked by [`Settings::load`](super::Settings::load): the certificate and the key are both set, or
/// neither is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate with its chain, as PEM.
    pub certificate: Option<PathBuf>,
    /// The private key, as PEM.
    pub key: Option<PathBuf>,
    /// The time limit of a TLS handshake, in milliseconds.
    pub handshake_timeout_ms: NonZeroU64,
}

impl Auth {
    /// Loads the keys, including those of the file.
    pub fn load(&self) -> Result<Keys, KeysError> {
        Keys::load(self.keys.as_ref(), self.keys_file.as_deref())
    }
}

impl TlsSettings {
    /// The files of the certificate and the key; `None` without TLS.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        Some((self.certificate.as_deref()?, self.key.as_deref()?))
    }

    /// The time limit of a TLS handshake.
    pub fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms.get())
    }
}

impl Origin {
    /// The value of the header `Origin`, or `*`.
    pub fn value(&self) -> &HeaderValue {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "an origin must be https://host, https://host:port, or * for all";
        let site = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        // Browsers send origins in lower case; any other would never match.
        let host = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte)
        };
        let sane = site.is_some_and(|site| !site.is_empty() && site.bytes().all(host));
        if !sane && text != "*" {
            return Err(WRONG);
        }
        text.try_into().map(Self).map_err(|_| WRONG)
    }
}
