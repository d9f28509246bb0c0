//! Problems of the data, named before the first step.

use std::fs;
use std::process::Command;

use image::{GrayImage, Luma};

use crate::ground::{Ground, Outcome};
use crate::made;

fn train(ground: &Ground, arguments: &[&str]) -> Outcome {
    let mut config = made::config();
    config.length = siamese_trainer::config::Length::Steps(1);
    fs::write(ground.at("config.toml"), toml::to_string(&config).expect("TOML")).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese-trainer"));
    command
        .current_dir(ground.at(""))
        .args(["train", "--data", "data", "--out", "tower.onnx", "--config", "config.toml"])
        .args(["--hold-out", "pattern0,pattern1"])
        .args(arguments);
    Outcome::of(&mut command)
}

fn made_ground() -> Ground {
    let ground = Ground::new();
    made::write(&ground.at("data"), 6, 4);
    ground
}

#[test]
fn clean_pictures_are_not_warned_of() {
    let outcome = train(&made_ground(), &[]);
    let warned =
        outcome.complained.lines().any(|it| it.contains("pictures") && it.contains("warning"));
    assert!(!warned, "{}", outcome.complained);
    outcome.well();
}

#[test]
fn a_file_on_both_sides_of_the_split_is_refused_unless_allowed() {
    let ground = made_ground();
    fs::copy(ground.at("data/pattern0/1.png"), ground.at("data/pattern3/copy.png"))
        .expect("a copy");
    let refusal = train(&ground, &[]).refusal();
    for words in ["1 file is both", "pattern3/copy.png = pattern0/1.png", "--allow-duplicates"] {
        assert!(refusal.contains(words), "{refusal}");
    }
    assert!(!ground.at("tower.run").exists());
    train(&ground, &["--allow-duplicates"]).well();
}

#[test]
fn what_else_is_wrong_is_warned_of_by_name() {
    let ground = made_ground();
    // An identity in two folders: its pictures lit a little otherwise, so that no file is equal.
    fs::create_dir(ground.at("data/twin")).expect("a folder");
    for number in 0..4 {
        let picture =
            image::open(ground.at(&format!("data/pattern2/{number}.png"))).expect("a picture");
        let mut darker = picture.into_luma8();
        for pixel in darker.pixels_mut() {
            pixel.0[0] -= pixel.0[0] / 8;
        }
        darker.save(ground.at(&format!("data/twin/{number}.png"))).expect("a picture");
    }
    GrayImage::from_pixel(32, 32, Luma([90]))
        .save(ground.at("data/pattern3/flat.png"))
        .expect("a picture");
    made::write(&ground.at("small"), 1, 1);
    let small = image::open(ground.at("small/pattern0/0.png")).expect("a picture");
    let small = small.resize_exact(9, 9, image::imageops::FilterType::Nearest);
    small.save(ground.at("data/pattern4/small.png")).expect("a picture");

    let outcome = train(&ground, &[]);
    for words in [
        "near copies are said to show different identities",
        "one in two folders (1): pattern2 = twin (4)",
        "nothing but one shade (1): pattern3/flat.png",
        "as the network reads, 32x32 (1): pattern4/small.png",
    ] {
        assert!(outcome.complained.contains(words), "{words}:\n{}", outcome.complained);
    }
    outcome.well();
}
