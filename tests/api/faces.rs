//! Faces: found, aligned and compared by the shipped model of faces.

use std::io::Cursor;
use std::sync::{Arc, OnceLock};

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::{Value, json};
use siamese::engine::batch::Batcher;
use siamese_core::model::{Choice, Description, OnnxModel, Options, Source, rewrite};

use crate::app::{App, OTHER, SAME, base64, face, load, milliseconds, root};

/// The model of faces, loaded once for all tests.
fn shared() -> &'static (Batcher, Arc<Description>) {
    static SHARED: OnceLock<(Batcher, Arc<Description>)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let model = load(&root().join("models/faces.onnx"));
        let description = model.description().clone();
        (Batcher::start(vec![model], crate::app::at_most(256), 32, |_| ()), description)
    })
}

pub(crate) fn app() -> App {
    // On a busy machine, a search of a whole photograph may take long.
    App::sharing(shared(), |settings| settings.server.deadline_ms = milliseconds(120_000))
}

/// A photograph without a face: a slow gradient.
pub(crate) fn background(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let part = |number: u32, of: u32| u8::try_from(60 + 120 * number / of).expect("a byte");
        image::Rgb([part(x, width), part(y, height), part(x + y, width + height)])
    })
}

/// Puts a portrait of this width on a photograph.
pub(crate) fn place(photograph: &mut RgbImage, name: &str, x: i64, y: i64, width: u32) {
    let portrait = image::load_from_memory(&face(name)).expect("a portrait");
    let portrait = portrait.resize_exact(width, width * 112 / 92, FilterType::CatmullRom);
    imageops::replace(photograph, &portrait.to_rgb8(), x, y);
}

pub(crate) fn png(image: RgbImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(image).write_to(&mut file, ImageFormat::Png).expect("a PNG");
    file.into_inner()
}

/// A photograph of 800 x 1000 pixels with a portrait.
fn selfie() -> RgbImage {
    let mut photograph = background(800, 1000);
    place(&mut photograph, SAME[0], 250, 300, 320);
    photograph
}

async fn compared(app: &App, photograph: Vec<u8>) -> Value {
    app.form("/compare", &[("a", &face(SAME[1])), ("b", &photograph)]).await.ok().json()
}

#[track_caller]
fn is_near(found: &Value, expected: f64, tolerance: f64) {
    let found = found.as_f64().expect("a number");
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

#[tokio::test]
async fn a_face_is_found_wherever_it_is() {
    let app = app();
    let response = compared(&app, png(selfie())).await;
    assert_eq!(response["verdict"], "same");
    let seen = &response["b"]["face"];
    // The portrait shows the face in its middle.
    is_near(&seen["points"]["left_eye"][0], 310.0, 25.0);
    is_near(&seen["points"]["right_eye"][0], 425.0, 25.0);
    is_near(&seen["roll"], 0.0, 5.0);
    is_near(&seen["sharpness"], 0.6, 0.06);
    assert!(
        response["a"]["face"]["yaw"].as_f64() > seen["yaw"].as_f64(),
        "only b looks to the left"
    );
    let other = app.form("/compare", &[("a", &face(OTHER)), ("b", &png(selfie()))]).await.ok();
    assert_eq!(other.json()["verdict"], "different");
}

#[tokio::test]
async fn a_face_may_lie_on_its_side_or_be_small() {
    let app = app();
    let sideways = compared(&app, png(imageops::rotate90(&selfie()))).await;
    assert_eq!(sideways["verdict"], "same");
    is_near(&sideways["b"]["face"]["roll"], 90.0, 5.0);
    let mut wide = background(1800, 1200);
    place(&mut wide, SAME[0], 900, 600, 110);
    let small = compared(&app, png(wide)).await;
    assert_eq!(small["verdict"], "same", "{small}");
    is_near(&small["b"]["face"]["box"][2], 90.0, 15.0);
}

/// It is first seen at a fraction of the size of the JPEG, and then its surroundings are decoded again.
#[tokio::test]
async fn a_small_face_in_a_large_jpeg_has_the_detail_of_the_whole() {
    let app = app();
    for width in [130, 240] {
        let mut photograph = background(2600, 2000);
        place(&mut photograph, SAME[0], 1700, 900, width);
        let mut jpeg = Cursor::new(Vec::new());
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95);
        photograph.write_with_encoder(encoder).expect("a JPEG");
        let [whole, part] = [png(photograph), jpeg.into_inner()];
        let [whole, part] = [compared(&app, whole).await, compared(&app, part).await];
        let [whole, part] = [whole, part].map(|response| response["b"]["face"].clone());
        is_near(&part["sharpness"], whole["sharpness"].as_f64().expect("a number"), 0.05);
        for index in 0..4 {
            is_near(&part["box"][index], whole["box"][index].as_f64().expect("a number"), 8.0);
        }
    }
}

