//! HTTP/1 and HTTP/2 connections: what they carry, and how they end.

use std::net::SocketAddr;
use std::num::NonZeroU64;

use axum::body::Bytes;
use axum::http::{Request, StatusCode, Version};
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use siamese::http::{self, Connections, CutOff, Port};
use siamese::ops::settings::{Overrides, Server, Settings};
use siamese::ops::stop::Phase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, SAME, face, form, post};
use crate::patience::soon;

/// A service with the shipped model on its own port.
struct Listening {
    address: SocketAddr,
    phase: watch::Sender<Phase>,
    ended: JoinHandle<CutOff>,
}

/// An HTTP/2 client, and the task of its connection.
struct Client {
    requests: SendRequest<Full<Bytes>>,
    ended: JoinHandle<hyper::Result<()>>,
}

impl Listening {
    async fn start(change: impl FnOnce(&mut Server)) -> Self {
        let mut settings = Settings::load(None, &Overrides::default()).expect("settings").server;
        change(&mut settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, phase) = watch::channel(Phase::Serving);
        let port = Port {
            listener,
            most: settings.max_connections,
            tls: None,
            connections: Connections::default(),
        };
        let routes = App::start().router;
        let ended = tokio::spawn(async move { http::serve(port, routes, &settings, phase).await });
        Self { address, phase: sender, ended }
    }

    async fn connect(&self) -> TcpStream {
        let stream = soon("a connection", TcpStream::connect(self.address)).await;
        stream.expect("a connection")
    }

    /// The result of a drain.
    async fn end(self) -> CutOff {
        soon("the port's end", self.ended).await.expect("no panic")
    }

    /// An HTTP/2 client with this flow-control window.
    async fn client(&self, window: u32) -> Client {
        let (requests, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(window)
            .handshake(TokioIo::new(self.connect().await))
            .await
            .expect("HTTP/2");
        Client { requests, ended: tokio::spawn(connection) }
    }
}

impl Client {
    async fn get(&mut self, path: &str) -> hyper::Result<hyper::Response<Incoming>> {
        let request = Request::get(format!("http://x{path}")).body(Full::default());
        let response = async {
            self.requests.ready().await?;
            self.requests.send_request(request.expect("a request")).await
        };
        soon("a response", response).await
    }

