//! The routes of the Open Inference Protocol.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use siamese_core::preprocessing::{Limits, Pixels};

use crate::app::{App, OTHER, SAME, TestResponse, base64, face};
use crate::openai::{from_bytes, locked, numbers};

/// Checks that the response is an error in the form of the Open Inference Protocol, with these words.
#[track_caller]
fn inference_error(response: &TestResponse, status: u16, words: &str) {
    assert_eq!(response.header("content-type"), "application/json", "{response:?}");
    let body = response.json();
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{body}");
    let text = body["error"].as_str().expect("an error");
    assert_eq!(response.status.as_u16(), status, "{text}");
    assert!(text.contains(words), "{text}");
}

fn preprocessed(app: &App, upload: &[u8]) -> Pixels {
    app.model.card.preprocessing.preprocess(upload, &Limits::default()).expect("pixels")
}

fn infer_path(app: &App) -> String {
    format!("/v2/models/{}/infer", app.model.card.name)
}

/// A request of images as base64.
fn images(names: &[&str]) -> Value {
    let data: Vec<_> = names.iter().map(|name| base64(&face(name))).collect();
    json!({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [data.len()], "data": data}]})
}

/// Sends JSON that bytes follow.
async fn infer(app: &App, json: &Value, binary: &[u8]) -> TestResponse {
    let json = json.to_string();
    let request = Request::post(infer_path(app))
        .header("inference-header-content-length", json.len())
        .body(Body::from([json.as_bytes(), binary].concat()))
        .expect("a request");
    app.send(request).await
}

/// The tensor of images in binary.
fn packed(images: &[Vec<u8>]) -> Vec<u8> {
    let length = |image: &[u8]| u32::try_from(image.len()).expect("a small image").to_le_bytes();
    images.iter().flat_map(|image| [&length(image)[..], image].concat()).collect()
}

