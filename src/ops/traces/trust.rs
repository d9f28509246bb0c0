//! Whose word is taken for who a collector is.

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

/// The largest file of authorities: a system's whole store has a quarter of a megabyte.
const LARGEST_FILE: u64 = 4 << 20;

/// How long the file may take to be read.
const LIMIT: Duration = Duration::from_secs(10);

/// The reads of files of authorities.
static READS: Limited = Limited::new();

/// A file of certificates, as PEM, one of which a collector's must be or be signed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    /// The variable that names it.
    pub variable: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

/// Why nobody's word can be taken.
#[derive(Debug, Error)]
pub enum TrustError {
    /// Not a file that can be read.
    #[error("{variable}: {} can't be read", .path.display())]
    Unreadable {
        /// What names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: io::Error,
    },
    /// Not PEM.
    #[error("{variable}: {} can't be read as PEM", .path.display())]
    NoPem {
        /// What names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: pem::Error,
    },
    /// A file of other things.
    #[error("{variable}: {} holds no certificate of an authority", .path.display())]
    Empty {
        /// What names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// None is told, and the system has none.
    #[error(
        "the system trusts nobody to tell who a collector is; name a file of certificates by OTEL_EXPORTER_OTLP_CERTIFICATE"
    )]
    Nobody,
    /// TLS has something against it.
    #[error("TLS can't be spoken")]
    Tls(#[from] rustls::Error),
}

/// What speaks TLS 1.3, or 1.2 with older collectors, and trusts these authorities only; the system's where none are told.
pub(super) fn connector(authorities: Option<&Authorities>) -> Result<TlsConnector, TrustError> {
    let (trusted, none) = match authorities {
        Some(it @ Authorities { variable, path }) => {
            (certificates(it)?, TrustError::Empty { variable, path: path.clone() })
        }
        None => (of_the_system(), TrustError::Nobody),
    };
    let mut roots = RootCertStore::empty();
    // A store may have old ones that TLS does not read: the others count.
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
        .run(LIMIT, move || file::read(&file, LARGEST_FILE))
        .flatten()
        .map_err(|why| TrustError::Unreadable { variable, path: path.clone(), why })?;
    CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|why| TrustError::NoPem { variable, path: path.clone(), why })
}
