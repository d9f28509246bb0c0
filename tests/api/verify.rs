//! `POST /verify`: the requests and responses of `DeepFace` clients.

use serde_json::{Value, json};

use crate::app::{App, OTHER, SAME, base64, face};

fn app() -> App {
    App::with(|settings| settings.server.verify = true)
}

fn body(other: &str, more: &Value) -> Value {
    let mut body = json!({"img1": base64(&face(SAME[0])), "img2": base64(&face(other))});
    let (body_members, more) = (body.as_object_mut(), more.as_object());
    body_members.expect("an object").extend(more.expect("an object").clone());
    body
}

#[tokio::test]
async fn verify_is_off_by_default() {
    App::start().json("/verify", &body(SAME[1], &json!({}))).await.refused(404, "not_found");
}

#[tokio::test]
async fn verify_gives_the_result_of_compare() {
    let app = app();
    let ours = app.compare().await.ok().json();
    let defaults = json!({
        "model_name": "VGG-Face", "detector_backend": "opencv", "align": true,
        "enforce_detection": false, "anti_spoofing": false
    });
    let theirs = app.json("/verify", &body(SAME[1], &defaults)).await.ok().json();
    assert_eq!(theirs["verified"], true);
    assert_eq!(theirs["distance"], ours["distance"]);
    assert_eq!(theirs["threshold"], ours["threshold"]);
    assert_eq!(theirs["model"], ours["model"]["name"]);
    assert_eq!(theirs["similarity_metric"], "euclidean_l2");
    assert!(theirs["time"].as_f64().is_some_and(|number| 0.0 < number));
    let other = app.json("/verify", &body(OTHER, &json!({}))).await.ok().json();
    assert_eq!(other["verified"], false);
}

#[tokio::test]
async fn cosine_and_euclidean_give_the_same_verdict() {
    let app = app();
    for other in [SAME[1], OTHER] {
        let by = async |metric: &str| {
            let body = body(other, &json!({"distance_metric": metric}));
            app.json("/verify", &body).await.ok().json()
        };
        let (l2, cosine) = (by("euclidean").await, by("cosine").await);
        assert_eq!(l2["verified"], cosine["verified"]);
        for field in ["distance", "threshold"] {
            let [l2, cosine] = [&l2, &cosine].map(|item| item[field].as_f64().expect("a number"));
            assert!((l2 * l2 / 2.0 - cosine).abs() < 1e-12);
        }
    }
}

#[tokio::test]
async fn a_form_is_accepted_too() {
    let app = app();
    let (first, second) = (face(SAME[0]), face(SAME[1]));
    let parts: [(&str, &[u8]); 4] = [
        ("img1", &first),
        ("img2", &second),
        ("model_name", b"Facenet"),
        ("distance_metric", b"cosine"),
    ];
    let response = app.form("/verify", &parts).await.ok().json();
    assert_eq!(
        (&response["verified"], &response["similarity_metric"]),
        (&json!(true), &json!("cosine"))
    );
}

#[tokio::test]
async fn unsupported_options_are_rejected() {
    let app = app();
    for (more, status, code, field) in [
        (json!({"anti_spoofing": true}), 400, "body_malformed", "anti_spoofing"),
        (json!({"distance_metric": "manhattan"}), 400, "body_malformed", "distance_metric"),
        (json!({"img1": 1}), 400, "body_malformed", "img1"),
        (json!({"img2": "https://example.com/a.jpg"}), 422, "base64_invalid", "img2"),
        (json!({"img2": ""}), 422, "image_empty", "img2"),
        (json!({"callback": "x"}), 400, "part_unexpected", "callback"),
    ] {
        let response = app.json("/verify", &body(SAME[1], &more)).await;
        assert_eq!(response.refused(status, code).as_deref(), Some(field));
    }
    let lone = app.json("/verify", &json!({"img1": base64(&face(SAME[0]))})).await;
    assert_eq!(lone.refused(400, "part_missing").as_deref(), Some("img2"));
}
