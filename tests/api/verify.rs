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

/// A form whose parts have no file names.
fn text_form(parts: &[(&str, &str)]) -> Vec<u8> {
    let parts = parts.iter().map(|(name, text)| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    });
    [parts.collect::<String>().as_bytes(), b"--x--\r\n"].concat()
}

#[tokio::test]
async fn the_fields_of_a_form_may_be_base64() {
    let app = app();
    let expected = app.json("/verify", &body(SAME[1], &json!({}))).await.ok().json();
    let [first, second] = SAME.map(|name| base64(&face(name)));
    let uri = format!("data:image/jpeg;base64,{second}");
    let multipart = "multipart/form-data; boundary=x";
    let url_encoded = "application/x-www-form-urlencoded";
    let escaped = |text: &str| text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    for (media, body) in [
        (multipart, text_form(&[("img1", &first), ("img2", &uri), ("anti_spoofing", "False")])),
        (url_encoded, format!("img1={}&img2={}", escaped(&first), escaped(&uri)).into_bytes()),
        // As by `curl -d`: the form decoder makes each `+` a space.
        (url_encoded, format!("img2={second}&img1={first}&align=true").into_bytes()),
    ] {
        let response = app.post("/verify", media, body).await.ok().json();
        assert_eq!(response["distance"], expected["distance"]);
    }
    // A client that gives no file name to a file.
    let parts = [&b"--x\r\nContent-Disposition: form-data; name=img1\r\n\r\n"[..], &face(SAME[0])];
    let body = [&parts.concat(), &b"\r\n"[..], &text_form(&[("img2", &second)])].concat();
    let response = app.post("/verify", multipart, body).await.ok().json();
    assert_eq!(response["distance"], expected["distance"]);

    for (media, body, status, code, field) in [
        (multipart, text_form(&[("img1", &first)]), 400, "part_missing", "img2"),
        (multipart, text_form(&[("img1", &first), ("img2", "%")]), 422, "base64_invalid", "img2"),
        (url_encoded, b"img1=%25&img2=".to_vec(), 422, "base64_invalid", "img1"),
        (url_encoded, b"img1=&img1=".to_vec(), 400, "part_repeated", "img1"),
        (url_encoded, b"img1=&img3=".to_vec(), 400, "part_unexpected", "img3"),
        (url_encoded, b"".to_vec(), 400, "part_missing", "img1"),
    ] {
        let response = app.post("/verify", media, body).await;
        assert_eq!(response.refused(status, code).as_deref(), Some(field));
    }
    app.post("/compare", url_encoded, "a=").await.refused(415, "media_type_unsupported");
    app.post("/embed", url_encoded, "image=").await.refused(415, "media_type_unsupported");
}

#[tokio::test]
async fn an_option_is_off_in_each_usual_form() {
    let app = app();
    for off in [json!(false), json!(0), json!(0.0), json!(null), json!("false"), json!("0")] {
        let options = json!({"anti_spoofing": off, "distance_metric": null});
        app.json("/verify", &body(SAME[1], &options)).await.ok();
    }
    for on in [json!(true), json!(1), json!("true"), json!("yes"), json!([]), json!({})] {
        let response = app.json("/verify", &body(SAME[1], &json!({"anti_spoofing": on}))).await;
        assert_eq!(response.refused(400, "body_malformed").as_deref(), Some("anti_spoofing"));
        let detail = response.json()["detail"].to_string();
        assert!(detail.contains("no anti-spoofing"), "{detail}");
    }
}

#[tokio::test]
async fn a_url_is_refused_with_the_way_out() {
    let app = app();
    for url in ["https://example.com/a.jpg", "http://localhost/a", "file:///tmp/a", "s3://a/b"] {
        let response = app.json("/verify", &body(SAME[1], &json!({"img2": url}))).await;
        assert_eq!(response.refused(422, "base64_invalid").as_deref(), Some("img2"));
        let detail = response.json()["detail"].to_string();
        assert!(detail.contains("it is a URL, and the server fetches nothing; send"), "{detail}");
    }
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
