//! Where uploads are decoded, and how endless decodes are stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::json;
use siamese::ops::settings::Decode;
use siamese_core::model::{Description, Preprocessor};
use siamese_core::preprocessing::{Fit, Limits, Preprocessing, Reduction};

use crate::app::{
    App, SAME, TestResponse, face, fixture, form, load, milliseconds, shared, shipped,
};
use crate::patience::eventually;
use crate::uploads::jpeg::many_scans;
use crate::uploads::tiff::tiff;

/// Far shorter than decodes without limits, and far longer than a busy machine needs.
const SOON: Duration = Duration::from_secs(30);

/// The default deadline of a request.
const DEADLINE: Duration = Duration::from_secs(10);

/// A JPEG of many scans, each of which tells of every block: a decoder is at it for seconds.
fn endless() -> Vec<u8> {
    many_scans(7000, 1, 100, 0)
}

/// A colour TIFF of 49 megapixels. Each strip is the same JPEG, which has many scans.
fn hidden() -> Vec<u8> {
    let strips = [(259, 4, 1, 7), (278, 3, 1, 1000), (262, 3, 1, 6), (277, 3, 1, 3)];
    tiff(&strips, [1000, 49_000], (49, &many_scans(1000, 3, 97, 0)))
}

/// A BMP of one kilobyte that claims this many pixels per side.
fn claim(side: i32) -> Vec<u8> {
    let side = side.to_le_bytes();
    let header = [&b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"[..], &side, &side, b"\x01\0\x18\0"];
    let mut claim = header.concat();
    claim.resize(1024, 0);
    claim
}

/// A model whose preprocessing panics on every image, because its input has no width.
fn narrow() -> App {
    let model = load(&shipped());
    let mut description = Description::clone(model.description());
    let card = Arc::make_mut(&mut description.card);
    card.preprocessing = Preprocessing { width: 0, fit: Fit::Crop, ..card.preprocessing.clone() };
    description.preprocessor = Arc::new(Preprocessor::of(&description.card).expect("no detector"));
    App::with_model(model, Arc::new(description), 256)
}

fn image(name: &str) -> Vec<u8> {
    std::fs::read(fixture("images").join(name)).expect("an image")
}

async fn metric(app: &App, name: &str) -> i64 {
    let text = String::from_utf8(app.get("/metrics").await.body).expect("text");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a number")
}

/// Waits until a worker decodes an upload.
async fn until_decoded(app: &App) {
    eventually("a worker decodes", async || 1 <= metric(app, "siamese_workers").await).await;
}

/// Lets the deadline of a request pass while its upload is decoded.
async fn pass_deadline(app: &App) {
    until_decoded(app).await;
    tokio::time::pause();
    tokio::time::advance(DEADLINE).await;
    tokio::time::resume();
}

async fn embed(app: &App, upload: impl Into<Body>) -> TestResponse {
    app.post("/embed", "application/octet-stream", upload).await
}

#[tokio::test]
async fn a_decode_ends_at_its_deadline_and_frees_its_lane() {
    let app = App::with(|settings| settings.image.decodes = 1);
    let (response, ()) = tokio::join!(embed(&app, endless()), pass_deadline(&app));
    response.refused(504, "deadline_exceeded");
    assert_eq!(metric(&app, "siamese_workers_ended_total{reason=\"abandoned\"}").await, 1);

    embed(&app, large_photograph()).await.ok();
}

#[tokio::test]
async fn a_decode_ends_when_its_client_leaves() {
    let app = App::with(|settings| settings.image.decodes = 1);
    tokio::select! {
        response = embed(&app, endless()) => panic!("it was answered: {response:?}"),
        () = until_decoded(&app) => {}
    }
    assert_eq!(metric(&app, "siamese_workers_ended_total{reason=\"abandoned\"}").await, 1);
    assert_eq!(metric(&app, "siamese_workers").await, 0);
    embed(&app, large_photograph()).await.ok();
}

/// A harmless photograph that is large enough for the lane of the largest images.
fn large_photograph() -> Vec<u8> {
    many_scans(5000, 1, 1, 0)
}

#[tokio::test]
async fn a_decode_over_its_limits_is_stopped_and_reported() {
    let app = App::with(|settings| settings.image.max_cpu_ms = milliseconds(500));
    let response = embed(&app, hidden()).await;
    assert_eq!(response.refused(413, "image_too_large").as_deref(), Some("image"));
    let stopped = metric(&app, "siamese_workers_ended_total{reason=\"cpu_time\"}").await
        + metric(&app, "siamese_workers_ended_total{reason=\"memory\"}").await;
    assert_eq!(stopped, 1);
    embed(&app, image("rgb.tiff")).await.ok();
}

#[tokio::test]
async fn hostile_uploads_do_not_delay_photographs() {
    let app = App::start();
    let (hidden, photograph) = (hidden(), image("large.jpg"));
    let harm = join_all((0..6).map(|_| embed(&app, hidden.clone())));
    let photographs = async {
        let begun = Instant::now();
        for at in 0..10 {
            // Unique bytes: an identical image would be decoded only once.
            embed(&app, [&photograph[..], &[at]].concat()).await.ok();
        }
        begun.elapsed()
    };
    let (_, took) = tokio::join!(harm, photographs);
    assert!(took < SOON, "{took:?}");
}

#[tokio::test]
async fn a_decoder_panic_is_an_internal_error_and_counted() {
    let app = narrow();
    // The server decodes one, and a worker the other.
    for name in ["tiny.png", "rgb.tiff"] {
        embed(&app, image(name)).await.refused(500, "internal");
    }
    assert_eq!(metric(&app, "siamese_decoder_failures_total").await, 2);
    assert_eq!(metric(&app, "siamese_workers_ended_total{reason=\"crash\"}").await, 0);
}

#[tokio::test]
async fn large_claimed_sizes_do_not_block_small_images() {
    let app = App::start();
    let claim = claim(7000);
    let claims = join_all((0..330_u32).map(|at| {
        let upload = [&claim[..], &at.to_le_bytes()].concat();
        let app = &app;
        async move { embed(app, upload).await.status }
    }));
    let pairs = async {
        let mut statuses = Vec::new();
        for _ in 0..30 {
            statuses.push(app.compare().await.status);
        }
        statuses
    };
    let (claims, pairs) = tokio::join!(claims, pairs);
    assert!(pairs.iter().all(|status| *status == StatusCode::OK), "{pairs:?}");
    assert!(
        claims.contains(&StatusCode::SERVICE_UNAVAILABLE),
        "the lane is never full: {claims:?}"
    );
    assert!(0 < metric(&app, "siamese_overloads_total{limit=\"decodes\"}").await);
}

#[tokio::test]
async fn pixels_requests_share_the_lane_limit() {
    let app = App::with(|settings| settings.image.queue = crate::app::at_most(1));
    let show = || app.post("/pixels", "image/jpeg", endless());
    let (first, second, ()) = tokio::join!(show(), show(), pass_deadline(&app));
    first.refused(504, "deadline_exceeded");
    second.refused(503, "overloaded");
}

#[tokio::test]
async fn a_pair_does_not_wait_for_another_slow_request() {
    let app = App::start();
    let (media, slow) = form(&[("a", &face(SAME[0])), ("b", &endless())]);
    let slow = app.post("/compare", &media, slow);
    let pair = async {
        // By now the other request has claimed both images.
        until_decoded(&app).await;
        app.compare().await.ok();
    };
    tokio::select! {
        biased;
        () = pair => {}
        response = slow => panic!("it ended first: {response:?}"),
    }
}

#[tokio::test]
async fn a_unit_model_rejects_stored_embeddings_of_another_length() {
    let app = App::start();
    let embedded = embed(&app, face(SAME[0])).await.ok().json();
    let embedding: Vec<f64> = embedded["embedding"]
        .as_array()
        .expect("numbers")
        .iter()
        .filter_map(serde_json::Value::as_f64)
        .collect();
    for (factor, is_taken) in
        [(0.0, false), (1.0, true), (1.0005, true), (1.01, false), (0.9, false)]
    {
        let scaled: Vec<f64> = embedding.iter().map(|value| value * factor).collect();
        let pair = json!({"a": {"embedding": embedding}, "b": {"embedding": scaled}});
        let response = app.json("/compare", &pair).await;
        if is_taken {
            response.ok();
        } else {
            assert_eq!(
                response.refused(422, "embedding_invalid").as_deref(),
                Some("b"),
                "{factor}"
            );
        }
    }
}

/// The model's input for an upload, as the server shows it.
async fn shown(app: &App, upload: &[u8]) -> Vec<u8> {
    let response = app.post("/pixels", "image/jpeg", upload.to_vec()).await.ok();
    image::load_from_memory(&response.body).expect("a PNG").into_bytes()
}

#[tokio::test]
async fn a_large_jpeg_is_reduced_as_far_as_the_card_states_unless_the_setting_is_exact() {
    let upload = image("reduced-orientation-6.jpg");
    let fast = App::start();
    let exact = App::sharing(shared(), |settings| settings.image.decode = Decode::Exact);
    let card = &fast.model.card;
    let measured = Reduction::from(card.reduction.expect("the card states it"));
    let planes = |reduction| {
        let planes = card.preprocessing.planes(&upload, &Limits::default(), reduction);
        planes.expect("planes").bytes().to_vec()
    };
    let [reduced, full] = [planes(measured), planes(Reduction::Never)];
    assert_ne!(reduced, full);
    let difference = |(a, b): (&u8, &u8)| a.abs_diff(*b);
    let largest = reduced.iter().zip(&full).map(difference).max();
    assert!(largest <= Some(8), "{largest:?}");
    assert_eq!(shown(&fast, &upload).await, reduced);
    assert_eq!(shown(&exact, &upload).await, full);
}
