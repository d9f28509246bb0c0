//! Overload, and work that no client waits for any more.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use siamese_core::model::{Embedded, LoadError, Model, ModelError};
use siamese_core::preprocessing::{Limits, Pixels};
use siamese_core::score::Embedding;

use crate::app::{App, SAME, TestResponse, at_most, face, shared};
use crate::waits::SHORT_TIMEOUT_MS;

/// A model that waits for the test before each run.
struct Gated(mpsc::Receiver<()>);

impl Model for Gated {
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError> {
        let _ = self.0.recv();
        Ok(images.iter().map(|_| Embedding::new([0.0])).collect())
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}

fn gated(places: usize) -> (mpsc::Sender<()>, App) {
    let (gate, opened) = mpsc::channel();
    (gate, App::with_model(Gated(opened), shared().1.clone(), places))
}

async fn metrics(app: &App) -> String {
    String::from_utf8(app.get("/metrics").await.ok().body).expect("text")
}

/// Waits until a request is in the model, whose gate is closed.
async fn until_running(app: &App, request: Pin<&mut impl Future<Output = TestResponse>>) {
    tokio::select! {
        _ = request => panic!("the gate is closed"),
        () = app.until_metric(r#"siamese_batch_images_count{model="orl"} 1"#) => (),
    }
}

#[tokio::test]
async fn a_request_beyond_the_queue_is_rejected_before_decoding() {
    let (gate, app) = gated(2);
    let mut first = pin!(app.compare());
    assert!(first.as_mut().now_or_never().is_none());

    let refused = app.form("/compare", &[("a", b"no image"), ("b", b"no image")]).await;
    refused.refused(503, "overloaded");
    assert_eq!(refused.header("retry-after"), "1");
    let metrics = metrics(&app).await;
    for line in [
        r#"siamese_overloads_total{limit="queue"} 1"#,
        r#"siamese_queue_reserved{model="orl"} 2.0"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }

    gate.send(()).expect("a model");
    first.await.ok();
    let found = app.form("/compare", &[("a", b"no image"), ("b", b"no image")]).await;
    found.refused(415, "image_format_unsupported");
}

#[tokio::test]
async fn other_protocols_are_refused_in_their_form() {
    let (gate, app) = gated(2);
    let mut first = pin!(app.compare());
    assert!(first.as_mut().now_or_never().is_none());

    let refused = app.json("/v1/embeddings", &json!({"input": "aGVsbG8="})).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
    let error = &refused.json()["error"];
    assert_eq!((&error["type"], &error["code"]), (&json!("server_error"), &json!("overloaded")));

    let [channels, height, width] = app.model.card.preprocessing.shape();
    let black = app.model.card.preprocessing.preprocess(b"P5 1 1 255\n\0", &Limits::default());
    let black = black.expect("pixels");
    let path = format!("/v2/models/{}/infer", app.model.card.name);
    for (name, datatype, shape, data) in [
        ("image", "BYTES", json!([1]), json!(["aGVsbG8="])),
        ("pixels", "FP32", json!([1, channels, height, width]), json!(black.values())),
    ] {
        let input = json!({"name": name, "datatype": datatype, "shape": shape, "data": data});
        let refused = app.json(&path, &json!({"inputs": [input]})).await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
        assert!(refused.json()["error"].as_str().is_some_and(|text| text.contains("overloaded")));
    }
    gate.send(()).expect("a model");
    first.await.ok();
}

#[tokio::test]
async fn work_of_a_disconnected_client_is_dropped_and_counted() {
    let (gate, app) = gated(8);
    let mut first = pin!(app.post("/embed", "image/jpeg", face("s1_1.jpg")));
    until_running(&app, first.as_mut()).await;
    tokio::select! {
        _ = app.compare() => panic!("the gate is closed"),
        () = app.until_metric(r#"siamese_queue_depth{model="orl"} 2.0"#) => (),
    }
    app.until_metric(r#"siamese_client_disconnects_total{route="/compare"} 1"#).await;

    gate.send(()).expect("a model");
    first.await.ok();
    app.until_metric(r#"siamese_dropped_images_total{before="model"} 2"#).await;
    app.until_metric(r#"siamese_batch_images_count{model="orl"} 1"#).await;
}

#[tokio::test]
async fn work_past_its_deadline_is_dropped_before_the_model() {
    let (gate, app) = gated(8);
    let mut first = pin!(app.post("/embed", "image/jpeg", face("s1_1.jpg")));
    until_running(&app, first.as_mut()).await;

    let late =
        crate::app::post("/embed", "image/jpeg").header("x-request-timeout-ms", SHORT_TIMEOUT_MS);
    let late = late.body(face(SAME[0]).into()).expect("a request");
    app.send(late).await.refused(504, "deadline_exceeded");

    gate.send(()).expect("a model");
    first.await.ok();
    app.until_metric(r#"siamese_dropped_images_total{before="model"} 1"#).await;
}

#[tokio::test]
async fn all_bodies_share_a_memory_limit() {
    let app = App::with(|settings| settings.server.max_bodies_bytes = at_most(4096));
    app.post("/embed", "image/png", vec![0; 4096]).await.refused(415, "image_format_unsupported");
    app.post("/embed", "image/png", vec![0; 4097]).await.refused(503, "overloaded");
    app.until_metric(r#"siamese_overloads_total{limit="bodies"} 1"#).await;
    app.post("/embed", "image/png", vec![0; 4096]).await.refused(415, "image_format_unsupported");
}

fn endless() -> Body {
    Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>())
}

#[tokio::test]
async fn requests_beyond_the_limit_are_told_to_retry() {
    let (gate, opened) = mpsc::channel();
    let app = App::with_model_and_settings(Gated(opened), shared().1.clone(), 8, |settings| {
        settings.server.max_in_flight = at_most(1);
    });
    let mut first = pin!(app.post("/embed", "image/jpeg", face("s1_1.jpg")));
    until_running(&app, first.as_mut()).await;

    let refused = app.post("/embed", "image/jpeg", endless()).await;

    refused.refused(503, "overloaded");
    assert_eq!(refused.header("retry-after"), "1");
    app.until_metric(r#"siamese_overloads_total{limit="requests"} 1"#).await;
    gate.send(()).expect("a model");
    first.await.ok();
}

#[tokio::test]
async fn an_arriving_body_does_not_count_as_work_in_progress() {
    let app = App::with(|settings| settings.server.max_in_flight = at_most(1));
    let mut slow: Vec<_> =
        (0..20).map(|_| Box::pin(app.post("/embed", "image/png", endless()))).collect();
    for slow in &mut slow {
        assert!(slow.as_mut().now_or_never().is_none());
    }
    app.until_metric("siamese_receiving_requests 20").await;

    app.compare().await.ok();

    drop(slow);
    app.until_metric("siamese_receiving_requests 0").await;
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_arriving_bodies_the_slowest_is_ended() {
    let app = App::with(|settings| settings.server.max_receiving = at_most(2));
    let mut slow = [(); 2].map(|()| Box::pin(app.post("/embed", "image/png", endless())));
    for slow in &mut slow {
        assert!(slow.as_mut().now_or_never().is_none());
    }
    let [first, _second] = slow;
    app.post("/embed", "image/png", endless()).await.refused(503, "overloaded");
    app.until_metric(r#"siamese_overloads_total{limit="receiving"} 1"#).await;

    tokio::time::advance(Duration::from_secs(1)).await;
    let third = app.post("/embed", "image/png", "no image").await;

    third.refused(415, "image_format_unsupported");
    first.await.refused(408, "body_timeout");
    app.until_metric(r#"siamese_bodies_ended_total{limit="receiving"} 1"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_that_holds_memory_is_ended_for_others() {
    let app = App::with(|settings| settings.server.max_bodies_bytes = at_most(100 << 10));
    let begun = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from(vec![0; 90 << 10]))]);
    let stays = Body::from_stream(begun.chain(futures_util::stream::pending()));
    let mut slow = pin!(app.post("/embed", "image/png", stays));
    assert!(slow.as_mut().now_or_never().is_none());
    app.post("/embed", "image/png", vec![0; 50 << 10]).await.refused(503, "overloaded");

    tokio::time::advance(Duration::from_secs(1)).await;
    let other = app.post("/embed", "image/png", vec![0; 50 << 10]);
    let (slow, other) = tokio::join!(slow, other);

    slow.refused(408, "body_timeout");
    other.refused(415, "image_format_unsupported");
    app.until_metric(r#"siamese_bodies_ended_total{limit="bodies"} 1"#).await;
}