#[tokio::test]
async fn positions_are_those_of_the_full_image() {
    // Twice the longest side of a photograph, which is reduced.
    let photograph = imageops::resize(&selfie(), 3328, 4160, FilterType::Triangle);
    let large = app().post("/detect", "image/png", png(photograph)).await.ok().json();
    assert_eq!(large["image"], json!({"width": 3328, "height": 4160}));
    let small = app().post("/detect", "image/png", png(selfie())).await.ok().json();
    for part in 0..4 {
        let expected = 4.16 * small["faces"][0]["box"][part].as_f64().expect("a number");
        is_near(&large["faces"][0]["box"][part], expected, 20.0);
    }
}

#[tokio::test]
async fn of_several_faces_the_largest_counts_or_none() {
    let app = app();
    let mut photograph = background(1000, 600);
    place(&mut photograph, SAME[0], 50, 100, 300);
    place(&mut photograph, OTHER, 650, 150, 200);
    let photograph = png(photograph);
    assert_eq!(compared(&app, photograph.clone()).await["verdict"], "same");
    let all = app.post("/detect", "image/png", photograph.clone()).await.ok().json();
    assert_eq!(all["faces"].as_array().map(Vec::len), Some(2));

    let parts = [("a", &face(SAME[1])[..]), ("b", &photograph)];
    let refused = app.form("/compare?faces=only", &parts).await;
    assert_eq!(refused.refused(422, "face_ambiguous").as_deref(), Some("b"));
    let strict = App::sharing(shared(), |settings| settings.image.faces = Choice::Only);
    let refused = strict.post("/embed", "image/png", photograph.clone()).await;
    assert_eq!(refused.refused(422, "face_ambiguous").as_deref(), Some("image"));
    strict.post("/embed?faces=largest", "image/png", photograph).await.ok();
    // One face is aligned alike by both choices.
    let largest = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok().json();
    let only = strict.post("/embed", "image/jpeg", face(SAME[0])).await.ok().json();
    assert_eq!(largest, only);
}

#[tokio::test]
async fn a_face_that_is_turned_counts_too() {
    let app = app();
    let mut photograph = background(1600, 1000);
    place(&mut photograph, SAME[0], 150, 360, 276);
    let mut large = background(600, 700);
    place(&mut large, OTHER, 24, 14, 552);
    imageops::replace(&mut photograph, &imageops::rotate180(&large), 850, 160);
    let photograph = png(photograph);
    let all = app.post("/detect", "image/png", photograph.clone()).await.ok().json();
    assert_eq!(all["faces"].as_array().map(Vec::len), Some(2), "{all}");
    let refused = app.post("/embed?faces=only", "image/png", photograph).await;
    assert_eq!(refused.refused(422, "face_ambiguous").as_deref(), Some("image"));
}

