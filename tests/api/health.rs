//! Health: what the probes report of a model that hangs, fails, drifts or panics.

use std::sync::{Arc, Condvar, Mutex};

use siamese_core::model::{Embedded, LoadError, Model, ModelError, OnnxModel};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Embedding;

use crate::app::{App, TestResponse, load, milliseconds, shipped};
use crate::patience::eventually;

/// What the model does in its next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Right,
    Fails,
    Drifts,
    Hangs,
    Panics,
}

/// The shipped model, with a behaviour that the test sets.
struct FaultyModel {
    model: OnnxModel,
    behaviour: Arc<(Mutex<Behaviour>, Condvar)>,
    /// How often its session can restart.
    spare: usize,
}

impl Model for FaultyModel {
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError> {
        let (behaviour, changed) = &*self.behaviour;
        let behaviour = changed.wait_while(behaviour.lock().expect("a behaviour"), |behaviour| {
            *behaviour == Behaviour::Hangs
        });
        let behaviour = *behaviour.expect("a behaviour");
        match behaviour {
            Behaviour::Right | Behaviour::Hangs => self.model.embed(images),
            Behaviour::Fails => {
                Err(ModelError::Shape { images: images.len(), width: 64, found: vec![] })
            }
            Behaviour::Drifts => Ok(vec![Embedding::new([0.0; 64]); images.len()]),
            Behaviour::Panics => panic!("a test panic"),
        }
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        let none = || LoadError::Changed { path: "model.onnx".into() };
        self.spare = self.spare.checked_sub(1).ok_or_else(none)?;
        Ok(())
    }
}

/// A service that runs its self-test continuously, and a function that sets the behaviour of its model.
fn faulty(spare: usize) -> (App, impl Fn(Behaviour)) {
    let behaviour = Arc::new((Mutex::new(Behaviour::Right), Condvar::new()));
    let model = FaultyModel { model: load(&shipped()), behaviour: behaviour.clone(), spare };
    let description = model.model.description().clone();
    let app = App::with_model_and_settings(model, description, 64, |settings| {
        settings.health.self_test_interval_ms = milliseconds(5);
        settings.health.self_test_max_age_ms = milliseconds(3000);
        settings.server.deadline_ms = milliseconds(3000);
        settings.cache.max_bytes = 0;
    });
    let set = move |new| {
        *behaviour.0.lock().expect("a behaviour") = new;
        behaviour.1.notify_all();
    };
    (app, set)
}

/// The response of `/readyz` once it has this status.
async fn readyz(app: &App, status: u16) -> TestResponse {
    let mut response = app.get("/readyz").await;
    let has_status = async || {
        response = app.get("/readyz").await;
        response.status == status
    };
    eventually(&format!("/readyz is {status}"), has_status).await;
    response
}

#[tokio::test]
async fn a_model_that_fails_or_drifts_is_not_ready_until_it_recovers() {
    let (app, set) = faulty(0);
    readyz(&app, 200).await;
    for behaviour in [Behaviour::Fails, Behaviour::Drifts] {
        set(behaviour);
        let response = readyz(&app, 503).await;
        response.refused(503, "not_ready");
        assert!(response.json()["detail"].as_str().expect("why").contains("self-test failed"));
        app.compare().await.refused(503, "not_ready");
        app.get("/livez").await.ok();

        set(Behaviour::Right);
        readyz(&app, 200).await;
        app.compare().await.ok();
    }
}

#[tokio::test]
async fn a_model_that_hangs_is_not_ready_and_requests_time_out() {
    let (app, set) = faulty(0);
    set(Behaviour::Hangs);
    let response = readyz(&app, 503).await;
    response.refused(503, "not_ready");
    app.compare().await.refused(504, "deadline_exceeded");
    app.get("/livez").await.ok();

    set(Behaviour::Right);
    readyz(&app, 200).await;
    app.compare().await.ok();
}

#[tokio::test]
async fn a_panic_is_counted_and_the_session_restarts() {
    let (app, set) = faulty(usize::MAX);
    set(Behaviour::Panics);
    readyz(&app, 503).await;
    set(Behaviour::Right);
    readyz(&app, 200).await;
    app.compare().await.ok();
    let text = String::from_utf8(app.get("/metrics").await.ok().body).expect("text");
    let count = |line: &str| -> u32 {
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        found.and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| panic!("{line}\n{text}"))
    };
    let panics = count(r#"siamese_model_failures_total{model="orl",kind="panic"}"#);
    assert!(0 < panics);
    assert_eq!(count(r#"siamese_model_renewals_total{model="orl",outcome="ok"}"#), panics);
}

#[tokio::test]
async fn a_panic_without_a_new_session_makes_the_server_not_ready() {
    let (app, set) = faulty(0);
    set(Behaviour::Panics);
    readyz(&app, 503).await;
    app.until_metric(r#"siamese_model_renewals_total{model="orl",outcome="failed"} 1"#).await;
    set(Behaviour::Right);
    app.compare().await.refused(503, "not_ready");
    readyz(&app, 503).await;
}
