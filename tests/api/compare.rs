//! `POST /compare`.

use serde_json::{Value, json};

use crate::app::{App, OTHER, SAME, base64, face};

async fn compare(app: &App, a: &[u8], b: &[u8], query: &str) -> Value {
    app.form(&format!("/compare{query}"), &[("a", a), ("b", b)]).await.ok().json()
}

#[tokio::test]
async fn two_images_of_one_identity_are_the_same_and_another_is_different() {
    let app = App::start();
    let same = compare(&app, &face(SAME[0]), &face(SAME[1]), "").await;
    let different = compare(&app, &face(SAME[0]), &face(OTHER), "").await;
    assert_eq!(same["verdict"], "same", "{same}");
    assert_eq!(different["verdict"], "different", "{different}");
    assert!(same["distance"].as_f64() < different["distance"].as_f64());
}

#[tokio::test]
async fn a_response_explains_its_verdict() {
    let app = App::start();
    let response = compare(&app, &face(SAME[0]), &face(SAME[1]), "").await;
    let card = &app.model.card;
    assert_eq!(response["threshold"].as_f64(), card.threshold.map(f64::from));
    assert_eq!(response["margin"].as_f64(), card.margin);
    assert!(response["probability"].as_f64().is_some_and(|number| 0.5 < number && number <= 1.0));
    assert_eq!(response["model"], json!({"name": card.name, "digest": app.model.digest}));
    let point = &response["operating_point"];
    assert_eq!(point["source"], "calibration");
    assert_eq!(point["same_pairs"], 450);
    assert_eq!(point["different_pairs"], 4500);
    for rate in ["fmr", "fnmr"] {
        assert!(point[rate].as_f64().is_some_and(|number| 0.0 < number && number < 0.2), "{point}");
    }
}

#[tokio::test]
async fn all_body_types_and_formats_give_one_distance() {
    let app = App::start();
    let [a, b] = SAME.map(face);
    let png = face("s5_1.png");
    let by_form = compare(&app, &png, &b, "").await["distance"].as_f64().expect("a distance");
    let (png, jpeg) = (base64(&png), base64(&b));
    for body in [
        json!({"a": png, "b": jpeg}),
        json!({"b": {"image": jpeg}, "a": {"image": format!("data:image/png;base64,{png}")}}),
    ] {
        let response = app.json("/compare", &body).await.ok().json();
        assert_eq!(response["distance"].as_f64(), Some(by_form));
    }
    let twice = compare(&app, &a, &a, "").await;
    assert_eq!((&twice["distance"], &twice["verdict"]), (&json!(0.0), &json!("same")));
}

#[tokio::test]
async fn stored_embeddings_are_compared_without_the_model() {
    let app = App::start();
    let mut stored = Vec::new();
    for name in SAME {
        let response = app.post("/embed", "image/jpeg", face(name)).await.ok().json();
        stored.push(
            json!({"embedding": response["embedding"], "digest": response["model"]["digest"]}),
        );
    }
    let of_images = compare(&app, &face(SAME[0]), &face(SAME[1]), "").await;
    for b in [stored[1].clone(), json!(base64(&face(SAME[1])))] {
        let response = app.json("/compare", &json!({"a": stored[0], "b": b})).await.ok().json();
        let (here, there) = (response["distance"].as_f64(), of_images["distance"].as_f64());
        let apart = here.zip(there).map(|(here, there)| (here - there).abs());
        assert!(apart.is_some_and(|apart| apart < 1e-5), "{here:?} {there:?}");
    }
}

#[tokio::test]
async fn a_request_may_name_its_threshold() {
    let app = App::start();
    let [a, b] = SAME.map(face);
    let strict = compare(&app, &a, &b, "?threshold=0").await;
    assert_eq!((&strict["verdict"], &strict["threshold"]), (&json!("different"), &json!(0.0)));
    assert_eq!(strict["operating_point"]["source"], "request");
    let lenient = compare(&app, &a, &face(OTHER), "?threshold=1e9").await;
    assert_eq!(lenient["verdict"], "same");
    assert_eq!(lenient["operating_point"]["fmr"], 1.0);
}

#[tokio::test]
async fn a_request_may_name_its_fmr() {
    let app = App::start();
    let [a, b] = SAME.map(face);
    let mut last = f64::INFINITY;
    for fmr in [0.1, 0.01] {
        let response = compare(&app, &a, &b, &format!("?fmr={fmr}")).await;
        let point = &response["operating_point"];
        assert_eq!(point["source"], "calibration");
        assert!(point["fmr"].as_f64().is_some_and(|number| number <= fmr), "{point}");
        let threshold = response["threshold"].as_f64().expect("a threshold");
        assert!(threshold < last, "a smaller FMR has a smaller threshold");
        last = threshold;
    }
    let response = app.form("/compare?fmr=0.000001", &[("a", &a), ("b", &b)]).await;
    response.refused(422, "operating_point_unsupported");
}

#[tokio::test]
async fn the_threshold_of_the_settings_overrides_the_models() {
    let app = App::with(|settings| settings.model.threshold = 0.125.try_into().ok());
    let response = compare(&app, &face(SAME[0]), &face(SAME[1]), "").await;
    assert_eq!(response["threshold"], 0.125);
    assert_eq!(response["operating_point"]["source"], "settings");
}
