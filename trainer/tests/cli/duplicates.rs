//! Problems of the data that are reported before the first step.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use image::{GrayImage, Luma};
use siamese_trainer::config::{Config, Length, LossKind};

use crate::ground::{Ground, Outcome};
use crate::made;

fn train(ground: &Ground, arguments: &[&str]) -> Outcome {
    let fixed = ["--data", "data", "--hold-out", "pattern0,pattern1"];
    train_with(made::config(), ground, &[&fixed, arguments].concat())
}

/// Trains one step.
fn train_with(mut config: Config, ground: &Ground, arguments: &[&str]) -> Outcome {
    config.length = Length::Steps(1);
    fs::write(ground.at("config.toml"), toml::to_string(&config).expect("TOML")).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese-trainer"));
    command
        .current_dir(ground.at(""))
        .args(["train", "--out", "model.onnx", "--config", "config.toml"])
        .args(arguments);
    Outcome::of(&mut command)
}

fn made_ground() -> Ground {
    let ground = Ground::new();
    made::write(&ground.at("data"), 6, 4);
    ground
}

#[test]
fn clean_images_give_no_warnings() {
    let outcome = train(&made_ground(), &[]);
    let warned =
        outcome.stderr.lines().any(|line| line.contains("images") && line.contains("warning"));
    assert!(!warned, "{}", outcome.stderr);
    outcome.success();
}

#[test]
fn a_file_on_both_sides_of_the_split_is_rejected_unless_allowed() {
    let ground = made_ground();
    fs::copy(ground.at("data/pattern0/1.png"), ground.at("data/pattern3/copy.png"))
        .expect("a copy");
    let error = train(&ground, &[]).error();
    for words in ["1 file is in both", "pattern3/copy.png = pattern0/1.png", "--allow-duplicates"] {
        assert!(error.contains(words), "{error}");
    }
    assert!(!ground.at("model.run").exists());
    train(&ground, &["--allow-duplicates"]).success();
}

#[test]
fn other_problems_give_warnings_with_file_names() {
    let ground = made_ground();
    // An identity in two folders; the images have another brightness, so no files are equal.
    fs::create_dir(ground.at("data/twin")).expect("a folder");
    for number in 0..4 {
        let image =
            image::open(ground.at(&format!("data/pattern2/{number}.png"))).expect("an image");
        let mut darker = image.into_luma8();
        for pixel in darker.pixels_mut() {
            pixel.0[0] -= pixel.0[0] / 8;
        }
        darker.save(ground.at(&format!("data/twin/{number}.png"))).expect("an image");
    }
    GrayImage::from_pixel(32, 32, Luma([90]))
        .save(ground.at("data/pattern3/flat.png"))
        .expect("an image");
    made::write(&ground.at("small"), 1, 1);
    let small = image::open(ground.at("small/pattern0/0.png")).expect("an image");
    let small = small.resize_exact(9, 9, image::imageops::FilterType::Nearest);
    small.save(ground.at("data/pattern4/small.png")).expect("an image");

    let outcome = train(&ground, &[]);
    for words in [
        "near copies belong to different identities",
        "one identity in two folders (1): pattern2 = twin (4)",
        "one uniform shade (1): pattern3/flat.png",
        "as the network's input, 32x32 (1): pattern4/small.png",
    ] {
        assert!(outcome.stderr.contains(words), "{words}:\n{}", outcome.stderr);
    }
    outcome.success();
}

#[test]
fn equal_tiles_that_are_almost_blank_may_be_on_both_sides_of_a_list_of_changes() {
    let ground = made_ground();
    let mut list = "before,after,changed,split\n".to_owned();
    for (number, side) in ["train", "train", "held-out", "held-out"].into_iter().enumerate() {
        // Two tiles with a speck, equal for all numbers, and one with a pattern.
        for (name, place) in [("blank", 3), ("spot", 20)] {
            let mut tile = GrayImage::from_pixel(32, 32, Luma([12]));
            tile.put_pixel(place, 5, Luma([250]));
            tile.save(ground.at(&format!("data/{name}{number}.png"))).expect("an image");
        }
        writeln!(list, "data/blank{number}.png,data/spot{number}.png,0,{side}").expect("a line");
        writeln!(list, "data/pattern{number}/0.png,data/blank{number}.png,1,{side}")
            .expect("a line");
    }
    fs::write(ground.at("tiles.csv"), &list).expect("a list");
    let mut config = made::config();
    config.choose_loss(LossKind::Contrastive);
    config.adapt_to_list(false);
    let outcome = train_with(config.clone(), &ground, &["--data", "tiles.csv"]);
    assert!(!outcome.stderr.contains("near copies"), "{}", outcome.stderr);
    outcome.success();

    // A pattern on both sides is still a leak.
    fs::copy(ground.at("data/pattern0/0.png"), ground.at("data/pattern3/0.png")).expect("a copy");
    let arguments = ["--data", "tiles.csv", "--run", "other.run"];
    let error = train_with(config, &ground, &arguments).error();
    assert!(error.contains("1 file is in both"), "{error}");
}
