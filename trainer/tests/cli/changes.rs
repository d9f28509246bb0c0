//! Change detection, from a list to a calibrated model.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;

use image::{GrayImage, Luma};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use siamese_trainer::config::{Length, LossKind};

use crate::evaluate;
use crate::ground::Ground;
use crate::made;

const SIDE: u32 = 32;

/// Draws a scene with random brightness: slow waves with noise, and a ring at the given position.
fn image(scene: u64, ring: Option<[f32; 2]>, random: &mut ChaCha8Rng) -> GrayImage {
    let mut shape = ChaCha8Rng::seed_from_u64(scene);
    let [across, down, phase] = [4.0, 4.0, 6.0].map(|factor: f32| factor * shape.random::<f32>());
    let (light, contrast) = (random.random_range(-15.0..15.0), random.random_range(0.8..1.2));
    GrayImage::from_fn(SIDE, SIDE, |column, row| {
        let [x, y] = [column, row]
            .map(|pixel| f32::from(u16::try_from(pixel).expect("within the image")) / 32.0);
        let wave = (across * x + down * y + phase).sin();
        let grain: f32 = random.random_range(-8.0..8.0);
        let in_ring =
            ring.is_some_and(|[left, top]| (0.1..0.19).contains(&(x - left).hypot(y - top)));
        let value = if in_ring { 235.0 } else { 110.0 + 45.0 * wave };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a byte"
        )]
        let byte = (contrast * value + light + grain).clamp(0.0, 255.0) as u8;
        Luma([byte])
    })
}

/// Writes pairs of images of scenes; in half of them a ring has appeared or disappeared.
fn write(ground: &Ground, n_scenes: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let mut list = "before,after,changed\n".to_owned();
    fs::create_dir(ground.at("scenes")).expect("a folder");
    for scene in 0..n_scenes {
        let (has_changed, had_ring) = (scene % 2 == 1, scene % 4 < 2);
        for (name, has_ring) in [("before", had_ring), ("after", had_ring != has_changed)] {
            let place = [(); 2].map(|()| random.random_range(0.25..0.75));
            let image = image(scene, has_ring.then_some(place), &mut random);
            image.save(ground.at(&format!("scenes/{scene}-{name}.png"))).expect("an image");
        }
        let changed = u8::from(has_changed);
        writeln!(list, "scenes/{scene}-before.png,scenes/{scene}-after.png,{changed}")
            .expect("a line");
    }
    fs::write(ground.at("changes.csv"), list).expect("a list");
}

#[test]
fn a_model_learns_to_detect_changes_in_unseen_scenes() {
    let ground = Ground::new();
    write(&ground, 160);
    let mut config = made::config();
    config.length = Length::Steps(80);
    config.choose_loss(LossKind::Contrastive);
    config.adapt_to_list(false);
    config.watch.evaluate_every = 40;
    fs::write(ground.at("config.toml"), toml::to_string(&config).expect("TOML")).expect("a file");
    let run = |arguments: &[&str]| ground.program(arguments.iter().map(OsStr::new));

    let data = ["--data", "changes.csv", "--hold-out-fold", "1/4"];
    let train = ["train", "--out", "raw.onnx", "--config", "config.toml"];
    let trained = run(&[&train[..], &data].concat());
    let progress = trained.stderr.clone();
    assert!(progress.contains("on held-out pairs"), "{progress}");
    assert!(trained.success().contains("raw.run/report/index.html"));

    let calibrate = ["calibrate", "--model", "raw.onnx", "--out", "model.onnx"];
    let output = run(&[&calibrate[..], &data].concat()).success();
    assert!(
        output.contains("pairs of 40 components (changes, images unseen in training)"),
        "{output}"
    );

    let measure = ["evaluate", "--model", "model.onnx", "--report", "report"];
    run(&[&measure[..], &data].concat()).success();
    let record = evaluate::report(&ground);
    assert_eq!(record["training"]["overlap"], "unseen");
    let eer = &record["eer"];
    // Chance is 0.5, and the interval must not contain it.
    assert!(eer["value"].as_f64().expect("a rate") < 0.2, "{eer} {progress}");
    assert!(eer["high"].as_f64().expect("a rate") < 0.4, "{eer} {progress}");
}
