//! Routes about the service itself.

use std::fs;
use std::path::PathBuf;

use axum::body::Body;
use axum::http::Request;
use tempfile::TempDir;

use crate::app::{App, SAME, face, fixture, load};

/// A generated model whose sidecar has a provenance.
fn with_provenance(provenance: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("plain.onnx");
    fs::copy(fixture("models/plain.onnx"), &path).expect("copied");
    let sidecar = format!("input = 4\ncolour = \"grey\"\nprovenance = '{provenance}'\n");
    fs::write(path.with_extension("toml"), sidecar).expect("written");
    (folder, path)
}

#[tokio::test]
async fn the_card_describes_the_model_and_its_device() {
    let app = App::start();
    let card = app.get("/model").await.ok().json();
    assert_eq!(card["name"], "orl");
    assert_eq!(card["digest"], app.model.digest);
    assert_eq!(card["embedding"]["width"], app.model.width);
    assert_eq!(card["device"], "cpu");
    assert_eq!(card["execution_provider"], "CPUExecutionProvider");
    assert_eq!(card["in_force"]["operating_point"]["source"], "calibration");
    assert!(Some(0.0) < card["threshold"].as_f64());
    assert!(card["operating_points"].as_array().is_some_and(|points| 50 < points.len()));
    assert!(card["provenance"].is_object(), "{}", card["provenance"]);
    for statement in ["purpose", "limits"] {
        assert!(card[statement].as_str().is_some_and(|text| text.ends_with('.')), "{statement}");
    }
    assert!(card["golden_pairs"].as_u64() > Some(0));
}

