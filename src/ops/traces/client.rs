//! Posts to a collector: one request a connection, as there is one every few seconds at most.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

use super::Endpoint;

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is read of its answer.
const ANSWER: usize = 64 << 10;

/// Why spans were not taken.
#[derive(Debug, Error)]
pub(super) enum PostError {
    #[error("no connection")]
    Unreachable(#[source] io::Error),
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    TimedOut,
    #[error("it answered {0}")]
    Refused(StatusCode),
}

pub(super) async fn post(endpoint: &Endpoint, body: Vec<u8>) -> Result<(), PostError> {
    tokio::time::timeout(PATIENCE, exchange(endpoint, body))
        .await
        .map_err(|_| PostError::TimedOut)?
}

async fn exchange(endpoint: &Endpoint, body: Vec<u8>) -> Result<(), PostError> {
    let Endpoint { host, port, path } = endpoint;
    // Only addresses in a URI have brackets.
    let address = (host.trim_matches(['[', ']']), *port);
    let stream = TcpStream::connect(address).await.map_err(PostError::Unreachable)?;
    let (mut requests, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(PostError::Broken)?;
    let request = Request::post(path)
        .header(header::HOST, format!("{host}:{port}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))
        .expect("an endpoint's parts are a request's");
    // It ends with the requests' half, which is dropped here.
    tokio::spawn(connection);
    let answer = requests.send_request(request).await.map_err(PostError::Broken)?;
    let status = answer.status();
    // Read, so that the connection ends in order; what it says is of no use here.
    let _ = Limited::new(answer.into_body(), ANSWER).collect().await;
    if status.is_success() { Ok(()) } else { Err(PostError::Refused(status)) }
}