    async fn end(self) -> hyper::Result<()> {
        soon("the connection's end", self.ended).await.expect("no panic")
    }
}

const WINDOW: u32 = 1 << 20;

/// An HTTP/2 settings frame without changes.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

const SECONDS: NonZeroU64 = NonZeroU64::new(2000).expect("not 0");

fn impatient(settings: &mut Server) {
    settings.idle_timeout_ms = SECONDS;
}

/// All bytes until the connection ends, possibly by a reset.
async fn until_the_end(mut stream: TcpStream) -> (Vec<u8>, std::io::Result<usize>) {
    let mut response = Vec::new();
    let end = soon("the connection's end", stream.read_to_end(&mut response)).await;
    (response, end)
}

#[tokio::test]
async fn http_2_and_http_1_are_served() {
    let listening = Listening::start(|_| ()).await;
    let mut client = listening.client(WINDOW).await;
    let (media, body) = form(&[("a", &face(SAME[0])), ("b", &face(SAME[1]))]);
    let request = post("http://x/compare", &media).body(Full::from(body)).expect("a request");

    let response = client.requests.send_request(request);
    let response = soon("a response", response).await.expect("a response");

    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    assert!(response.headers().contains_key("server-timing"));
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    assert!(String::from_utf8_lossy(&body).contains(r#""verdict":"same""#));

    let mut old = listening.connect().await;
    old.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .expect("sent");
    let (response, _) = until_the_end(old).await;
    assert!(response.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&response));
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed() {
    let listening = Listening::start(impatient).await;
    let mut client = listening.client(WINDOW).await;
    assert_eq!(client.get("/livez").await.expect("a response").status(), StatusCode::OK);
    client.end().await.expect("a clean end");
}

#[tokio::test]
async fn a_connection_with_an_incomplete_head_is_closed() {
    let listening = Listening::start(impatient).await;
    let parts = [&b""[..], b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / H"];
    let all = parts.map(async |part| {
        let mut stream = listening.connect().await;
        stream.write_all(part).await.expect("sent");
        // The connection may be reset, because a part of the preface remains unread.
        let (response, _) = until_the_end(stream).await;
        assert!(!response.starts_with(b"HTTP/1.1 200"));
    });
    join_all(all).await;
}

#[tokio::test]
async fn a_client_that_takes_no_response_is_disconnected() {
    let listening = Listening::start(impatient).await;
    let mut client = listening.client(0).await;
    let response = client.get("/livez").await.expect("its head");
    assert_eq!(response.status(), StatusCode::OK);
    let body = soon("the body's end", response.into_body().collect()).await;
    assert!(body.is_err(), "a body that had no room");
    let _ = client.end().await;
}

#[tokio::test]
async fn a_client_that_ignores_pings_is_disconnected() {
    let listening = Listening::start(|settings| {
        settings.http2_ping_interval_ms = 50;
        settings.http2_ping_timeout_ms = SECONDS;
    })
    .await;
    let mut stream = listening.connect().await;
    let hello = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &SETTINGS].concat();
    stream.write_all(&hello).await.expect("sent");
    let (response, end) = until_the_end(stream).await;
    end.expect("an end");
    // A ping frame: its length of 8, its type, no flags, no stream.
    assert!(
        response.windows(9).any(|window| window == [0, 0, 8, 6, 0, 0, 0, 0, 0]),
        "no ping: {response:?}"
    );
}

#[tokio::test]
async fn a_client_that_resets_many_streams_is_disconnected() {
    const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];
    const HEADERS: [u8; 12] = [0, 0, 3, 1, 5, 0, 0, 0, 0, 0x82, 0x84, 0x86];
    const RESET: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 8];
    let listening = Listening::start(|_| ()).await;
    let mut flood = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &SETTINGS].concat();
    for stream in (1..200_u8).step_by(2) {
        let (mut headers, mut reset) = (HEADERS, RESET);
        (headers[8], reset[8]) = (stream, stream);
        flood.extend_from_slice(&headers);
        flood.extend_from_slice(&reset);
    }
    let mut stream = listening.connect().await;
    stream.write_all(&flood).await.expect("sent");

    let (response, _) = until_the_end(stream).await;

    // A GOAWAY frame: its length and type, no flags, no stream, the last stream, and the error code.
    let ends = |frame: &[u8]| frame[3..9] == [7, 0, 0, 0, 0, 0] && frame[13..] == ENHANCE_YOUR_CALM;
    assert!(response.windows(17).any(ends), "it was not sent away: {response:?}");
}

#[tokio::test]
async fn a_drain_ends_connections_of_both_versions() {
    let listening = Listening::start(|_| ()).await;
    let mut client = listening.client(WINDOW).await;
    client.get("/livez").await.expect("a response");
    let mut idle = listening.connect().await;
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    assert_ne!(soon("a response", idle.read(&mut [0; 4096])).await.expect("a response"), 0);

    listening.phase.send_replace(Phase::Draining);

    client.end().await.expect("a clean end");
    assert_eq!(soon("an end", idle.read(&mut [0])).await.expect("an end"), 0);
    assert_eq!(listening.end().await, CutOff::default());
}

#[tokio::test]
async fn a_drain_reports_what_it_cut_off() {
    let listening = Listening::start(|_| ()).await;
    let mut slow = listening.connect().await;
    let head =
        b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 9\r\n\
                 expect: 100-continue\r\n\r\n";
    slow.write_all(head).await.expect("sent");
    // Once the server sends "100 Continue", the request is in flight.
    assert_ne!(soon("a word", slow.read(&mut [0; 4096])).await.expect("a word"), 0);

    listening.phase.send_replace(Phase::Draining);
    listening.phase.send_replace(Phase::Over);

    let cut_off = listening.end().await;
    assert_eq!(cut_off, CutOff { requests: 1, connections: 1 });
}

#[tokio::test]
async fn a_connection_opened_before_the_port_closed_is_served() {
    // The state of the connection when the drain begins is random: waiting, accepted, or partly read.
    for _ in 0..20 {
        let listening = Listening::start(|_| ()).await;
        let mut stream = listening.connect().await;
        listening.phase.send_replace(Phase::Draining);
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
        let (response, end) = until_the_end(stream).await;
        end.expect("a response");
        assert!(response.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&response));
        assert_eq!(listening.end().await, CutOff::default());
    }
}
