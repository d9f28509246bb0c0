//! The OTLP variables that platforms set: the collector's address, certificates, headers and resource attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::server::{Server, refuses_to_start};
use crate::traces::{Collector, compare};
use crate::waits::TEST_TIMEOUT;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";

impl Collector {
    /// A collector with its own certificate, and the file that makes clients trust it.
    fn with_certificate(folder: &TempDir) -> (Self, String) {
        let made = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let CertifiedKey { cert, signing_key } = made;
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key)
            })
            .expect("TLS");
        (Self::encrypted(tls), file(folder, "authorities.pem", &cert.pem()))
    }

    /// The head of the next export request, and its resource attributes.
    fn post(&self) -> (String, BTreeMap<String, String>) {
        let (head, resource) = self.posts.recv_timeout(TEST_TIMEOUT).expect("a post");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let attributes = resource["attributes"].as_array().expect("attributes").iter();
        let attributes = attributes
            .map(|item| (text(&item["key"]), text(&item["value"]["stringValue"])))
            .collect();
        (head, attributes)
    }
}

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("a plain path").to_owned()
}

#[test]
fn resource_attributes_identify_the_deployment() {
    let collector = Collector::start();
    let endpoint = (ENDPOINT, &*collector.endpoint());
    let trial = Server::with(&[
        endpoint,
        ("OTEL_SERVICE_NAME", "faces"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,deployment.environment.name=trial%20run"),
    ]);
    let plain = [(); 2].map(|()| Server::with(&[endpoint]));

    compare(&trial, "");
    let (_, of_trial) = collector.post();
    let of_plain = plain.each_ref().map(|server| {
        compare(server, "");
        collector.post().1
    });

    assert_eq!(of_trial["service.name"], "faces");
    assert_eq!(of_trial["deployment.environment.name"], "trial run");
    assert_eq!(of_trial["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(of_plain[0]["service.name"], "siamese");
    assert_ne!(of_plain[0]["service.instance.id"], of_plain[1]["service.instance.id"]);
    let instance = &of_trial["service.instance.id"];
    assert!(trial.before.iter().any(|line| line.contains(instance)), "the log names the instance");
}

#[test]
fn a_collector_over_tls_gets_its_headers_and_the_log_does_not() {
    const SECRET: &str = "dXM6c2VjcmV0LW9mLW91cnM=";
    let folder = TempDir::new().expect("a folder");
    let (collector, authorities) = Collector::with_certificate(&folder);
    // The certificate is given by its own variable, or in place of the system's certificates.
    for variable in [CERTIFICATE, "SSL_CERT_FILE"] {
        let server = Server::with(&[
            (ENDPOINT, &collector.endpoint()),
            (variable, &authorities),
            ("OTEL_EXPORTER_OTLP_HEADERS", &format!("authorization=Basic%20{SECRET},x-team=faces")),
            ("RUST_LOG", "trace"),
        ]);
        compare(&server, "");

        let (head, _) = collector.post();
        assert!(head.contains(&format!("authorization: Basic {SECRET}\r\n")), "{head}");
        assert!(head.contains("x-team: faces\r\n"), "{head}");
        let log = server.before.concat() + &server.end();
        assert!(log.contains("tracing is on") && !log.contains(SECRET), "{log}");
    }
}

#[test]
fn a_collector_with_an_untrusted_certificate_gets_nothing() {
    let folder = TempDir::new().expect("a folder");
    let (_other, authorities) = Collector::with_certificate(&folder);
    let (collector, _) = Collector::with_certificate(&TempDir::new().expect("a folder"));
    let server = Server::with(&[(ENDPOINT, &collector.endpoint()), (CERTIFICATE, &authorities)]);
    compare(&server, "");

    let log = server.end();
    assert!(log.contains("the collector does not accept traces"), "{log}");
    assert!(log.contains("the TLS handshake failed: invalid peer certificate"), "{log}");
    assert!(collector.posts.try_recv().is_err());
}

#[test]
fn an_invalid_variable_stops_the_start_and_is_named() {
    let folder = TempDir::new().expect("a folder");
    let nothing = file(&folder, "nothing.pem", "no certificate");
    let broken = file(&folder, "broken.pem", "-----BEGIN CERTIFICATE-----\n!\n");
    let missing = folder.path().join("missing.pem");
    let missing = missing.to_str().expect("a plain path");
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://collector:4317"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "host=x"),
        ("OTEL_RESOURCE_ATTRIBUTES", "no pair"),
        (CERTIFICATE, &nothing),
        (CERTIFICATE, &broken),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", missing),
    ] {
        refuses_to_start(&[(ENDPOINT, "https://localhost:4318"), (variable, value)], variable);
    }
    refuses_to_start(&[(ENDPOINT, "grpc://collector:4317")], ENDPOINT);
}

#[test]
fn without_system_certificates_an_authority_must_be_named() {
    let folder = TempDir::new().expect("a folder");
    let empty = file(&folder, "empty.pem", "");
    refuses_to_start(
        &[(ENDPOINT, "https://localhost:4318"), ("SSL_CERT_FILE", &empty), ("SSL_CERT_DIR", "")],
        CERTIFICATE,
    );
}