#[tokio::test]
async fn the_first_face_of_a_detection_is_the_one_that_is_embedded() {
    let app = app();
    // The two are of about one size, and the photograph is decoded coarsely at first.
    for width in [430, 440, 450] {
        let mut photograph = background(2400, 1600);
        place(&mut photograph, SAME[0], 300, 500, 440);
        place(&mut photograph, OTHER, 1500, 500, width);
        let mut upload = Cursor::new(Vec::new());
        DynamicImage::from(photograph).write_to(&mut upload, ImageFormat::Jpeg).expect("a JPEG");
        let upload = upload.into_inner();
        let embedded = app.post("/embed", "image/jpeg", upload.clone()).await.ok().json();
        let all = app.post("/detect", "image/jpeg", upload).await.ok().json();
        assert_eq!(all["faces"].as_array().map(Vec::len), Some(2), "{all}");
        assert_eq!(all["faces"][0], embedded["face"]);
    }
}

#[test]
fn a_detector_that_does_not_detect_is_refused_at_load() {
    let path = root().join("models/faces.onnx");
    let onnx = std::fs::read(&path).expect("a model");
    let other = base64(&std::fs::read(root().join("models/orl.onnx")).expect("a model"));
    let card = shared().1.card.clone();
    let refused = |key: &str, value: &str, with: &str| {
        let mut entries = card.to_metadata();
        let entry = entries.iter_mut().find(|(name, _)| name == key).expect("a key");
        entry.1 = value.to_owned();
        let source = Source::of(&path, rewrite(&onnx, &entries).expect("a model"));
        let loaded = OnnxModel::open(&source.expect("a model"), &Options::default());
        let err = siamese_core::causes(&loaded.err().expect("refused"));
        assert!(err.contains(with), "{err}");
    };
    refused("siamese.detector", &format!("{other} {other}"), "does not read [1, 3, side, side]");
    refused("siamese.detector", "AAAA AAAA", "can't load");
    refused("siamese.detector", "AAAA", "two ONNX files");
    refused("siamese.points", "0.3,0.3 0.7,0.3 0.5,0.5 0.5,0.7", "within the input");
    refused("siamese.points", "101,46 48,45 75,79 74,104", "from left to right");
    refused("siamese.points", "48,45 101,46 75,790 74,104", "within the input");
}

#[tokio::test]
async fn an_image_without_a_face_fails_alone() {
    let app = app();
    let empty = png(background(500, 400));
    let refused = app.form("/compare", &[("a", &face(SAME[0])), ("b", &empty)]).await;
    assert_eq!(refused.refused(422, "face_not_found").as_deref(), Some("b"));
    let parts = [("a", &face(SAME[0])[..]), ("b", &empty), ("b", &face(SAME[1]))];
    let results = app.form("/compare/batch", &parts).await.ok().json()["results"].take();
    assert_eq!(results[0]["error"]["code"], "face_not_found");
    assert_eq!(results[0]["error"]["field"], "b[0]");
    assert_eq!(results[1]["verdict"], "same");
    assert!(results[1]["a"]["face"]["box"].is_array() && results[1]["b"]["face"].is_object());
    for upload in [&b"P5 1 1 255\n\0"[..], b"P5 1 3000 255\n"] {
        let upload = [upload, &vec![0; 3000]].concat();
        let refused = app.post("/embed", "application/octet-stream", upload).await;
        assert_eq!(refused.refused(422, "face_not_found").as_deref(), Some("image"));
    }
}

#[tokio::test]
async fn an_embedding_comes_with_its_face() {
    let app = app();
    let one = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok().json();
    let images = json!({"images": [base64(&face(SAME[0])), base64(&face(OTHER))]});
    let several = app.json("/embed", &images).await.ok().json();
    assert_eq!(several["results"][0]["face"], one["face"]);
    assert_ne!(several["results"][1]["face"], one["face"]);
    // A stored embedding has no face.
    let stored = json!({"embedding": one["embedding"], "digest": one["model"]["digest"]});
    let pair = json!({"a": stored, "b": base64(&face(SAME[1]))});
    let response = app.json("/compare", &pair).await.ok().json();
    assert_eq!(response["verdict"], "same");
    assert!(response["a"].is_null() && response["b"]["face"].is_object(), "{response}");
}

