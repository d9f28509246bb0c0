//! `POST /compare/batch`.

use axum::body::Body;
use axum::http::header;
use serde_json::{Value, json};

use crate::app::{App, OTHER, SAME, base64, face, post};

fn results(response: &Value) -> &[Value] {
    response["results"].as_array().map(Vec::as_slice).expect("results")
}

/// Checks that a pair gets the same result as alone, except for rounding differences of the batch.
#[track_caller]
fn check_alike(found: &Value, alone: &Value) {
    let apart = found["distance"].as_f64().zip(alone["distance"].as_f64());
    assert!(apart.is_some_and(|(a, b)| (a - b).abs() < 1e-4), "{found} {alone}");
    for member in ["verdict", "threshold", "operating_point"] {
        assert_eq!(found[member], alone[member], "{member}");
    }
}

#[tokio::test]
async fn a_pair_in_a_batch_gets_the_same_result_as_alone() {
    let app = App::start();
    let [a, b] = SAME.map(|name| base64(&face(name)));
    let other = base64(&face(OTHER));
    let pairs = [json!({"a": a, "b": b}), json!({"a": a, "b": {"image": other}})];
    for query in ["", "?threshold=0.25", "?fmr=0.05"] {
        let body = json!({"pairs": pairs});
        let response = app.json(&format!("/compare/batch{query}"), &body).await.ok().json();
        assert_eq!(results(&response).len(), 2);
        for (found, pair) in results(&response).iter().zip(&pairs) {
            let alone = app.json(&format!("/compare{query}"), pair).await.ok().json();
            check_alike(found, &alone);
            assert!(found.get("model").is_none());
            assert_eq!(response["model"], alone["model"]);
        }
    }
}

#[tokio::test]
async fn one_image_is_compared_with_many() {
    let app = App::start();
    let [a, b] = SAME.map(face);
    let parts: [(&str, &[u8]); 4] = [("b", &b), ("a", &a), ("b", b"no image"), ("b", &a)];
    let response = app.form("/compare/batch", &parts).await.ok().json();
    let alone = app.form("/compare", &[("a", &a), ("b", &b)]).await.ok().json();
    let [first, bad, itself] = results(&response) else { panic!("{response}") };
    check_alike(first, &alone);
    assert_eq!(bad["error"]["code"], "image_format_unsupported");
    assert_eq!(bad["error"]["field"], "b[1]");
    assert_eq!(itself["distance"], 0.0);

    let parts: [(&str, &[u8]); 3] = [("a", b""), ("b", &b), ("b", &a)];
    let response = app.form("/compare/batch", &parts).await.ok().json();
    for failed in results(&response) {
        assert_eq!(failed["error"]["code"], "image_empty");
        assert_eq!(failed["error"]["field"], "a");
    }
}

#[tokio::test]
async fn one_source_in_json_is_compared_with_many() {
    let app = App::of(crate::app::load(&crate::app::shipped()));
    let [a, b] = SAME.map(|name| base64(&face(name)));
    let stored = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok().json();
    let stored = json!({"embedding": stored["embedding"], "digest": stored["model"]["digest"]});
    let alone = app.json("/compare", &json!({"a": a, "b": b})).await.ok().json();
    for one in [json!(a), json!({"image": a}), stored] {
        let others = json!([b, base64(b"no image"), "%%%", {"url": ""}, a]);
        let body = json!({"a": one, "b": others});
        let response = app.json("/compare/batch", &body).await.ok().json();
        let [first, bad, unread, odd, itself] = results(&response) else { panic!("{response}") };
        check_alike(first, &alone);
        assert!(itself["distance"].as_f64().is_some_and(|distance| distance < 1e-4), "{itself}");
        for (failed, code, field) in [
            (bad, "image_format_unsupported", "b[1]"),
            (unread, "base64_invalid", "b[2]"),
            (odd, "part_unexpected", "b[3].url"),
        ] {
            assert_eq!(failed["error"]["code"], code);
            assert_eq!(failed["error"]["field"], field);
        }
    }
    let metrics = String::from_utf8(app.get("/metrics").await.ok().body).expect("text");
    assert!(metrics.contains("siamese_batch_images_sum{model=\"orl\"} 2.0\n"), "{metrics}");
}

#[tokio::test]
async fn a_bad_source_that_is_compared_with_many_is_the_error_of_each_result() {
    let app = App::start();
    let good = base64(&face(SAME[0]));
    for (one, code, field) in [
        (json!(base64(b"no image")), "image_format_unsupported", "a"),
        (json!(""), "image_empty", "a"),
        (json!("%%%"), "base64_invalid", "a"),
        (json!(7), "body_malformed", "a"),
        (json!({"embedding": [1]}), "embedding_invalid", "a"),
        (json!({"embedding": [1], "digest": "sha256:00"}), "model_mismatch", "a"),
        (json!({"image": good, "url": ""}), "part_unexpected", "a.url"),
    ] {
        let body = json!({"a": one, "b": [good, {"image": good}]});
        let response = app.json("/compare/batch", &body).await.ok().json();
        assert_eq!(results(&response).len(), 2);
        for failed in results(&response) {
            assert_eq!(failed["error"]["code"], code, "{failed}");
            assert_eq!(failed["error"]["field"], field);
        }
    }
}