#[tokio::test]
async fn held_out_identities_are_counted_but_not_named() {
    let (_folder, path) =
        with_provenance(r#"{"data": {"digest": "sha256:00"}, "held_out": ["Ann Smith", "Bob"]}"#);
    let model = load(&path);
    let metadata = model.card().to_metadata();
    assert!(metadata.iter().all(|(_, value)| !value.contains("Ann Smith")), "{metadata:?}");
    let card = App::of(model).get("/model").await.ok().json();
    let held_out = &card["provenance"]["held_out"];
    assert_eq!(held_out["count"], 2);
    assert!(held_out["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
    assert_eq!(held_out.as_object().map(serde_json::Map::len), Some(2), "{held_out}");
}

#[tokio::test]
async fn a_stop_ends_readiness_but_not_liveness() {
    let app = App::start();
    app.get("/readyz").await.ok();
    app.service.engine().readiness().stop();
    app.get("/readyz").await.refused(503, "not_ready");
    app.get("/livez").await.ok();
    app.form("/compare", &[("a", &face(SAME[0])), ("b", &face(SAME[1]))]).await.ok();
}

#[tokio::test]
async fn requests_and_verdicts_are_counted() {
    let app = App::start();
    app.form("/compare", &[("a", &face(SAME[0])), ("b", &face(SAME[1]))]).await.ok();
    app.form("/compare", &[("a", b"")]).await;
    let digest = &app.model.digest;
    let expected = [
        r#"siamese_requests_total{route="/compare",status="200",code=""} 1"#,
        r#"siamese_requests_total{route="/compare",status="400",code="part_missing"} 1"#,
        r#"siamese_request_duration_seconds_count{route="/compare",outcome="answered"} 1"#,
        r#"siamese_request_duration_seconds_count{route="/compare",outcome="refused"} 1"#,
        r#"siamese_stage_seconds_count{model="orl",stage="decode"} 1"#,
        r#"siamese_stage_seconds_count{model="orl",stage="queue"} 1"#,
        r#"siamese_stage_seconds_count{model="orl",stage="model"} 1"#,
        r#"siamese_overloads_total{limit="queue"} 0"#,
        &format!(r#"siamese_verdicts_total{{verdict="same",digest="{digest}"}} 1"#),
        &format!(r#"siamese_verdicts_total{{verdict="different",digest="{digest}"}} 0"#),
        "siamese_ready 1",
        "siamese_in_flight_requests 0",
        "siamese_in_flight_requests_max 1024",
        r#"siamese_queue_max{model="orl"} 320.0"#,
        r#"siamese_self_test_max_age_seconds{model="orl"} 45.0"#,
    ];
    check_metrics(&app, &expected).await;
}

#[tokio::test]
async fn distances_are_counted_by_model_and_verdict() {
    let app = App::start();
    let pair = [("a", &*face(SAME[0])), ("b", &*face(SAME[1]))];
    let distance = app.form("/compare", &pair).await.ok().json()["distance"].as_f64();
    let distance = distance.expect("a number");
    let [inside, outside] = [distance + 0.04, distance - 0.04];
    app.form(&format!("/compare?threshold={inside}"), &pair).await.ok();
    app.form(&format!("/compare?threshold={outside}"), &pair).await.ok();
    app.form(&format!("/compare?threshold={distance}"), &pair).await.ok();

    let digest = &app.model.digest;
    let gap = |verdict, le| {
        format!(
            r#"siamese_threshold_gap_bucket{{le="{le}",verdict="{verdict}",digest="{digest}"}}"#
        )
    };
    let expected = [
        // A pair exactly at the threshold is the same.
        &format!("{} 1", gap("same", "0.01")),
        &format!("{} 1", gap("same", "0.02")),
        &format!("{} 2", gap("same", "0.05")),
        &format!("{} 0", gap("different", "0.02")),
        &format!("{} 1", gap("different", "0.05")),
        &format!(r#"siamese_distance_count{{digest="{digest}"}} 4"#),
        &format!(r#"siamese_distance_bucket{{le="20.0",digest="{digest}"}} 4"#),
        &format!(r#"siamese_distance_bucket{{le="0.1",digest="{digest}"}} 0"#),
    ];
    check_metrics(&app, &expected.map(String::as_str)).await;
}

#[tokio::test]
async fn an_image_that_fails_alone_is_counted() {
    let app = App::start();
    let images: [(&str, &[u8]); 2] = [("image", &face(SAME[0])), ("image", b"no image")];
    app.form("/embed", &images).await.ok();
    let expected = r#"siamese_item_problems_total{code="image_format_unsupported"} 1"#;
    check_metrics(&app, &[expected]).await;
}

#[tokio::test]
async fn clients_cannot_create_labels() {
    let app = App::start();
    for (method, path) in [("GET", "/evil"), ("EVIL", "/compare"), ("EVIL", "/nowhere")] {
        let request = Request::builder().method(method).uri(path).body(Body::empty());
        app.send(request.expect("a request")).await;
    }
    let text = metrics(&app).await;
    assert!(!text.to_lowercase().contains("evil") && !text.contains("nowhere"), "{text}");
    let expected = [
        r#"siamese_requests_total{route="other",status="404",code="not_found"} 2"#,
        r#"siamese_requests_total{route="/compare",status="405",code="method_not_allowed"} 1"#,
    ];
    check_metrics(&app, &expected).await;
}

#[tokio::test]
async fn metrics_follow_the_accept_header() {
    // The header that Prometheus sends.
    const SCRAPE: &str =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    let app = App::start();
    let scrape = Request::get("/metrics").header("accept", SCRAPE).body(Body::empty());
    let open = app.send(scrape.expect("a request")).await.ok();
    assert!(open.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(open.body.ends_with(b"# EOF\n"));

    let plain = app.get("/metrics").await.ok();
    assert!(plain.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(plain.body).expect("text");
    assert!(text.contains("# TYPE siamese_requests_total counter\n"), "{text}");
    assert!(text.contains("# TYPE siamese_model_info gauge\n"), "{text}");
}

async fn metrics(app: &App) -> String {
    String::from_utf8(app.get("/metrics").await.ok().body).expect("text")
}

async fn check_metrics(app: &App, lines: &[&str]) {
    let text = metrics(app).await;
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn every_response_has_an_id_and_model_responses_have_timings() {
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

    let response = app.form("/compare", &[("a", &face(SAME[0])), ("b", &face(SAME[1]))]).await;
    let timing = response.header("server-timing").to_owned();
    for stage in ["decode", "queue", "model", "total"] {
        let duration = timing
            .split(", ")
            .find_map(|text| text.strip_prefix(&format!("{stage};dur=")))
            .and_then(|text| text.parse::<f64>().ok());
        assert!(duration.is_some_and(|duration| 0.0 <= duration), "{stage} in {timing}");
    }
}
