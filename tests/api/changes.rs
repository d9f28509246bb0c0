//! Changes between two images of a scene, and explanations of distances.

use std::fs;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::header;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use siamese::engine::batch::Batcher;
use siamese_core::model::Description;
use tempfile::TempDir;

use crate::app::{App, SAME, base64, face, load, milliseconds, post, root};
use crate::command_line::text;
use crate::faces::{background, png};

/// A model of whole images with a map of 28 by 28 places, which is not calibrated for changes.
fn shared() -> &'static (Batcher, Arc<Description>) {
    static SHARED: OnceLock<(Batcher, Arc<Description>)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let model = load(&root().join("models/things.onnx"));
        let description = model.description().clone();
        (Batcher::start(vec![model], crate::app::at_most(256), 8, |_| ()), description)
    })
}

fn app() -> App {
    App::sharing(shared(), |settings| settings.server.deadline_ms = milliseconds(120_000))
}

/// A threshold that the places of this model exceed only where an image has changed.
const ROUTE: &str = "/changes?threshold=25";

/// A scene with detail everywhere, of 300 by 260 pixels: spots that nowhere repeat.
fn scene() -> RgbImage {
    let mut image = background(300, 260);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..400 {
        let (left, top, side) = (random.u32(0..290), random.u32(0..250), random.u32(3..10));
        let colour = Rgb([random.u8(40..160), random.u8(40..160), random.u8(40..160)]);
        for (x, y) in (0..side * side).map(|index| (left + index % side, top + index / side)) {
            image.put_pixel(x, y, colour);
        }
    }
    image
}

/// The scene with something black and white in it.
fn changed() -> RgbImage {
    let mut image = scene();
    for y in 100..140 {
        for x in 200..240 {
            let value = if (x / 4 + y / 4) % 2 == 0 { 0 } else { 255 };
            image.put_pixel(x, y, Rgb([value; 3]));
        }
    }
    image
}

async fn found(route: &str, before: RgbImage, after: RgbImage) -> Value {
    let (before, after) = (png(before), png(after));
    app().form(route, &[("before", &before), ("after", &after)]).await.ok().json()
}

#[tokio::test]
async fn a_change_is_found_where_it_is() {
    let response = found(ROUTE, scene(), changed()).await;
    assert_eq!(response["verdict"], "changed");
    assert_eq!(response["map"]["rows"], 33);
    assert_eq!(response["map"]["columns"], 38);
    assert_eq!(response["map"]["cell"], 8.0);
    assert_eq!(response["operating_point"], json!({"source": "request", "unit": "cell"}));
    assert_eq!(response["alignment"]["kind"], "none");
    let region = &response["regions"][0];
    let part = |index: usize| region["box"][index].as_f64().expect("a number");
    let [left, top, right, bottom] = [part(0), part(1), part(0) + part(2), part(1) + part(3)];
    assert!(left <= 200.0 && top <= 100.0 && 240.0 <= right && 140.0 <= bottom, "{region}");
    assert!(100.0 < left && 20.0 < top && right < 300.0 && bottom < 220.0, "{region}");
}

#[tokio::test]
async fn equal_images_are_unchanged_and_so_are_ignored_places() {
    let response = found(ROUTE, scene(), scene()).await;
    assert_eq!(response["verdict"], "unchanged");
    assert_eq!((&response["regions"], &response["map"]["greatest"]), (&json!([]), &json!(0.0)));
    let ignoring = format!("{ROUTE}&align=none&ignore=200,100,40,40");
    let response = found(&ignoring, scene(), changed()).await;
    assert_eq!(response["verdict"], "unchanged");
    assert_eq!(response["map"]["greatest"], 0.0);
    // The same place as an image of any size, whose light pixels are ignored.
    let mask = RgbImage::from_fn(15, 13, |x, y| {
        Rgb([if (10..12).contains(&x) && (5..7).contains(&y) { 255 } else { 0 }; 3])
    });
    let (before, after, ignore) = (png(scene()), png(changed()), png(mask));
    let parts: [(&str, &[u8]); 3] = [("before", &before), ("after", &after), ("ignore", &ignore)];
    let response = app().form(&format!("{ROUTE}&align=none"), &parts).await.ok().json();
    assert_eq!(response["verdict"], "unchanged");
}

#[tokio::test]
async fn a_shift_and_another_light_are_no_change() {
    let scene = scene();
    let lit = RgbImage::from_fn(280, 240, |x, y| {
        let Rgb(pixel) = *scene.get_pixel(x + 12, y + 7);
        Rgb(pixel.map(|value| value - value / 10))
    });
    let response = found(ROUTE, scene, lit).await;
    assert_eq!(response["verdict"], "unchanged", "{response}");
    assert_eq!(response["alignment"]["kind"], "shift");
    assert_eq!(response["alignment"]["matrix"], json!([[1.0, 0.0, 12.0], [0.0, 1.0, 7.0]]));
    assert_eq!(response["alignment"]["overlap"], 1.0);
    let gain = response["light"]["channels"][0]["gain"].as_f64().expect("a number");
    assert!((gain - 0.9).abs() < 0.03, "{gain}");
}

