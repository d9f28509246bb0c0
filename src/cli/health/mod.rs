//! The command `siamese health`.

mod encrypted;

use std::io;
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
use siamese_core::{causes, output};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::{Failure, Outcome};
use crate::ops::settings::{Listen, Overrides, Server, Settings};

/// How long the server may take to answer. The request needs almost no work, so a slower server has a problem.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// The most bytes of the response body that are read.
const MAX_BODY_BYTES: usize = 64 << 10;

#[derive(Debug, Args)]
pub(super) struct Health {
    /// The TOML settings file that the server was started with.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address that the server was started with. Default: `server.listen` of the settings.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<Listen>,
}

/// Why the server should not receive work.
#[derive(Debug, Error)]
enum Unhealthy {
    #[error("no server answers at {0}")]
    Unreachable(Listen, #[source] io::Error),
    #[error("the connection to {0} broke")]
    Broken(SocketAddr, #[source] hyper::Error),
    #[error("{listen} did not answer within {} s", HEALTH_TIMEOUT.as_secs())]
    TimedOut { listen: Listen },
    #[error("the server answers {0}: {1}")]
    NotReady(StatusCode, String),
}

/// The part of a problem document that is shown.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Health {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let overrides = Overrides { listen: self.listen, ..Overrides::default() };
        let settings = Settings::load(self.config.as_deref(), &overrides)?;
        let (listen, encrypted) = health_port(&settings.server, settings.tls.files().is_some());
        if listen.port() == 0 {
            return Err(Failure::Caller(
                "server.listen has port 0, so the server's port is not known here; name the address with --listen".to_owned(),
            ));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|err| Failure::machine(&err))?;
        let checked = runtime.block_on(async {
            tokio::time::timeout(HEALTH_TIMEOUT, check_readiness(listen, encrypted)).await
        });
        match checked.unwrap_or_else(|_| Err(Unhealthy::TimedOut { listen: listen.clone() })) {
            Ok(()) => Ok(Outcome::Done),
            Err(why) => {
                output::note(&format!("siamese: {}", causes(&why)));
                Ok(Outcome::Negative)
            }
        }
    }
}

/// Where the health routes are, and whether they use TLS. The port `server.admin_listen` never uses TLS.
fn health_port(server: &Server, tls: bool) -> (&Listen, bool) {
    match &server.admin_listen {
        Some(listen) => (listen, false),
        None => (&server.listen, tls),
    }
}

/// The address at which this machine reaches a server that listens on an address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

async fn check_readiness(listen: &Listen, encrypted: bool) -> Result<(), Unhealthy> {
    let unreachable = |err| Unhealthy::Unreachable(listen.clone(), err);
    let addresses = listen.addresses().await.map_err(unreachable)?;
    let addresses: Vec<_> = addresses.into_iter().map(reachable).collect();
    let stream = TcpStream::connect(&addresses[..]).await.map_err(unreachable)?;
    let address = stream.peer_addr().map_err(unreachable)?;
    if encrypted {
        let stream = encrypted::connect(stream, address.ip()).await.map_err(unreachable)?;
        return request_readiness(stream, address).await;
    }
    request_readiness(stream, address).await
}

async fn request_readiness<S>(stream: S, address: SocketAddr) -> Result<(), Unhealthy>
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
        .expect("an address is a valid Host header");
    let response = requests.send_request(request).await.map_err(broken)?;
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let problem = serde_json::from_slice::<Problem>(&body);
    Err(Unhealthy::NotReady(status, problem.map(|problem| problem.detail).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_reached_by_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.1:8080", "192.0.2.1:8080"),
        ] {
            assert_eq!(reachable(listen.parse().expect(listen)).to_string(), expected);
        }
    }

    #[test]
    fn the_admin_port_is_preferred_and_has_no_tls() {
        let settings = Settings::load(None, &Overrides::default()).expect("default settings");
        let mut server = settings.server;
        assert_eq!(health_port(&server, true), (&server.listen, true));
        let admin: Listen = "0.0.0.0:9090".parse().expect("an address");
        server.admin_listen = Some(admin.clone());
        assert_eq!(health_port(&server, true), (&admin, false));
    }
}
