//! What answers about the service itself.

use axum::body::Body;
use axum::http::Request;

use crate::app::{App, SAME, face};

#[tokio::test]
async fn the_card_tells_the_tower_and_what_runs_it() {
    let app = App::start();
    let card = app.get("/model").await.ok().json();
    assert_eq!(card["name"], "faces");
    assert_eq!(card["digest"], app.tower.digest);
    assert_eq!(card["embedding"]["width"], app.tower.width);
    assert_eq!(card["device"], "cpu");
    assert_eq!(card["execution_provider"], "CPUExecutionProvider");
    assert_eq!(card["in_force"]["operating_point"]["source"], "calibration");
    assert!(card["threshold"].as_f64() < card["margin"].as_f64());
    assert!(card["operating_points"].as_array().is_some_and(|it| 50 < it.len()));
    assert!(card["provenance"].is_object(), "{}", card["provenance"]);
    assert!(card["golden_pairs"].as_u64() > Some(0));
}

#[tokio::test]
async fn a_stop_ends_readiness_and_not_life() {
    let app = App::start();
    app.get("/readyz").await.ok();
    app.readiness.stop();
    app.get("/readyz").await.refused(503, "not_ready");
    app.get("/livez").await.ok();
    app.form("/compare", &[("a", &face(SAME[0])), ("b", &face(SAME[1]))]).await.ok();
}

#[tokio::test]
async fn requests_and_verdicts_are_counted() {
    let app = App::start();
    app.form("/compare", &[("a", &face(SAME[0])), ("b", &face(SAME[1]))]).await.ok();
    app.form("/compare", &[("a", b"")]).await;
    let text = String::from_utf8(app.get("/metrics").await.ok().body).expect("text");
    for line in [
        r#"siamese_requests_total{route="/compare",status="200",code=""} 1"#,
        r#"siamese_requests_total{route="/compare",status="400",code="part_missing"} 1"#,
        r#"siamese_verdicts_total{verdict="same"} 1"#,
        r#"siamese_request_duration_seconds_count{route="/compare"} 2"#,
        r#"siamese_stage_seconds_count{stage="Tower"} 1"#,
        "siamese_ready 1",
        "siamese_in_flight_requests 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_and_work_has_its_timing() {
    let app = App::start();
    let ask = |id: &'static str| {
        Request::get("/livez").header("x-request-id", id).body(Body::empty()).expect("a request")
    };
    assert_eq!(app.send(ask("trace-7")).await.header("x-request-id"), "trace-7");
    for odd in ["", "a b", "<script>"] {
        let id = app.send(ask(odd)).await.header("x-request-id").to_owned();
        assert!(id.len() == 32 && id != odd, "{id}");
    }
    assert_eq!(app.get("/nowhere").await.header("x-request-id").len(), 32);

    let answer = app.form("/compare", &[("a", &face(SAME[0])), ("b", &face(SAME[1]))]).await;
    let timing = answer.header("server-timing").to_owned();
    for stage in ["decode", "queue", "tower", "total"] {
        let duration = timing
            .split(", ")
            .find_map(|it| it.strip_prefix(&format!("{stage};dur=")))
            .and_then(|it| it.parse::<f64>().ok());
        assert!(duration.is_some_and(|it| 0.0 <= it), "{stage} in {timing}");
    }
}
