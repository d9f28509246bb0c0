//! More work than the server can do, and work that nobody waits for any more.

use std::pin::{Pin, pin};
use std::sync::mpsc;

use futures_util::FutureExt;
use siamese_core::model::{Embedded, LoadError, Tower, TowerError};
use siamese_core::picture::Pixels;
use siamese_core::score::Embedding;

use crate::app::{Answer, App, SAME, face, shared};

/// A tower that waits for the test before each run.
struct Gated(mpsc::Receiver<()>);

impl Tower for Gated {
    fn embed(&mut self, pictures: &[Pixels]) -> Result<Vec<Embedded>, TowerError> {
        let _ = self.0.recv();
        Ok(pictures.iter().map(|_| Embedding::new([0.0])).collect())
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}

fn gated(places: usize) -> (mpsc::Sender<()>, App) {
    let (gate, opened) = mpsc::channel();
    (gate, App::run_by(Gated(opened), shared().1.clone(), places))
}

async fn metrics(app: &App) -> String {
    String::from_utf8(app.get("/metrics").await.ok().body).expect("text")
}

async fn until(app: &App, line: &str) {
    while !metrics(app).await.lines().any(|it| it == line) {
        tokio::task::yield_now().await;
    }
}

/// Sees a request to the tower, whose gate is closed.
async fn until_running(app: &App, request: Pin<&mut impl Future<Output = Answer>>) {
    tokio::select! {
        _ = request => panic!("the gate is closed"),
        () = until(app, "siamese_batch_pictures_count 1") => (),
    }
}

#[tokio::test]
async fn what_finds_no_room_is_refused_before_it_is_decoded() {
    let (gate, app) = gated(2);
    let mut first = pin!(app.compare());
    assert!(first.as_mut().now_or_never().is_none());

    let refused = app.form("/compare", &[("a", b"no picture"), ("b", b"no picture")]).await;
    refused.refused(503, "overloaded");
    assert_eq!(refused.header("retry-after"), "1");
    let told = metrics(&app).await;
    for line in [r#"siamese_overloads_total{full="places"} 1"#, "siamese_places_taken 2"] {
        assert!(told.lines().any(|it| it == line), "{line} is not in\n{told}");
    }

    gate.send(()).expect("a tower");
    first.await.ok();
    let found = app.form("/compare", &[("a", b"no picture"), ("b", b"no picture")]).await;
    found.refused(415, "picture_format_unsupported");
}

#[tokio::test]
async fn work_whose_client_has_gone_is_dropped_and_counted() {
    let (gate, app) = gated(8);
    let mut first = pin!(app.post("/embed", "image/jpeg", face("s1_1.jpg")));
    until_running(&app, first.as_mut()).await;
    tokio::select! {
        _ = app.compare() => panic!("the gate is closed"),
        () = until(&app, "siamese_queue_depth 2") => (),
    }
    until(&app, r#"siamese_departures_total{route="/compare"} 1"#).await;

    gate.send(()).expect("a tower");
    first.await.ok();
    until(&app, r#"siamese_dropped_pictures_total{before="tower"} 2"#).await;
    until(&app, "siamese_batch_pictures_count 1").await;
}

#[tokio::test]
async fn work_past_its_deadline_is_dropped_before_the_tower() {
    let (gate, app) = gated(8);
    let mut first = pin!(app.post("/embed", "image/jpeg", face("s1_1.jpg")));
    until_running(&app, first.as_mut()).await;

    let late = crate::app::post("/embed", "image/jpeg").header("x-request-timeout-ms", "50");
    let late = late.body(face(SAME[0]).into()).expect("a request");
    app.send(late).await.refused(504, "deadline_exceeded");

    gate.send(()).expect("a tower");
    first.await.ok();
    until(&app, r#"siamese_dropped_pictures_total{before="tower"} 1"#).await;
}

#[tokio::test]
async fn bodies_have_a_limit_together() {
    let app = App::with(|settings| settings.server.max_bodies_bytes = 4096);
    app.post("/embed", "image/png", vec![0; 4096]).await.refused(415, "picture_format_unsupported");
    app.post("/embed", "image/png", vec![0; 4097]).await.refused(503, "overloaded");
    until(&app, r#"siamese_overloads_total{full="bodies"} 1"#).await;
    app.post("/embed", "image/png", vec![0; 4096]).await.refused(415, "picture_format_unsupported");
}
