//! Posts to a collector: one request a connection, as there is one every few seconds at most.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::trust::{self, TrustError};
use super::{Authorities, Endpoint, Headers, Resource};

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is read of its answer.
const ANSWER: usize = 64 << 10;

/// Who takes spans, how it is reached and what it is told of us.
#[derive(Clone, Debug)]
pub struct Collector {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What it asks for.
    pub headers: Headers,
    /// Who tells that it is what it says it is; by default whom the system trusts.
    pub authorities: Option<Authorities>,
    /// Whose spans it gets.
    pub resource: Resource,
}

/// Why spans were not taken.
#[derive(Debug, Error)]
pub(super) enum PostError {
    #[error("no connection")]
    Unreachable(#[source] io::Error),
    #[error("no TLS with it")]
    Untrusted(#[source] io::Error),
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    TimedOut,
    #[error("it answered {0}")]
    Refused(StatusCode),
}

/// Posts to one collector.
pub(super) struct Client {
    endpoint: Endpoint,
    headers: Headers,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Client {
    pub(super) fn new(collector: &Collector) -> Result<Self, TrustError> {
        let Collector { endpoint, headers, authorities, .. } = collector;
        let tls = match &endpoint.encrypted {
            Some(name) => Some((trust::connector(authorities.as_ref())?, name.clone())),
            None => None,
        };
        Ok(Self { endpoint: endpoint.clone(), headers: headers.clone(), tls })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) async fn post(&self, body: Vec<u8>) -> Result<(), PostError> {
        tokio::time::timeout(PATIENCE, self.connect(body)).await.map_err(|_| PostError::TimedOut)?
    }

    async fn connect(&self, body: Vec<u8>) -> Result<(), PostError> {
        let stream = TcpStream::connect(self.endpoint.address()).await;
        let stream = stream.map_err(PostError::Unreachable)?;
        match &self.tls {
            None => self.exchange(stream, body).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                self.exchange(stream.map_err(PostError::Untrusted)?, body).await
            }
        }
    }

    async fn exchange<S>(&self, stream: S, body: Vec<u8>) -> Result<(), PostError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (mut requests, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(PostError::Broken)?;
        let Endpoint { host, port, path, .. } = &self.endpoint;
        let mut request = Request::post(path)
            .header(header::HOST, format!("{host}:{port}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::from(body)))
            .expect("an endpoint's parts are a request's");
        request.headers_mut().extend(self.headers.get().clone());
        // It ends with the requests' half, which is dropped here.
        tokio::spawn(connection);
        let answer = requests.send_request(request).await.map_err(PostError::Broken)?;
        let status = answer.status();
        // Read, so that the connection ends in order; what it says is of no use here.
        let _ = Limited::new(answer.into_body(), ANSWER).collect().await;
        if status.is_success() { Ok(()) } else { Err(PostError::Refused(status)) }
    }
}
