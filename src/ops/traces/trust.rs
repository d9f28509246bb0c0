//! The certificate authorities that must vouch for a collector.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use siamese_core::file::{self, Limited};
use thiserror::Error;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// The largest file of certificates. The whole store of a system has a quarter of a megabyte.
const LARGEST_FILE: u64 = 4 << 20;

/// The time limit for reading the file.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The reads of certificate files.
static READS: Limited = Limited::new();

/// A PEM file of certificates. A collector's certificate must be one of them, or be signed by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    /// The variable that names the file.
    pub variable: &'static str,
    /// The file's path.
    pub path: PathBuf,
}

/// Why no authorities are available.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file can't be read.
    #[error("{variable}: {} can't be read", .path.display())]
    Unreadable {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: io::Error,
    },
    /// The file is not PEM.
    #[error("{variable}: {} can't be read as PEM", .path.display())]
    NoPem {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: pem::Error,
    },
    /// The file contains no usable certificate.
    #[error("{variable}: {} contains no certificate of an authority", .path.display())]
    Empty {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// No file is given, and the system has no certificates.
    #[error(
        "the system has no trusted certificates; set OTEL_EXPORTER_OTLP_CERTIFICATE to a file of certificates"
    )]
    Nobody,
    /// TLS can't be configured.
    #[error("TLS can't be configured")]
    Tls(#[from] rustls::Error),
}

/// Creates a TLS connector (1.3, or 1.2 for older collectors) that trusts only these authorities, or else those of the
/// system.
pub(super) fn connector(authorities: Option<&Authorities>) -> Result<TlsConnector, TrustError> {
    let (trusted, none) = match authorities {
        Some(authorities @ Authorities { variable, path }) => {
            (certificates(authorities)?, TrustError::Empty { variable, path: path.clone() })
        }
        None => (of_the_system(), TrustError::Nobody),
    };
    let mut roots = RootCertStore::empty();
    // A store may contain old certificates that the library does not accept; they are ignored.
    let (added, _) = roots.add_parsable_certificates(trusted);
    if added == 0 {
        return Err(none);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn of_the_system() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for err in &found.errors {
        tracing::warn!(%err, "some of the system's certificates can't be read");
    }
    found.certs
}

fn certificates(
    Authorities { variable, path }: &Authorities,
) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let file = path.clone();
    let bytes = READS
        .run(READ_TIMEOUT, move || file::read(&file, LARGEST_FILE))
        .flatten()
        .map_err(|why| TrustError::Unreadable { variable, path: path.clone(), why })?;
    CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|why| TrustError::NoPem { variable, path: path.clone(), why })
}
