//! `[auth]`, `[cors]`, `[tls]`: who may ask, and over what.

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
    /// Keys, of which each request must bear one.
    pub keys: Option<Fixed>,
    /// A file of more keys.
    pub keys_file: Option<PathBuf>,
}

/// `[cors]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// The sites; none by default.
    pub origins: Vec<Origin>,
}

/// A site as a browser names it, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin(HeaderValue);

/// `[tls]`
///
/// Invariant, held by [`Settings::load`](super::Settings::load): there is a key where there is a certificate, and none where there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate with the chain it was signed by, as PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, as PEM.
    pub key: Option<PathBuf>,
    /// How long a client may take to shake hands, in milliseconds.
    pub handshake_timeout_ms: NonZeroU64,
}

impl Auth {
    /// The keys, those of the file too.
    pub fn load(&self) -> Result<Keys, KeysError> {
        Keys::load(self.keys.as_ref(), self.keys_file.as_deref())
    }
}

impl TlsSettings {
    /// The certificate's file and its key's; `None` where there is no TLS.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        Some((self.certificate.as_deref()?, self.key.as_deref()?))
    }

    /// How long a client may take to shake hands.
    pub fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms.get())
    }
}

impl Origin {
    /// What stands in the header `Origin`, or `*`.
    pub fn value(&self) -> &HeaderValue {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "an origin is https://host, https://host:port, or * for all";
        let site = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        // Browsers send it in lower case; another would never be met.
        let host =
            |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-._:[]".contains(&it);
        let sane = site.is_some_and(|it| !it.is_empty() && it.bytes().all(host));
        if !sane && text != "*" {
            return Err(WRONG);
        }
        text.try_into().map(Self).map_err(|_| WRONG)
    }
}