#[tokio::test]
async fn a_face_that_is_small_or_blurred_is_warned_of() {
    let app = app();
    let mut photograph = background(600, 500);
    place(&mut photograph, SAME[0], 300, 200, 40);
    let response = compared(&app, png(photograph)).await;
    assert_eq!(response["warnings"][0]["code"], "face_small", "{response}");
    assert_eq!(response["warnings"][0]["field"], "b");
    // A portrait on a coloured background is unlike the grey ones of the calibration, but neither small nor blurred.
    let sharp = compared(&app, png(selfie())).await;
    assert!(!sharp.to_string().contains("face_small"), "{sharp}");
    assert!(!sharp.to_string().contains("face_blurred"), "{sharp}");
    let blurred = compared(&app, png(imageops::blur(&selfie(), 8.0))).await;
    assert_eq!(blurred["warnings"][0]["code"], "face_blurred", "{blurred}");
    let sharpness =
        |response: &Value| response["b"]["face"]["sharpness"].as_f64().expect("a number");
    assert!(sharpness(&blurred) < sharpness(&sharp) - 0.1, "{blurred}");
}

#[tokio::test]
async fn a_search_is_a_stage_of_its_own() {
    let app = app();
    let one = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok();
    let timing = one.header("server-timing");
    assert!(timing.contains("search;dur=") && !timing.contains("search;dur=0.000"), "{timing}");
    // The image is in the cache now.
    let again = app.post("/embed", "image/jpeg", face(SAME[0])).await.ok();
    assert!(!again.header("server-timing").contains("search"));
    // A search that finds nothing takes longest.
    app.post("/embed", "image/png", png(background(500, 400))).await.refused(422, "face_not_found");
    app.until_metric(r#"siamese_stage_seconds_count{model="orl",stage="search"} 2"#).await;
    // The image of a model that embeds whole images is not searched.
    let whole = App::start();
    let timing = whole.compare().await.ok().header("server-timing").to_owned();
    assert!(timing.contains("decode;dur=") && !timing.contains("search"), "{timing}");
    whole.until_metric(r#"siamese_stage_seconds_count{model="orl",stage="search"} 0"#).await;
}

#[tokio::test]
async fn the_pixels_are_those_of_the_aligned_face() {
    let chip = app().post("/pixels", "image/png", png(selfie())).await.ok().body;
    let chip = image::load_from_memory(&chip).expect("a PNG").to_luma8();
    assert_eq!(chip.dimensions(), (150, 150));
    // The portrait is grey and fills the middle, so the coloured background is gone there.
    let portrait = app().post("/pixels", "image/jpeg", face(SAME[0])).await.ok().body;
    let portrait = image::load_from_memory(&portrait).expect("a PNG").to_luma8();
    let middle = (50..110).flat_map(|y| (50..110).map(move |x| (x, y)));
    let difference = middle
        .map(|(x, y)| u64::from(chip.get_pixel(x, y)[0].abs_diff(portrait.get_pixel(x, y)[0])));
    assert!(difference.sum::<u64>() < 3600 * 12, "the two chips show the same");
}

#[tokio::test]
async fn a_model_without_alignment_finds_no_faces() {
    let app = App::start();
    app.post("/detect", "image/jpeg", face(SAME[0])).await.refused(422, "no_face_detector");
    app.post("/embed?faces=only", "image/jpeg", face(SAME[0]))
        .await
        .refused(422, "no_face_detector");
    assert!(app.compare().await.ok().json()["a"].get("face").is_none());
    assert!(app.get("/model").await.ok().json()["input"].get("align").is_none());
    let aligned = self::app().get("/model").await.ok().json();
    assert_eq!(aligned["input"]["align"]["left_eye"], json!([47.8, 45.4]));
}
