//! TLS: the certificate that is shown, and how another takes its place while the server runs.

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

/// The largest file of a certificate and its chain, or of a key.
const LARGEST_FILE: u64 = 4 << 20;

/// How long each file may take to be read.
const LIMIT: Duration = Duration::from_secs(10);

/// The reads of certificates and keys.
static READS: Limited = Limited::new();

/// The certificate and key in use, and where they are read from.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    handshake_timeout: Duration,
    /// A certificate can be replaced while clients hold every other descriptor.
    reserve: Arc<Reserve>,
    /// Locked for a copy, once a connection.
    acceptor: RwLock<TlsAcceptor>,
}

/// Why a certificate and its key can't be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// Not a file that can be read.
    #[error("{} can't be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// Not PEM.
    #[error("{} can't be read as PEM", .0.display())]
    NoPem(PathBuf, #[source] pem::Error),
    /// A file of other things.
    #[error("{} holds no certificate", .0.display())]
    NoCertificate(PathBuf),
    /// The key is another certificate's, or one of the two is damaged or of an unknown kind.
    #[error("the certificate in {} can't be shown with the key in {}", .certificate.display(), .key.display())]
    Refused {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What TLS has against them.
        #[source]
        why: rustls::Error,
    },
}

impl Tls {
    /// Reads the files that the settings name; `None` where they name none.
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

    /// Reads the files again, for new connections; where that fails, all stays as it was.
    ///
    /// May take some seconds: for a thread that may wait.
    pub fn reload(&self) -> Result<(), TlsError> {
        let acceptor = acceptor(&self.certificate, &self.key, &self.reserve)?;
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }

    /// Shakes hands with a client, who has some time for it.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let acceptor = self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone();
        match tokio::time::timeout(self.handshake_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(err)) => {
                tracing::debug!(%err, "a client did not come to speak TLS");
                None
            }
            Err(_) => {
                tracing::debug!("a client took too long to shake hands");
                None
            }
        }
    }
}

/// TLS 1.3, and 1.2 for older clients, with a certificate and its key.
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
        .and_then(|it| it.with_no_client_auth().with_single_cert(chain, private))
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
        .run(LIMIT, move || reserve.read(&file, LARGEST_FILE))
        .flatten()
        .map_err(|err| TlsError::Unreadable(path.to_owned(), err))
}
