//! `siamese health`

mod encrypted;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use siamese_core::causes;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::{Failure, Outcome};
use crate::ops::settings::{Overrides, Server, Settings};

/// How long the server may take: asking costs it nothing, so one that takes longer is in trouble.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is read of its answer.
const ANSWER: usize = 64 << 10;

#[derive(Debug, Args)]
pub(super) struct Health {
    /// The TOML file of settings that the server was started with.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address that the server was started with.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

/// Why no work should be sent to the server.
#[derive(Debug, Error)]
enum Unhealthy {
    #[error("nothing answers at {0}")]
    Unreachable(SocketAddr, #[source] io::Error),
    #[error("the connection to {0} broke")]
    Broken(SocketAddr, #[source] hyper::Error),
    #[error("{address} gave no answer within {} s", PATIENCE.as_secs())]
    TimedOut { address: SocketAddr },
    #[error("it answers {0}: {1}")]
    NotReady(StatusCode, String),
}

/// What is read of a problem.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Health {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let overrides = Overrides { listen: self.listen, ..Overrides::default() };
        let settings = Settings::load(self.config.as_deref(), &overrides)?;
        let (address, encrypted) = door(&settings.server, settings.tls.files().is_some());
        if address.port() == 0 {
            return Err(Failure::Caller(
                "server.listen leaves the port to the start, so that it can't be known here; name one".to_owned(),
            ));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|err| Failure::machine(&err))?;
        let asked = runtime
            .block_on(async { tokio::time::timeout(PATIENCE, ask(address, encrypted)).await });
        match asked.unwrap_or(Err(Unhealthy::TimedOut { address })) {
            Ok(()) => Ok(Outcome::Done),
            Err(why) => {
                // Where nobody reads it, the exit code still tells.
                let _ = writeln!(io::stderr(), "siamese: {}", causes(&why));
                Ok(Outcome::Negative)
            }
        }
    }
}

/// Where the server tells of its health, and whether over TLS: at the port for that, which is plain, else with all else.
fn door(server: &Server, tls: bool) -> (SocketAddr, bool) {
    let (mut address, encrypted) = match server.admin_listen {
        Some(address) => (address, false),
        None => (server.listen, tls),
    };
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    (address, encrypted)
}

async fn ask(address: SocketAddr, encrypted: bool) -> Result<(), Unhealthy> {
    let unreachable = |err| Unhealthy::Unreachable(address, err);
    let stream = TcpStream::connect(address).await.map_err(unreachable)?;
    if encrypted {
        let stream = encrypted::connect(stream, address.ip()).await.map_err(unreachable)?;
        return exchange(stream, address).await;
    }
    exchange(stream, address).await
}

async fn exchange<S>(stream: S, address: SocketAddr) -> Result<(), Unhealthy>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |err| Unhealthy::Broken(address, err);
    let (mut requests, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let request = Request::get("/readyz")
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .expect("an address is a host");
    let answer = requests.send_request(request).await.map_err(broken)?;
    let status = answer.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    let body = Limited::new(answer.into_body(), ANSWER).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let problem = serde_json::from_slice::<Problem>(&body);
    Err(Unhealthy::NotReady(status, problem.map(|it| it.detail).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listen: &str, admin: Option<&str>, expected: &str, encrypted: bool) {
        let mut server =
            Settings::load(None, &Overrides::default()).expect("default settings").server;
        server.listen = listen.parse().expect("an address");
        server.admin_listen = admin.map(|it| it.parse().expect("an address"));
        let expected = expected.parse().expect("an address");
        assert_eq!(door(&server, true), (expected, encrypted));
    }

    #[test]
    fn it_is_asked_from_beside_it() {
        check("0.0.0.0:8080", None, "127.0.0.1:8080", true);
        check("[::]:8080", None, "[::1]:8080", true);
        check("192.0.2.1:8080", None, "192.0.2.1:8080", true);
    }

    #[test]
    fn a_port_for_health_goes_first_and_is_plain() {
        check("0.0.0.0:8080", Some("0.0.0.0:9090"), "127.0.0.1:9090", false);
    }
}