#[tokio::test]
async fn a_bad_pair_fails_alone_and_names_the_field() {
    let app = App::start();
    let good = base64(&face(SAME[0]));
    let stored = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok().json();
    let stored = json!({"embedding": stored["embedding"], "digest": stored["model"]["digest"]});
    let pairs = json!([
        {"a": stored, "b": good},
        {"a": good, "b": "%%%"},
        {"a": good},
        {"a": good, "b": good, "c": good},
        {"a": base64(b"no image"), "b": good},
        {"a": good, "b": base64(b"no image")},
        {"a": {"embedding": [1, 2]}, "b": good},
        {"a": {"embedding": [1], "digest": "sha256:00"}, "b": good},
        {"a": {"image": good, "url": ""}, "b": good},
        7,
        {"a": good, "b": good},
    ]);
    let response = app.json("/compare/batch", &json!({"pairs": pairs})).await.ok().json();
    let expected = [
        None,
        Some(("base64_invalid", "pairs[1].b")),
        Some(("part_missing", "pairs[2].b")),
        Some(("part_unexpected", "pairs[3].c")),
        Some(("image_format_unsupported", "pairs[4].a")),
        Some(("image_format_unsupported", "pairs[5].b")),
        Some(("embedding_invalid", "pairs[6].a")),
        Some(("model_mismatch", "pairs[7].a")),
        Some(("part_unexpected", "pairs[8].a.url")),
        Some(("body_malformed", "pairs[9]")),
        None,
    ];
    let found: Vec<_> = results(&response)
        .iter()
        .map(|item| Some((item["error"]["code"].as_str()?, item["error"]["field"].as_str()?)))
        .collect();
    assert_eq!(found, expected);
    for good in [&results(&response)[0], &results(&response)[10]] {
        assert!(good["distance"].as_f64().is_some_and(|number| number < 1e-4), "{good}");
    }
}

#[tokio::test]
async fn an_image_in_several_pairs_is_embedded_once() {
    for cached in [0, 1 << 20] {
        let app = App::with_model_and_settings(
            crate::app::load(&crate::app::shipped()),
            crate::app::shared().1.clone(),
            256,
            |settings| settings.cache.max_bytes = cached,
        );
        let [a, b] = SAME.map(|name| base64(&face(name)));
        let other = base64(&face(OTHER));
        let pair = |a: &str, b: &str| json!({"a": a, "b": b});
        let pairs = [pair(&a, &b), pair(&b, &a), pair(&a, &a), pair(&a, &other), pair(&b, &other)];
        let body = json!({"pairs": pairs});
        let response = app.json("/compare/batch", &body).await.ok().json();
        assert_eq!(results(&response)[0], results(&response)[1]);
        assert_eq!(results(&response)[2]["distance"], 0.0);
        let metrics = String::from_utf8(app.get("/metrics").await.ok().body).expect("text");
        assert!(metrics.contains("siamese_batch_images_sum{model=\"orl\"} 3.0\n"), "{metrics}");
    }
}

#[tokio::test]
async fn results_of_several_portions_are_in_order() {
    let app = App::with(|settings| settings.cache.max_bytes = 0);
    let faces: Vec<String> = (0..100)
        .map(|at: u8| {
            base64(&[face([SAME[0], SAME[1], OTHER][usize::from(at % 3)]), vec![at]].concat())
        })
        .collect();
    let pairs: Vec<Value> = faces.iter().map(|face| json!({"a": faces[0], "b": face})).collect();
    let response = app.json("/compare/batch", &json!({"pairs": pairs})).await.ok().json();
    let alone = [&faces[0], &faces[1], &faces[2]].map(|face| json!({"a": faces[0], "b": face}));
    let mut expected = Vec::new();
    for pair in &alone {
        expected.push(app.json("/compare", pair).await.ok().json());
    }
    for (at, found) in results(&response).iter().enumerate() {
        check_alike(found, &expected[at % 3]);
    }
    assert_eq!(results(&response).len(), faces.len());
}

