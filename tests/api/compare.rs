//! `POST /compare`

use serde_json::{Value, json};

use crate::app::{App, OTHER, SAME, base64, face};

async fn compare(app: &App, a: &[u8], b: &[u8], query: &str) -> Value {
    app.form(&format!("/compare{query}"), &[("a", a), ("b", b)]).await.ok().json()
}

#[tokio::test]
async fn a_person_is_the_same_and_another_is_different() {
    let app = App::start();
    let same = compare(&app, &face(SAME[0]), &face(SAME[1]), "").await;
    let different = compare(&app, &face(SAME[0]), &face(OTHER), "").await;
    assert_eq!(same["verdict"], "same", "{same}");
    assert_eq!(different["verdict"], "different", "{different}");
    assert!(same["distance"].as_f64() < different["distance"].as_f64());
}

#[tokio::test]
async fn an_answer_says_all_that_is_known_of_it() {
    let app = App::start();
    let answer = compare(&app, &face(SAME[0]), &face(SAME[1]), "").await;
    let card = &app.model.card;
    assert_eq!(answer["threshold"].as_f64(), card.threshold.map(f64::from));
    assert_eq!(answer["margin"].as_f64(), card.margin);
    assert!(answer["probability"].as_f64().is_some_and(|it| 0.5 < it && it <= 1.0));
    assert_eq!(answer["model"], json!({"name": card.name, "digest": app.model.digest}));
    let point = &answer["operating_point"];
    assert_eq!(point["source"], "calibration");
    assert_eq!(point["same_pairs"], 450);
    assert_eq!(point["different_pairs"], 4500);
    for rate in ["fmr", "fnmr"] {
        assert!(point[rate].as_f64().is_some_and(|it| 0.0 < it && it < 0.2), "{point}");
    }
}

#[tokio::test]
async fn all_bodies_and_formats_give_one_distance() {
    let app = App::start();
    let [a, b] = SAME.map(face);
    let png = face("s5_1.png");
    let by_form = compare(&app, &png, &b, "").await["distance"].as_f64().expect("a distance");
    let (png, jpeg) = (base64(&png), base64(&b));
    for body in [
        json!({"a": png, "b": jpeg}),
        json!({"b": {"image": jpeg}, "a": {"image": format!("data:image/png;base64,{png}")}}),
    ] {
        let answer = app.json("/compare", &body).await.ok().json();
        assert_eq!(answer["distance"].as_f64(), Some(by_form));
    }
    let twice = compare(&app, &a, &a, "").await;
    assert_eq!((&twice["distance"], &twice["verdict"]), (&json!(0.0), &json!("same")));
}

#[tokio::test]
async fn stored_embeddings_are_compared_without_the_model() {
    let app = App::start();
    let mut stored = Vec::new();
    for name in SAME {
        let answer = app.post("/embed", "image/jpeg", face(name)).await.ok().json();
        stored.push(json!({"embedding": answer["embedding"], "digest": answer["model"]["digest"]}));
    }
    let of_images = compare(&app, &face(SAME[0]), &face(SAME[1]), "").await;
    for b in [stored[1].clone(), json!(base64(&face(SAME[1])))] {
        let answer = app.json("/compare", &json!({"a": stored[0], "b": b})).await.ok().json();
        let (here, there) = (answer["distance"].as_f64(), of_images["distance"].as_f64());
        let apart = here.zip(there).map(|(here, there)| (here - there).abs());
        assert!(apart.is_some_and(|it| it < 1e-5), "{here:?} {there:?}");
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
        let answer = compare(&app, &a, &b, &format!("?fmr={fmr}")).await;
        let point = &answer["operating_point"];
        assert_eq!(point["source"], "calibration");
        assert!(point["fmr"].as_f64().is_some_and(|it| it <= fmr), "{point}");
        let threshold = answer["threshold"].as_f64().expect("a threshold");
        assert!(threshold < last, "a smaller FMR has a smaller threshold");
        last = threshold;
    }
    let answer = app.form("/compare?fmr=0.000001", &[("a", &a), ("b", &b)]).await;
    answer.refused(422, "operating_point_unsupported");
}

#[tokio::test]
async fn the_operators_threshold_goes_before_the_models() {
    let app = App::with(|settings| settings.model.threshold = 0.125.try_into().ok());
    let answer = compare(&app, &face(SAME[0]), &face(SAME[1]), "").await;
    assert_eq!(answer["threshold"], 0.125);
    assert_eq!(answer["operating_point"]["source"], "settings");
}
