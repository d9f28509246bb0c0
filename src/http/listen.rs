//! Connections: how many there may be, how long they may idle, how they end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::connection::{self, Traffic};
use crate::settings::Server;
use crate::stop::Phase;

/// What a connection may buffer of what it reads, in bytes; a longer head is refused.
const BUFFER: usize = 64 << 10;

/// What a stop left undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutOff {
    /// Requests that had no answer yet.
    pub requests: usize,
    /// Connections that were still open.
    pub connections: usize,
}

/// Serves until the stop is over, or as soon as nothing is left to drain.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    settings: &Server,
    mut phase: watch::Receiver<Phase>,
) -> CutOff {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(settings.idle_timeout()).max_buf_size(BUFFER);
    let most = u32::try_from(settings.max_connections.get()).unwrap_or(u32::MAX);
    let room = Arc::new(Semaphore::new(most as usize));
    let traffic = Arc::new(Traffic::default());
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            _ = phase.changed() => match *phase.borrow_and_update() {
                Phase::Draining | Phase::Over => break,
                Phase::LameDuck => {
                    traffic.close();
                    continue;
                }
                Phase::Serving => continue,
            }
        };
        let answers = connection::answers(routes.clone(), traffic.clone());
        let connection = http.serve_connection(TokioIo::new(stream), answers);
        let phase = phase.clone();
        tokio::spawn(async move {
            connection::drive(connection, phase).await;
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        // All places are free again once all connections have ended.
        _ = room.acquire_many(most) => CutOff::default(),
        _ = phase.wait_for(|it| *it == Phase::Over) => CutOff {
            requests: traffic.in_flight(),
            connections: most as usize - room.available_permits(),
        },
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    /// What it takes for others to give back what the system has run out of.
    const RECOVERY: Duration = Duration::from_millis(100);

    let place = room.clone().acquire_owned().await.expect("never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without this, an answer waits for the client's acknowledgement of its head.
                let _ = stream.set_nodelay(true);
                return (stream, place);
            }
            Err(err) if is_the_clients(&err) => {}
            Err(err) => {
                tracing::error!(%err, "no connection can be accepted for now");
                tokio::time::sleep(RECOVERY).await;
            }
        }
    }
}

/// Whether a client just left before it was accepted.
fn is_the_clients(err: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(err.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