#[tokio::test]
async fn an_invalid_list_of_pairs_is_rejected() {
    let app = App::with(|settings| settings.server.max_pairs = 2.try_into().expect("not 0"));
    let image = face(SAME[0]);
    let pair = json!({"a": base64(&image), "b": base64(&image)});
    for (body, status, code, field) in [
        (json!({}), 400, "part_missing", Some("pairs")),
        (json!({"pairs": {}}), 400, "body_malformed", Some("pairs")),
        (json!({"pairs": [pair], "threshold": 1}), 400, "part_unexpected", Some("threshold")),
        (json!([pair]), 400, "body_malformed", None),
        (json!({"pairs": []}), 422, "batch_too_large", Some("pairs")),
        (json!({"pairs": [pair, pair, pair]}), 422, "batch_too_large", Some("pairs")),
        (json!({"a": 1}), 400, "part_missing", Some("b")),
        (json!({"b": [1]}), 400, "part_missing", Some("a")),
        (json!({"a": 1, "b": 1}), 400, "body_malformed", Some("b")),
        (json!({"a": 1, "b": [1], "c": 1}), 400, "part_unexpected", Some("c")),
        (json!({"a": 1, "b": []}), 422, "batch_too_large", Some("b")),
        (json!({"a": 1, "b": [1, 1, 1]}), 422, "batch_too_large", Some("b")),
        (json!({"pairs": [pair], "a": 1, "b": [1]}), 400, "body_malformed", None),
        (json!({"a": 1, "b": [1], "pairs": [pair]}), 400, "body_malformed", None),
    ] {
        let response = app.json("/compare/batch", &body).await;
        assert_eq!(response.refused(status, code).as_deref(), field, "{body}");
    }
    let part: (&str, &[u8]) = ("b", &image);
    let a: (&str, &[u8]) = ("a", &image);
    for (parts, status, code, field) in [
        (vec![part, part], 400, "part_missing", "a"),
        (vec![a], 400, "part_missing", "b"),
        (vec![a, a, part], 400, "part_repeated", "a"),
        (vec![a, part, part, part], 422, "batch_too_large", "b"),
    ] {
        let response = app.form("/compare/batch", &parts).await;
        assert_eq!(response.refused(status, code).as_deref(), Some(field));
    }
    let raw = app.post("/compare/batch", "image/png", image).await;
    raw.refused(415, "media_type_unsupported");
    app.json("/compare/batch?fmr=2", &json!({})).await.refused(400, "query_invalid");
}

#[tokio::test]
async fn bulk_requests_beyond_the_limit_are_rejected_and_pairs_are_not() {
    let app = App::with(|settings| settings.model.bulk_queue = 6.try_into().expect("not 0"));
    let pairs = |from: u8| -> Value {
        let image = |at| base64(&[face(SAME[0]), vec![at]].concat());
        let pairs = (0..2).map(|at| json!({"a": image(from + at), "b": image(from + 2 + at)}));
        json!({"pairs": pairs.collect::<Vec<_>>()})
    };
    let (first, second) = (pairs(0), pairs(4));
    let (first, second, pair) = tokio::join!(
        app.json("/compare/batch", &first),
        app.json("/compare/batch", &second),
        app.compare(),
    );
    first.ok();
    second.refused(503, "overloaded");
    pair.ok();
    app.json("/compare/batch", &pairs(8)).await.ok();
}

async fn embed(app: &App, accept: &str, parts: &[(&str, &[u8])]) -> crate::app::TestResponse {
    let (media, body) = crate::app::form(parts);
    let request = post("/embed", &media).header(header::ACCEPT, accept);
    app.send(request.body(Body::from(body)).expect("a request")).await
}

#[tokio::test]
async fn several_embeddings_are_sent_in_binary_form_on_request() {
    let app = App::start();
    let [a, b] = SAME.map(face);
    let parts: [(&str, &[u8]); 3] = [("image", &a), ("image", &b), ("image", &a)];
    let listed = app.form("/embed", &parts).await.ok().json();
    let listed: Vec<f32> = results(&listed)
        .iter()
        .flat_map(|item| {
            serde_json::from_value::<Vec<f32>>(item["embedding"].clone()).expect("numbers")
        })
        .collect();
    let listed: Vec<u8> = listed.into_iter().flat_map(f32::to_le_bytes).collect();
    let shape = format!("3,{}", app.model.width);

    let rows = embed(&app, "application/octet-stream", &parts).await.ok();
    assert_eq!(rows.header("siamese-shape"), shape);
    assert_eq!(rows.header("siamese-model-digest"), app.model.digest);
    assert_eq!(rows.body, listed);

    let npy = embed(&app, "application/x-npy", &parts).await.ok();
    assert_eq!(npy.header("content-type"), "application/x-npy");
    let (head, numbers) = npy.body.split_at(npy.body.len() - listed.len());
    assert_eq!((head.len() % 64, numbers), (0, listed.as_slice()));
    let dictionary = String::from_utf8_lossy(&head[10..]);
    assert!(dictionary.contains(&format!("'shape': (3, {})", app.model.width)), "{dictionary}");

    let one = embed(&app, "application/x-npy", &parts[..1]).await.ok();
    assert_eq!(one.header("siamese-shape"), app.model.width.to_string());
}

#[tokio::test]
async fn the_binary_form_needs_every_image_to_succeed() {
    let app = App::start();
    let good = face(SAME[0]);
    let parts: [(&str, &[u8]); 2] = [("image", &good), ("image", b"no image")];
    let response = embed(&app, "application/x-npy", &parts).await;
    let field = response.refused(415, "image_format_unsupported");
    assert_eq!(field.as_deref(), Some("images[1]"));
}
