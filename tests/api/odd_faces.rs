//! Images in which faces are hard to find, or not there, in the model of faces: bounded work and a clear answer.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use serde_json::Value;

use crate::app::{OTHER, SAME, face, fixture};
use crate::faces::{app, background, place, png};

#[tokio::test]
async fn a_face_that_the_edge_cuts_is_found_or_refused() {
    let app = app();
    let cut = |x: i64| {
        let mut photograph = background(800, 1000);
        place(&mut photograph, SAME[0], x, 300, 320);
        png(photograph)
    };
    // A quarter of the portrait is missing, but no landmark.
    let parts = [("a", &face(SAME[1])[..]), ("b", &cut(560))];
    let found = app.form("/compare", &parts).await.ok().json();
    assert_eq!(found["verdict"], "same", "{found}");
    let [left, width] =
        [0, 2].map(|part| found["b"]["face"]["box"][part].as_f64().expect("a number"));
    assert!(800.0 < left + width, "the box ends beyond the image: {found}");
    // A half is missing.
    let refused = app.post("/embed", "image/png", cut(640)).await;
    assert_eq!(refused.refused(422, "face_not_found").as_deref(), Some("image"));
}

#[tokio::test]
async fn a_drawing_shows_no_face() {
    let app = app();
    let is_ink = |x: f64, y: f64| {
        let near = |centre: [f64; 2], radius: f64| (x - centre[0]).hypot(y - centre[1]) <= radius;
        let outline = near([200.0, 200.0], 150.0) && !near([200.0, 200.0], 144.0);
        let mouth = near([200.0, 220.0], 80.0) && !near([200.0, 220.0], 74.0) && 250.0 < y;
        outline || mouth || near([150.0, 160.0], 15.0) || near([250.0, 160.0], 15.0)
    };
    let smile = RgbImage::from_fn(400, 400, |x, y| {
        if is_ink(f64::from(x), f64::from(y)) { Rgb([0; 3]) } else { Rgb([255; 3]) }
    });
    let chequered = RgbImage::from_fn(400, 300, |x, y| {
        Rgb([if (x / 9 + y / 9) % 2 == 0 { 40 } else { 200 }; 3])
    });
    let pattern = std::fs::read(fixture("images/large.jpg")).expect("a fixture");
    for drawing in [png(smile), png(chequered), pattern] {
        let refused = app.post("/embed", "application/octet-stream", drawing.clone()).await;
        assert_eq!(refused.refused(422, "face_not_found").as_deref(), Some("image"));
        let all = app.post("/detect", "application/octet-stream", drawing).await.ok().json();
        assert_eq!(all["faces"], serde_json::json!([]), "{all}");
    }
}

#[tokio::test]
async fn a_crowd_of_a_thousand_is_searched_within_bounds() {
    let app = app();
    let portrait = image::load_from_memory(&face(OTHER)).expect("a portrait").to_rgb8();
    let portrait = imageops::resize(&portrait, 50, 60, FilterType::Triangle);
    let mut crowd = background(2000, 2000);
    for index in 0..1_000 {
        let [column, row] = [index % 32, index / 32].map(i64::from);
        imageops::replace(&mut crowd, &portrait, 62 * column + 4, 62 * row + 1);
    }
    let crowd = png(crowd);
    let found = app.post("/detect", "image/png", crowd.clone()).await.ok().json();
    let faces = found["faces"].as_array().expect("faces").len();
    assert!((100..=1_000).contains(&faces), "{faces} faces");
    let refused = app.post("/embed?faces=only", "image/png", crowd).await;
    assert_eq!(refused.refused(422, "face_ambiguous").as_deref(), Some("image"));
    let detail = refused.json()["detail"].as_str().expect("a text").to_owned();
    assert!(detail.starts_with("several faces") && detail.len() < 400, "{detail}");
}

#[tokio::test]
async fn a_tiny_face_in_a_huge_image_is_found_or_refused() {
    let app = app();
    let huge = |width: u32| {
        let portrait = image::load_from_memory(&face(SAME[0])).expect("a portrait").to_luma8();
        let portrait = imageops::resize(&portrait, width, width * 112 / 92, FilterType::CatmullRom);
        let mut photograph = GrayImage::from_pixel(8_000, 6_000, Luma([110]));
        imageops::replace(&mut photograph, &portrait, 5_000, 1_500);
        let mut file = Cursor::new(Vec::new());
        let image = DynamicImage::from(photograph);
        image.write_to(&mut file, ImageFormat::Jpeg).expect("a JPEG");
        file.into_inner()
    };
    let of_box =
        |response: &Value, part: usize| response["face"]["box"][part].as_f64().expect("a number");
    // Four parts in a hundred of the width.
    let found = app.post("/embed", "image/jpeg", huge(400)).await.ok().json();
    assert!((of_box(&found, 0) - 5_000.0).abs() < 60.0, "{}", found["face"]);
    assert!((of_box(&found, 2) - 320.0).abs() < 40.0, "{}", found["face"]);
    // Less than one.
    let refused = app.post("/embed", "image/jpeg", huge(60)).await;
    assert_eq!(refused.refused(422, "face_not_found").as_deref(), Some("image"));
}
