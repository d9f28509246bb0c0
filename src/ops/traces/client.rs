//! The HTTP client of a collector. It opens a connection for each request, because there is at most one every few
//! seconds.

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

/// The time limit of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes read of a response.
const MAX_RESPONSE: usize = 64 << 10;

/// A collector of spans: how it is reached, and what identifies this process to it.
#[derive(Clone, Debug)]
pub struct Collector {
    /// Its address.
    pub endpoint: Endpoint,
    /// The headers that it requires.
    pub headers: Headers,
    /// The certificate authorities that it must be signed by; by default those of the system.
    pub authorities: Option<Authorities>,
    /// The attributes of this process.
    pub resource: Resource,
}

/// Why spans were not accepted.
#[derive(Debug, Error)]
pub(super) enum PostError {
    #[error("the connection failed")]
    Unreachable(#[source] io::Error),
    #[error("the TLS handshake failed")]
    Untrusted(#[source] io::Error),
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    #[error("no response within {} s", REQUEST_TIMEOUT.as_secs())]
    TimedOut,
    #[error("the response was {0}")]
    Refused(StatusCode),
}

/// Sends requests to one collector.
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
        tokio::time::timeout(REQUEST_TIMEOUT, self.connect(body))
            .await
            .map_err(|_| PostError::TimedOut)?
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
            .expect("the endpoint was validated");
        request.headers_mut().extend(self.headers.get().clone());
        // The connection ends when the sender of requests is dropped, at the end of this function.
        tokio::spawn(connection);
        let response = requests.send_request(request).await.map_err(PostError::Broken)?;
        let status = response.status();
        // The body is read, so that the connection closes in order; its content is not needed.
        let _ = Limited::new(response.into_body(), MAX_RESPONSE).collect().await;
        if status.is_success() { Ok(()) } else { Err(PostError::Refused(status)) }
    }
}