fn in_binary(name: &str, datatype: &str, shape: &Value, size: usize) -> Value {
    let parameters = json!({"binary_data_size": size});
    json!({"inputs": [{"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}]})
}

#[tokio::test]
async fn an_inference_gives_the_embeddings_of_embed() {
    let app = App::start();
    let names = [SAME[0], OTHER];
    let both = names.map(|name| base64(&face(name)));
    let ours = app.json("/embed", &json!({"images": both})).await.ok().json();
    let expected: Vec<f32> = ours["results"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|item| numbers(&item["embedding"]))
        .collect();
    let mut body = images(&names);
    body["id"] = json!("mine");
    let answer = app.json(&infer_path(&app), &body).await.ok().json();
    assert_eq!(answer["model_name"], app.model.card.name);
    assert_eq!(answer["model_version"], app.model.digest);
    assert_eq!(answer["id"], "mine");
    let output = &answer["outputs"][0];
    assert_eq!((&output["name"], &output["datatype"]), (&json!("embedding"), &json!("FP32")));
    assert_eq!(output["shape"], json!([2, app.model.width]));
    assert_eq!(numbers(&output["data"]), expected);

    // A list for each image, and the version of the model.
    body["inputs"][0]["shape"] = json!([2, 1]);
    body["inputs"][0]["data"] = json!([[both[0]], [both[1]]]);
    let digest = app.model.digest.replace(':', "%3A");
    let path = format!("/v2/models/{0}/versions/{digest}/infer", app.model.card.name);
    assert_eq!(app.post(&path, "text/plain", body.to_string()).await.ok().json(), answer);

    // All in binary.
    let tensor = packed(&names.map(face));
    let mut body = in_binary("image", "BYTES", &json!([2]), tensor.len());
    body["outputs"] = json!([{"name": "embedding", "parameters": {"binary_data": true}}]);
    let response = infer(&app, &body, &tensor).await.ok();
    assert_eq!(response.header("content-type"), "application/octet-stream");
    let length: usize =
        response.header("inference-header-content-length").parse().expect("a length");
    let (head, binary) = response.body.split_at(length);
    let head: Value = serde_json::from_slice(head).expect("JSON");
    assert_eq!(head["outputs"][0]["parameters"]["binary_data_size"], binary.len());
    assert_eq!(head["outputs"][0]["data"], Value::Null);
    assert_eq!(from_bytes(binary), expected);
    assert!(response.header("server-timing").starts_with("cache;desc=\"2\""));
}

#[tokio::test]
async fn the_output_is_in_binary_as_the_request_says() {
    let app = App::start();
    for (outputs, all, is_binary) in [
        (json!([]), json!(null), false),
        (json!([]), json!(true), true),
        (json!([{"name": "embedding"}]), json!(true), true),
        (json!([{"name": "embedding", "parameters": {"binary_data": false}}]), json!(true), false),
        (json!([{"name": "embedding", "parameters": {"binary_data": true}}]), json!(false), true),
    ] {
        let mut body = images(&[SAME[0]]);
        body["id"] = json!(null);
        body["model_name"] = json!(app.model.card.name);
        body["outputs"] = outputs;
        body["parameters"] = json!({"priority": 1});
        if !all.is_null() {
            body["parameters"]["binary_data_output"] = all;
        }
        let response = app.json(&infer_path(&app), &body).await.ok();
        let found = response.headers.contains_key("inference-header-content-length");
        assert_eq!(found, is_binary, "{}", body["outputs"]);
    }
}

#[tokio::test]
async fn an_inference_takes_pixels() {
    let app = App::start();
    let [channels, height, width] = app.model.card.preprocessing.shape();
    let pixels = SAME.map(|name| preprocessed(&app, &face(name)).values().to_vec());
    let ours = app.json("/embed", &json!({"images": SAME.map(|name| base64(&face(name)))})).await;
    let ours = ours.ok().json();
    let shape = json!([2, channels, height, width]);
    let tensor: Vec<u8> = pixels.concat().into_iter().flat_map(f32::to_le_bytes).collect();
    let body = in_binary("pixels", "FP32", &shape, tensor.len());
    let by_binary = infer(&app, &body, &tensor).await.ok().json();
    let nested = |width| {
        let image = |image: &Vec<f32>| json!([image.chunks(width).collect::<Vec<_>>()]);
        json!(pixels.iter().map(image).collect::<Vec<_>>())
    };
    let input = |data| json!({"name": "pixels", "datatype": "FP32", "shape": shape, "data": data});
    for data in [json!(pixels.concat()), nested(width)] {
        let by_json = app.json(&infer_path(&app), &json!({"inputs": [input(data)]})).await;
        assert_eq!(by_json.ok().json(), by_binary);
    }
    // Rows of another length are those of another image.
    for data in [nested(height), json!(pixels)] {
        let body = json!({"inputs": [input(data)]});
        let response = app.json(&infer_path(&app), &body).await;
        inference_error(&response, 400, "inputs[0].data: the tensor must have as many elements");
    }
    for (found, expected) in numbers(&by_binary["outputs"][0]["data"])
        .chunks_exact(app.model.width)
        .zip(ours["results"].as_array().expect("a list"))
    {
        let deviation =
            found.iter().zip(numbers(&expected["embedding"])).map(|(a, b)| (a - b).abs());
        assert!(deviation.fold(0.0, f32::max) < 1e-5);
    }

    // Many images run in portions.
    let many = pixels[0].repeat(40);
    let shape = json!([40, channels, height, width]);
    let tensor: Vec<u8> = many.into_iter().flat_map(f32::to_le_bytes).collect();
    let body = in_binary("pixels", "FP32", &shape, tensor.len());
    let answer = infer(&app, &body, &tensor).await.ok().json();
    assert_eq!(answer["outputs"][0]["shape"], json!([40, app.model.width]));
}

#[tokio::test]
async fn pixels_that_no_image_has_are_refused() {
    let app = App::start();
    let [channels, height, width] = app.model.card.preprocessing.shape();
    let black = preprocessed(&app, b"P5 1 1 255\n\0").values().to_vec();
    let shape = json!([1, channels, height, width]);
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 255.0, -255.0, 1e38] {
        let mut pixels = black.clone();
        *pixels.last_mut().expect("a pixel") = wrong;
        let tensor: Vec<u8> = pixels.into_iter().flat_map(f32::to_le_bytes).collect();
        let response =
            infer(&app, &in_binary("pixels", "FP32", &shape, tensor.len()), &tensor).await;
        inference_error(
            &response,
            400,
            "inputs[0].data[0]: the pixels of channel 0 must be between",
        );
    }
    let tensor: Vec<u8> = black.iter().copied().flat_map(f32::to_le_bytes).collect();
    let turned = json!([1, height, width, channels]);
    let response = infer(&app, &in_binary("pixels", "FP32", &turned, tensor.len()), &tensor).await;
    inference_error(&response, 400, "inputs[0].shape: the model reads pixels of shape [n, 1,");
    let input = json!({"name": "pixels", "datatype": "FP32", "shape": shape, "data": black[1..]});
    let response = app.json(&infer_path(&app), &json!({"inputs": [input]})).await;
    inference_error(&response, 400, "inputs[0].data: the tensor must have as many elements");
}

#[tokio::test]
async fn an_invalid_inference_names_its_part() {
    let app = App::with(|settings| settings.server.max_images = 2.try_into().expect("not 0"));
    let image = base64(&face(SAME[0]));
    let input = |change: &dyn Fn(&mut Value)| {
        let mut input =
            json!({"name": "image", "datatype": "BYTES", "shape": [1], "data": [image]});
        change(&mut input);
        json!({"inputs": [input]})
    };
    let with = |name: &str, value: Value| input(&|input| input[name] = value.clone());
    let several = |count: usize| {
        input(&|input| {
            input["shape"] = json!([count]);
            input["data"] = json!(vec![image.clone(); count]);
        })
    };
    let huge = json!([1, usize::MAX, usize::MAX, usize::MAX]);
    for (body, status, words) in [
        (json!({}), 400, "inputs: this part is required"),
        (json!({"inputs": []}), 400, "inputs: a request must have one input"),
        (json!({"inputs": [{}]}), 400, "inputs[0].name: this part is required"),
        (json!({"inputs": [1]}), 400, "inputs[0]: the JSON is not an object"),
        (json!({"inputs": {}}), 400, "inputs: `inputs` must be a list"),
        (with("name", json!("text")), 400, "inputs[0]: the input must be image"),
        (with("name", json!(1)), 400, "inputs[0].name: the value must be text"),
        (with("name", json!("pixels")), 400, "inputs[0]: the input must be image"),
        (with("datatype", json!("FP32")), 400, "inputs[0]: the input must be image"),
        (with("shape", json!([2])), 400, "inputs[0].data: the tensor must have as many"),
        (with("shape", json!([1, 2])), 400, "inputs[0]: the input must be image"),
        (
            with("shape", json!([-1])),
            400,
            "inputs[0].shape: `shape` must be a list of whole numbers",
        ),
        (
            with("shape", json!(["1"])),
            400,
            "inputs[0].shape: `shape` must be a list of whole numbers",
        ),
        (
            with("shape", json!([1.5])),
            400,
            "inputs[0].shape: `shape` must be a list of whole numbers",
        ),
        (with("shape", json!([0])), 422, "inputs[0].shape: a request can embed 1 to 2 images"),
        (several(3), 422, "inputs[0].shape: a request can embed 1 to 2 images"),
        (with("data", json!(image)), 400, "inputs[0].data: `data` must be a list"),
        (with("data", json!([1])), 400, "inputs[0].data[0]: an image must be base64"),
        (with("data", json!([[[image]]])), 400, "inputs[0].data[0]: an image must be base64"),
        (with("data", json!([])), 400, "inputs[0].data: the tensor must have as many"),
        (with("data", json!(["%"])), 422, "inputs[0].data[0]: the text is not an image in base64"),
        (with("data", json!([""])), 422, "inputs[0].data[0]: the image is empty"),
        (with("data", json!(["aGVsbG8="])), 415, "inputs[0].data[0]: the data is not a JPEG"),
        (
            with("parameters", json!({"binary_data_size": 3})),
            400,
            "inputs[0].data: the tensor must be either",
        ),
        (
            with("parameters", json!({"classification": 3})),
            400,
            "inputs[0].parameters.classification: this part is not allowed",
        ),
        (with("extra", json!(1)), 400, "inputs[0].extra: this part is not allowed"),
        (in_binary("image", "BYTES", &json!([1]), 3), 400, "the tensor has 3 bytes, but 0 follow"),
        (
            in_binary("pixels", "FP32", &huge, 0),
            400,
            "inputs[0].shape: the tensor must have as many",
        ),
        (
            in_binary("pixels", "FP32", &json!([1, 0, 0, 0]), 0),
            400,
            "inputs[0].shape: the model reads",
        ),
    ] {
        inference_error(&app.json(&infer_path(&app), &body).await, status, words);
    }
}

#[tokio::test]
async fn an_unsupported_option_of_an_inference_is_refused() {
    let app = App::start();
    for (name, value, words) in [
        ("id", json!(1), "id: the value must be text"),
        ("outputs", json!([{"name": "logits"}]), "outputs[0].name: the model has one output"),
        (
            "outputs",
            json!([{"name": "embedding", "parameters": {"classification": 3}}]),
            "outputs[0].parameters.classification",
        ),
        (
            "outputs",
            json!([{"name": "embedding"}, {"name": "embedding"}]),
            "outputs: the model has one output",
        ),
        (
            "parameters",
            json!({"binary_data_output": 1}),
            "parameters.binary_data_output: the value must be true or false",
        ),
        ("parameters", json!(1), "parameters: the JSON is not an object"),
    ] {
        let mut body = images(&[SAME[0]]);
        body[name] = value;
        inference_error(&app.json(&infer_path(&app), &body).await, 400, words);
    }
}

#[tokio::test]
async fn a_malformed_tensor_in_binary_is_refused() {
    let app = App::start();
    let good = packed(&[face(SAME[0])]);
    let uneven = "inputs[0].data: the tensor must have as many elements";
    for tensor in [
        &b""[..],
        &good[..3],
        &good[..good.len() - 1],
        &[&good[..], &[0]].concat(),
        &[&good[..], &good[..]].concat(),
        &[0xff; 8],
    ] {
        let body = in_binary("image", "BYTES", &json!([1]), tensor.len());
        inference_error(&infer(&app, &body, tensor).await, 400, uneven);
    }
    inference_error(
        &infer(&app, &in_binary("image", "BYTES", &json!([1]), 4), &[0; 4]).await,
        422,
        "inputs[0].data[0]: the image is empty",
    );
    inference_error(&infer(&app, &images(&[SAME[0]]), &[0]).await, 400, "either in `data` or");
    let [one, _, _] = app.model.card.preprocessing.shape();
    let body = in_binary("pixels", "FP32", &json!([1, one, 1, 1]), 3);
    inference_error(&infer(&app, &body, &[0; 3]).await, 400, uneven);

    let body = images(&[SAME[0]]).to_string();
    for (length, words) in [
        ("x", "header must be one whole number"),
        ("-1", "header must be one whole number"),
        ("18446744073709551616", "header must be one whole number"),
        ("18446744073709551615", "the body is shorter than"),
        ("0", "the JSON is invalid"),
        ("10", "the JSON is invalid"),
    ] {
        let request =
            Request::post(infer_path(&app)).header("inference-header-content-length", length);
        let response = app.send(request.body(Body::from(body.clone())).expect("a request")).await;
        inference_error(&response, 400, words);
    }
}

#[tokio::test]
async fn the_inference_protocol_describes_the_server_and_its_model() {
    let app = App::start();
    let (name, digest) = (&app.model.card.name, app.model.digest.replace(':', "%3A"));
    let server = app.get("/v2").await.ok().json();
    assert_eq!(
        (&server["name"], &server["extensions"]),
        (&json!("siamese"), &json!(["binary_tensor_data"]))
    );
    assert_eq!(app.get("/v2/health/live").await.ok().json(), json!({"live": true}));
    app.until_metric("siamese_ready 1").await;
    assert_eq!(app.get("/v2/health/ready").await.ok().json(), json!({"ready": true}));
    let ready = json!({"name": name, "ready": true});
    let model = app.get(&format!("/v2/models/{name}")).await.ok().json();
    assert_eq!((&model["name"], &model["versions"]), (&json!(name), &json!([app.model.digest])));
    let [channels, height, width] = app.model.card.preprocessing.shape();
    assert_eq!(model["inputs"][0], json!({"name": "image", "datatype": "BYTES", "shape": [-1]}));
    assert_eq!(
        model["inputs"][1],
        json!({"name": "pixels", "datatype": "FP32", "shape": [-1, channels, height, width]})
    );
    assert_eq!(
        model["outputs"],
        json!([{"name": "embedding", "datatype": "FP32", "shape": [-1, app.model.width]}])
    );
    for (path, expected) in [
        (format!("/v2/models/{name}/ready"), &ready),
        (format!("/v2/models/{name}/versions/{digest}/ready"), &ready),
        (format!("/v2/models/{name}/versions/{digest}"), &model),
    ] {
        assert_eq!(app.get(&path).await.ok().json(), *expected);
    }
    for path in ["/v2/models/other", "/v2/models/other/ready"] {
        inference_error(&app.get(path).await, 404, "has no model \"other\"");
    }
    let version = app.get(&format!("/v2/models/{name}/versions/1")).await;
    inference_error(&version, 404, "has no version \"1\"");
    inference_error(&app.get("/v2/models").await, 404, "no resource");
    inference_error(&app.get(&infer_path(&app)).await, 405, "does not support this method");
    let other = app.json("/v2/models/other/infer", &images(&[SAME[0]])).await;
    inference_error(&other, 404, "the server has no model \"other\"");

    app.service.engine().readiness().stop();
    app.get("/v2/health/live").await.ok();
    for path in ["/v2/health/ready", &format!("/v2/models/{name}/ready")] {
        inference_error(&app.get(path).await, 503, "the server is stopping");
    }
}

#[tokio::test]
async fn the_inference_protocol_needs_a_key_except_for_health() {
    let app = locked("a-key-of-triton-0123456789");
    app.get("/v2/health/live").await.ok();
    for path in ["/v2", "/v2/models/orl", "/v2/models/orl/ready"] {
        inference_error(&app.get(path).await, 401, "a valid API key is required");
    }
}
