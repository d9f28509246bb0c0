//! TLS: the certificate, and what happens when its files change or are wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::patience::soon;
use crate::server::{Server, read_response, refuses_to_start};
use crate::waits::SHORT_TIMEOUT_MS;

/// A folder with a certificate and its key.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn make() -> (Self, CertificateDer<'static>) {
        let files = Self(TempDir::new().expect("a folder"));
        let certificate = files.replace();
        (files, certificate)
    }

    fn certificate(&self) -> PathBuf {
        self.0.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// Replaces the certificate and the key.
    fn replace(&self) -> CertificateDer<'static> {
        let made = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let CertifiedKey { cert, signing_key } = made;
        std::fs::write(self.certificate(), cert.pem()).expect("written");
        std::fs::write(self.key(), signing_key.serialize_pem()).expect("written");
        cert.der().clone()
    }

    /// The environment variables that name the files.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        let text = |path: PathBuf| text(&path).to_owned();
        [
            ("SIAMESE_TLS__CERTIFICATE", text(self.certificate())),
            ("SIAMESE_TLS__KEY", text(self.key())),
        ]
    }

    pub(crate) fn serve(&self, variables: &[(&str, &str)]) -> Server {
        let tls = self.variables();
        let tls = tls.each_ref().map(|(key, path)| (*key, path.as_str()));
        Server::with(&[&tls, variables].concat())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Connects as a client that trusts only this certificate.
async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(server.listen);
    let stream = soon("a connection", stream).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    soon("a handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

/// Whether the server shows this certificate.
async fn shows(server: &Server, certificate: &CertificateDer<'static>) -> bool {
    connect(server, certificate, &TLS13, "http/1.1").await.is_ok()
}

/// The next log line about the certificate.
fn reloaded(server: &mut Server) -> Value {
    server.event("item", "certificate")
}

#[tokio::test]
async fn http_1_and_http_2_work_over_tls_1_2_and_1_3() {
    let (files, certificate) = Files::make();
    let server = files.serve(&[]);
    for version in [&TLS12, &TLS13] {
        let mut stream =
            connect(&server, &certificate, version, "http/1.1").await.expect("a handshake");
        let get = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(get).await.expect("sent");
        let mut response = String::new();
        let read = soon("a response", stream.read_to_string(&mut response)).await;
        read.expect("a response, and a clean end");
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");

        let stream = connect(&server, &certificate, version, "h2").await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut requests, connection) =
            http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("HTTP/2");
        tokio::spawn(connection);
        let get = Request::get("https://localhost/livez").body(Full::default());
        let response = requests.send_request(get.expect("a request"));
        let response = soon("a response", response).await.expect("a response");
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_new_certificate_is_used_after_sighup() {
    let (files, first) = Files::make();
    let mut server = files.serve(&[]);
    assert!(shows(&server, &first).await);

    let second = files.replace();
    assert!(!shows(&server, &second).await, "it is read before it is told to");
    server.signal("HUP");
    assert_eq!(reloaded(&mut server)["message"], "reloaded");

    assert!(shows(&server, &second).await);
    assert!(!shows(&server, &first).await);
}

#[tokio::test]
async fn a_bad_certificate_does_not_replace_a_good_one() {
    let (files, certificate) = Files::make();
    let mut server = files.serve(&[]);
    std::fs::write(files.certificate(), "no certificate").expect("written");

    server.signal("HUP");
    let event = reloaded(&mut server);

    assert_eq!(event["level"], "ERROR", "{event}");
    assert!(
        event["cause"].as_str().is_some_and(|text| text.contains("certificate.pem")),
        "{event}"
    );
    assert!(shows(&server, &certificate).await);
}

#[tokio::test]
async fn clients_without_a_handshake_are_dropped_and_delay_no_others() {
    let (files, certificate) = Files::make();
    let server = files.serve(&[("SIAMESE_TLS__HANDSHAKE_TIMEOUT_MS", SHORT_TIMEOUT_MS)]);
    let silent = server.connect();
    assert!(!server.get("/livez").contains("200 OK"), "that was not TLS");
    assert!(shows(&server, &certificate).await);
    assert_eq!(read_response(silent), "");
}

#[track_caller]
fn fails(certificate: &Path, key: &Path, word: &str) {
    let variables =
        [("SIAMESE_TLS__CERTIFICATE", text(certificate)), ("SIAMESE_TLS__KEY", text(key))];
    refuses_to_start(&variables, word);
}

#[test]
fn a_bad_certificate_or_key_is_one_line_and_code_2() {
    let (files, _) = Files::make();
    let (others, _) = Files::make();
    fails(Path::new("nowhere.pem"), &files.key(), "nowhere.pem");
    fails(&files.certificate(), Path::new("nowhere.pem"), "nowhere.pem");
    fails(&files.key(), &files.key(), "contains no certificate");
    fails(&files.certificate(), &files.certificate(), "is not a valid PEM file");
    fails(&files.certificate(), &others.key(), "cannot be used with the key");
}