#[tokio::test]
async fn the_answer_comes_in_four_forms() {
    let app = app();
    let (before, after) = (base64(&png(scene())), base64(&png(changed())));
    let body = json!({"before": before, "after": {"image": after}}).to_string();
    let ask = async |route: &str, accept: &str| {
        let request = post(route, "application/json").header(header::ACCEPT, accept);
        app.send(request.body(Body::from(body.clone())).expect("a request")).await
    };
    let map = ask(ROUTE, "application/x-npy").await.ok();
    assert_eq!(map.header("siamese-shape"), "33,38");
    assert_eq!(map.body.len(), 128 + 4 * 33 * 38);
    let heat = ask(ROUTE, "image/png").await.ok();
    let heat = image::load_from_memory(&heat.body).expect("a PNG").into_rgb8();
    assert_eq!(heat.dimensions(), (300, 260));
    let mask = ask(&format!("{ROUTE}&view=mask"), "image/png").await.ok();
    let mask = image::load_from_memory(&mask.body).expect("a PNG").into_luma8();
    assert_eq!((mask.get_pixel(220, 120).0, mask.get_pixel(20, 20).0), ([255], [0]));
    let features: Value = ask(ROUTE, "application/geo+json").await.ok().json();
    assert_eq!(features["type"], "FeatureCollection");
    let ring = features["features"][0]["geometry"]["coordinates"][0].as_array().expect("a ring");
    assert!(4 < ring.len() && ring.first() == ring.last());
    ask(ROUTE, "text/html").await.refused(406, "not_acceptable");
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_with_its_reason() {
    let app = app();
    let (before, after) = (png(scene()), png(changed()));
    let parts: [(&str, &[u8]); 2] = [("before", &before), ("after", &after)];
    app.form("/changes", &parts).await.refused(422, "operating_point_unsupported");
    app.form("/changes?fmr=0.1", &parts).await.refused(422, "operating_point_unsupported");
    app.form(&format!("{ROUTE}&cell=4"), &parts).await.refused(400, "query_invalid");
    app.form(&format!("{ROUTE}&cell=301"), &parts).await.refused(400, "query_invalid");
    app.form(&format!("{ROUTE}&faces=only"), &parts).await.refused(400, "query_invalid");
    let all = format!("{ROUTE}&ignore=0,0,9999,9999");
    app.form(&all, &parts).await.refused(422, "nothing_to_compare");
    app.form(ROUTE, &[("before", &before)]).await.refused(400, "part_missing");
    let twice: [(&str, &[u8]); 3] = [("before", &before), ("after", &after), ("b", &after)];
    app.form(ROUTE, &twice).await.refused(400, "part_unexpected");
    app.form(ROUTE, &[("before", &before), ("after", b"no image")])
        .await
        .refused(415, "image_format_unsupported");
    // Two images of nothing have no shift.
    let grey = png(RgbImage::from_pixel(100, 100, Rgb([90; 3])));
    let plain: [(&str, &[u8]); 2] = [("before", &grey), ("after", &grey)];
    app.form(&format!("{ROUTE}&align=shift"), &plain).await.refused(422, "alignment_failed");
    let faces = crate::faces::app();
    faces.form(ROUTE, &parts).await.refused(422, "not_for_changes");
}

#[tokio::test]
async fn images_of_any_size_are_compared() {
    for (one, other) in [((1, 1), (1, 1)), ((3, 1500), (3, 1500)), ((2500, 30), (2500, 30))] {
        let plain = |(width, height)| RgbImage::from_pixel(width, height, Rgb([120; 3]));
        let response = found(&format!("{ROUTE}&align=none"), plain(one), plain(other)).await;
        assert_eq!(response["image"], json!({"width": other.0, "height": other.1}));
    }
    // Without an alignment, both must have one size. With one, the answer says that they differ.
    let [tall, wide] = [(60, 70), (70, 60)];
    let [tall, wide] = [tall, wide].map(|(width, height)| {
        png(image::imageops::crop_imm(&scene(), 0, 0, width, height).to_image())
    });
    let parts: [(&str, &[u8]); 2] = [("before", &tall), ("after", &wide)];
    app().form(&format!("{ROUTE}&align=none"), &parts).await.refused(422, "sizes_differ");
    let response = app().form(ROUTE, &parts).await.ok().json();
    let codes: Vec<&Value> = response["warnings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|warning| &warning["code"])
        .collect();
    assert!(codes.contains(&&json!("sizes_differ")), "{response}");
    // A larger cell: the model sees less of the same image.
    let response = found(&format!("{ROUTE}&cell=32"), scene(), scene()).await;
    assert_eq!((&response["map"]["rows"], &response["map"]["columns"]), (&json!(9), &json!(10)));
}

#[tokio::test]
async fn a_distance_is_explained_by_the_places_of_both_images() {
    let app = app();
    let (a, b) = (png(scene()), png(changed()));
    let parts: [(&str, &[u8]); 2] = [("a", &a), ("b", &b)];
    let response = app.form("/compare?explain=map", &parts).await.ok().json();
    let distance = response["distance"].as_f64().expect("a number");
    let explanation = &response["explanation"];
    assert_eq!(explanation["method"], "decomposition");
    for image in ["a", "b"] {
        let values = explanation[image]["values"].as_array().expect("values");
        assert_eq!(values.len(), 28 * 28);
        let sum: f64 = values.iter().map(|value| value.as_f64().expect("a number")).sum();
        let cosine = 1.0 - distance * distance / 2.0;
        assert!((sum - cosine).abs() < 1e-4, "{sum} is not {cosine}");
    }
    assert!(app.form("/compare", &parts).await.ok().json()["explanation"].is_null());
    app.form("/compare?explain=all", &parts).await.refused(400, "query_invalid");
}

#[tokio::test]
async fn a_model_without_a_map_is_explained_by_hiding_cells() {
    let app = crate::faces::app();
    let (a, b) = (face(SAME[0]), face(SAME[1]));
    let response = app.form("/compare?explain=map", &[("a", &a), ("b", &b)]).await.ok().json();
    let explanation = &response["explanation"];
    assert_eq!((&explanation["method"], &explanation["runs"]), (&json!("occlusion"), &json!(134)));
    let deletion = |member: &str| explanation["deletion"][member].as_f64().expect("a number");
    // The cells in the middle of a face matter more than its corners.
    assert!(deletion("without_lowest") < deletion("without_highest"), "{explanation}");
    let stored = json!({"a": {"embedding": vec![0.1; 128]}, "b": base64(&b)});
    app.json("/compare?explain=map", &stored).await.refused(400, "body_malformed");
}

/// Runs `siamese changes` with a threshold, and returns its exit code, output and errors.
fn command(arguments: &[&str]) -> (Option<i32>, String, String) {
    let fixed = ["changes", "--model", "models/things.onnx", "--threshold", "25"];
    let output = crate::command_line::run(&[&fixed, arguments].concat());
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| text(&bytes).to_owned());
    (output.status.code(), stdout, stderr)
}

#[test]
fn the_exit_code_tells_whether_anything_has_changed() {
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let [before, after, out] = ["before.png", "after.png", "map.png"].map(file);
    fs::write(&before, png(scene())).expect("a file");
    fs::write(&after, png(changed())).expect("a file");
    let (code, _, _) = command(&[&before, &before]);
    assert_eq!(code, Some(0));
    let (code, stdout, stderr) = command(&[&before, &after, "--out", &out]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.starts_with("changed: 1 region, greatest distance "), "{stdout}");
    let drawn = image::open(&out).expect("a PNG").into_rgb8();
    assert_eq!(drawn.dimensions(), (300, 260));
    let (_, stdout, _) = command(&[&before, &after, "--json"]);
    let found: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        (&found["verdict"], &found["operating_point"]["unit"]),
        (&json!("changed"), &json!("cell"))
    );
    let (code, _, stderr) = command(&[&before, &file("missing.png")]);
    assert!(code == Some(2) && stderr.lines().count() == 1, "{stderr}");
    let (code, _, stderr) = command(&[&before, &after, "--out", &file("map.html")]);
    assert!(code == Some(2) && stderr.contains(".png"), "{stderr}");
}

