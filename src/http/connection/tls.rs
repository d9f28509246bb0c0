//! TLS: the certificate, and how it is reloaded while the server runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use siamese_core::file::{Limited, Reserve};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::ops::settings::TlsSettings;

/// The largest certificate file or key file, in bytes.
const LARGEST_FILE: u64 = 4 << 20;

/// How long reading one file may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The reads of certificates and keys that are in progress.
static READS: Limited = Limited::new();

/// The certificate and key in use, and their files.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    handshake_timeout: Duration,
    /// A spare descriptor, so that a reload works even if clients use up all others.
    reserve: Arc<Reserve>,
    /// Locked only to copy it, once per connection.
    acceptor: RwLock<TlsAcceptor>,
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// The file is not PEM.
    #[error("{} is not a valid PEM file", .0.display())]
    NoPem(PathBuf, #[source] pem::Error),
    /// The PEM file contains no certificate.
    #[error("{} contains no certificate", .0.display())]
    NoCertificate(PathBuf),
    /// The key does not match the certificate, or one of them is damaged or of an unknown kind.
    #[error("the certificate in {} cannot be used with the key in {}", .certificate.display(), .key.display())]
    Refused {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The reason of the TLS library.
        #[source]
        why: rustls::Error,
    },
}

impl Tls {
    /// Reads the files that the settings name; returns `None` if they name none.
    pub fn load(settings: &TlsSettings) -> Result<Option<Self>, TlsError> {
        let Some((certificate, key)) = settings.files() else { return Ok(None) };
        let reserve = Arc::new(Reserve::new());
        Ok(Some(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            handshake_timeout: settings.handshake_timeout(),
            acceptor: RwLock::new(acceptor(certificate, key, &reserve)?),
            reserve,
        }))
    }

    /// Reads the files again, for new connections. If that fails, the old certificate remains in use.
    ///
    /// This can block for some seconds; call it on a thread that may block.
    pub fn reload(&self) -> Result<(), TlsError> {
        let acceptor = acceptor(&self.certificate, &self.key, &self.reserve)?;
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }

    /// Performs the TLS handshake with a client, within the handshake timeout.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let acceptor = self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone();
        match tokio::time::timeout(self.handshake_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(err)) => {
                tracing::debug!(%err, "TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("TLS handshake timed out");
                None
            }
        }
    }
}

/// Accepts TLS 1.3 and TLS 1.2, with this certificate and its key.
fn acceptor(
    certificate: &Path,
    key: &Path,
    reserve: &Arc<Reserve>,
) -> Result<TlsAcceptor, TlsError> {
    let [chain, private] = [certificate, key].map(|path| read(path, reserve));
    let (chain, private) = (chain?, private?);
    let no_pem = |path: &Path| {
        let path = path.to_owned();
        move |err| TlsError::NoPem(path, err)
    };
    let chain = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(no_pem(certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let private = PrivateKeyDer::from_pem_slice(&private).map_err(no_pem(key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|why| TlsError::Refused {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            why,
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(path: &Path, reserve: &Arc<Reserve>) -> Result<Vec<u8>, TlsError> {
    let (file, reserve) = (path.to_owned(), reserve.clone());
    READS
        .run(READ_TIMEOUT, move || reserve.read(&file, LARGEST_FILE))
        .flatten()
        .map_err(|err| TlsError::Unreadable(path.to_owned(), err))
}
