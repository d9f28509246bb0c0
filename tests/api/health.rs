//! Health that is true: what the probes say of a model that hangs, errs, drifts or panics.

use std::sync::{Arc, Condvar, Mutex};

use siamese_core::model::{Embedded, LoadError, Model, ModelError, OnnxModel};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Embedding;

use crate::app::{App, TestResponse, load, milliseconds, shipped};
use crate::patience::eventually;

/// What a model does in its next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Right,
    Errs,
    Drifts,
    Hangs,
    Panics,
}

/// The shipped model, in a mood that the test sets.
struct Moody {
    model: OnnxModel,
    mood: Arc<(Mutex<Mood>, Condvar)>,
    /// How often it can begin anew.
    spare: usize,
}

impl Model for Moody {
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError> {
        let (mood, changed) = &*self.mood;
        let mood = changed.wait_while(mood.lock().expect("a mood"), |mood| *mood == Mood::Hangs);
        let mood = *mood.expect("a mood");
        match mood {
            Mood::Right | Mood::Hangs => self.model.embed(images),
            Mood::Errs => Err(ModelError::Shape { images: images.len(), width: 64, found: vec![] }),
            Mood::Drifts => Ok(vec![Embedding::new([0.0; 64]); images.len()]),
            Mood::Panics => panic!("asked to panic"),
        }
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        let none = || LoadError::Changed { path: "model.onnx".into() };
        self.spare = self.spare.checked_sub(1).ok_or_else(none)?;
        Ok(())
    }
}

/// A service whose self-test runs all the time, and what sets its model's mood.
fn moody(spare: usize) -> (App, impl Fn(Mood)) {
    let mood = Arc::new((Mutex::new(Mood::Right), Condvar::new()));
    let model = Moody { model: load(&shipped()), mood: mood.clone(), spare };
    let description = model.model.description().clone();
    let app = App::run_with(model, description, 64, |settings| {
        settings.health.self_test_interval_ms = milliseconds(5);
        settings.health.self_test_max_age_ms = milliseconds(3000);
        settings.server.deadline_ms = milliseconds(3000);
        settings.cache.max_bytes = 0;
    });
    let set = move |new| {
        *mood.0.lock().expect("a mood") = new;
        mood.1.notify_all();
    };
    (app, set)
}

/// What `/readyz` says once it is of this status.
async fn readyz(app: &App, status: u16) -> TestResponse {
    let mut response = app.get("/readyz").await;
    let is_so = async || {
        response = app.get("/readyz").await;
        response.status == status
    };
    eventually(&format!("/readyz is {status}"), is_so).await;
    response
}

#[tokio::test]
async fn a_model_that_errs_or_drifts_is_not_ready_until_it_is_right_again() {
    let (app, set) = moody(0);
    readyz(&app, 200).await;
    for mood in [Mood::Errs, Mood::Drifts] {
        set(mood);
        let response = readyz(&app, 503).await;
        response.refused(503, "not_ready");
        assert!(response.json()["detail"].as_str().expect("why").contains("self-test failed"));
        app.compare().await.refused(503, "not_ready");
        app.get("/livez").await.ok();

        set(Mood::Right);
        readyz(&app, 200).await;
        app.compare().await.ok();
    }
}

#[tokio::test]
async fn a_model_that_hangs_is_not_ready_and_hangs_no_request() {
    let (app, set) = moody(0);
    set(Mood::Hangs);
    let response = readyz(&app, 503).await;
    response.refused(503, "not_ready");
    app.compare().await.refused(504, "deadline_exceeded");
    app.get("/livez").await.ok();

    set(Mood::Right);
    readyz(&app, 200).await;
    app.compare().await.ok();
}

#[tokio::test]
async fn a_panic_is_counted_and_healed() {
    let (app, set) = moody(usize::MAX);
    set(Mood::Panics);
    readyz(&app, 503).await;
    set(Mood::Right);
    readyz(&app, 200).await;
    app.compare().await.ok();
    let text = String::from_utf8(app.get("/metrics").await.ok().body).expect("text");
    let count = |line: &str| -> u32 {
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        found.and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| panic!("{line}\n{text}"))
    };
    let panics = count(r#"siamese_model_failures_total{kind="panic"}"#);
    assert!(0 < panics);
    assert_eq!(count(r#"siamese_model_renewals_total{outcome="ok"}"#), panics);
}

#[tokio::test]
async fn without_a_fresh_session_a_panic_ends_in_not_ready() {
    let (app, set) = moody(0);
    set(Mood::Panics);
    readyz(&app, 503).await;
    app.until_metric(r#"siamese_model_renewals_total{outcome="failed"} 1"#).await;
    set(Mood::Right);
    app.compare().await.refused(503, "not_ready");
    readyz(&app, 503).await;
}
