//! Connections: how many there may be, how long they may idle, how they end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::settings::Server;

/// What a connection may buffer of what it reads, in bytes; a longer head is refused.
const BUFFER: usize = 64 << 10;

/// Serves until `stopping`, then lets what is in flight end; false where the drain's deadline cut it off.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    settings: &Server,
    stopping: impl Future<Output = ()>,
) -> bool {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(settings.idle_timeout()).max_buf_size(BUFFER);
    let room = Arc::new(Semaphore::new(settings.max_connections.get()));
    let open = GracefulShutdown::new();
    let mut stopping = std::pin::pin!(stopping);
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = &mut stopping => break,
        };
        let service = TowerToHyperService::new(routes.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let _place = place;
            // A client that breaks off is no error of ours.
            let _ = connection.await;
        });
    }
    drop(listener);
    tokio::time::timeout(settings.drain(), open.shutdown()).await.is_ok()
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