#[test]
fn folders_are_compared_by_the_names_of_their_files() {
    let folder = TempDir::new().expect("a folder");
    let [before, after] = ["expected", "actual"].map(|name| folder.path().join(name));
    for (place, name, image) in [
        (&before, "same.png", scene()),
        (&after, "same.png", scene()),
        (&before, "shelf/<b>.png", scene()),
        (&after, "shelf/<b>.png", changed()),
        (&before, "gone.png", scene()),
        (&after, "new.png", scene()),
    ] {
        let path = place.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, png(image)).expect("a file");
    }
    let page = folder.path().join("page.html").display().to_string();
    let [before, after] = [before, after].map(|path| path.display().to_string());
    let (code, stdout, stderr) = command(&[&before, &after, "--out", &page]);
    assert_eq!(code, Some(1), "{stderr}");
    let words: Vec<&str> =
        stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(words, ["removed", "added", "unchanged", "changed"], "{stdout}");
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.contains("shelf/&lt;b&gt;.png") && !page.contains("<b>"));
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 3);
    let (code, _, _) = command(&[&before, &before]);
    assert_eq!(code, Some(0));
    let (code, _, stderr) = command(&[&before, &format!("{after}/same.png")]);
    assert!(code == Some(2) && stderr.contains("two folders"), "{stderr}");
    fs::write(format!("{after}/same.png"), "no image").expect("a file");
    let (code, _, stderr) = command(&[&before, &after]);
    assert!(code == Some(2) && stderr.contains("1 of 4 files"), "{stderr}");
}
