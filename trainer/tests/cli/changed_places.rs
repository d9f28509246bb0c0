//! Lists that tell where images have changed.
//!
//! The embedding of the model is the mean grey of 4 by 4 pixels, and it has no map. So a cell is a tile of 4 pixels, and
//! its distance is the difference of its mean grey.

use std::fmt::Write as _;
use std::fs;

use image::{GrayImage, Luma};
use serde_json::Value;
use siamese_core::model::{Card, OnnxModel, Options};

use crate::evaluate::report;
use crate::ground::{BRIGHTNESS, Ground, Outcome};

/// The side of an image. It has 8 by 8 cells.
const SIDE: u32 = 32;

/// Draws a scene of grey blocks of 2 pixels, which the alignment can hold on to.
fn scene(number: u32) -> GrayImage {
    GrayImage::from_fn(SIDE, SIDE, |column, row| {
        let block =
            (column / 2 * 7 + row / 2 * 13 + (column / 2) * (row / 2) * 5 + number * 3) % 11;
        Luma([u8::try_from(60 + 4 * block).expect("a byte")])
    })
}

/// Paints a square of 4 pixels.
fn paint(image: &mut GrayImage, [left, top]: [u32; 2], grey: u8) {
    for row in top..top + 4 {
        for column in left..left + 4 {
            image.put_pixel(column, row, Luma([grey]));
        }
    }
}

/// Writes three pairs with a white cell each, of which the last is faint, and three unchanged ones, of which one has a
/// cell with a false alarm.
fn write(ground: &Ground, with_unchanged: bool) {
    fs::create_dir(ground.at("scenes")).expect("a folder");
    let mut list = "before,after,boxes\n".to_owned();
    let mut pair = |number: u32, place: [u32; 2], grey: Option<u8>, boxes: &str| {
        let before = scene(number);
        let mut after = before.clone();
        if let Some(grey) = grey {
            paint(&mut after, place, grey);
        }
        for (name, image) in [("before", before), ("after", after)] {
            image.save(ground.at(&format!("scenes/{number}-{name}.png"))).expect("an image");
        }
        writeln!(list, "scenes/{number}-before.png,scenes/{number}-after.png,{boxes}")
            .expect("a line");
    };
    pair(1, [8, 8], Some(255), "8 8 12 12 1");
    pair(2, [20, 12], Some(255), "20 12 24 16");
    pair(3, [16, 4], Some(110), "16 4 20 8");
    if with_unchanged {
        pair(4, [0, 0], None, "");
        pair(5, [0, 0], None, "");
        pair(6, [24, 24], Some(140), "");
    }
    fs::write(ground.at("list.csv"), list).expect("a list");
}

fn run(ground: &Ground, model: &str, command: &str, arguments: &[&str]) -> Outcome {
    let fixed = [command, "--data", "list.csv", "--model", model, "--resamples", "40"];
    let all: Vec<_> = fixed.iter().chain(arguments).collect();
    ground.program(all.into_iter().map(AsRef::as_ref))
}

fn card(ground: &Ground) -> Card {
    let model = OnnxModel::load(&ground.at("new.onnx"), &Options::default()).expect("a model");
    model.card().clone()
}

#[test]
fn a_threshold_lets_a_share_of_the_unchanged_images_be_false() {
    let ground = Ground::new();
    write(&ground, true);
    let calibrate = |share: &str| {
        let options = ["--out", "new.onnx", "--fnmr-images", share];
        let output = run(&ground, BRIGHTNESS, "calibrate", &options).success();
        let changes = card(&ground).changes.expect("a calibration for changes");
        (output, changes)
    };

    let (output, strict) = calibrate("0.02");
    assert!(output.contains("0 of 3 unchanged pairs have a false alarm"), "{output}");
    assert!(output.contains("of 6 components (list, listed pairs)"), "{output}");
    // The threshold is the false alarm of scene 6, which misses the faint cell of scene 3.
    assert!(
        output.contains("unchanged cell in scenes/6-before.png and scenes/6-after.png:"),
        "{output}"
    );
    assert!(output.contains("it misses 33.33 %"), "{output}");
    assert!((30.0..70.0).contains(&strict.threshold.get()), "{:?}", strict.threshold);
    assert_eq!((strict.images.same_pairs(), strict.images.different_pairs()), (3, 3));
    assert_eq!((strict.cells.different_pairs(), strict.cells.identities()), (3, 6));

    let (output, lax) = calibrate("0.4");
    assert!(output.contains("1 of 3 unchanged pairs have a false alarm"), "{output}");
    // The other unchanged pairs are equal, so the threshold is half of the smallest distance.
    assert!(lax.threshold < strict.threshold, "{lax:?}");
    assert!(output.contains("it misses 0.00 %"), "{output}");
}

#[test]
fn pairs_that_have_all_changed_count_as_unchanged_without_their_changes() {
    let ground = Ground::new();
    write(&ground, false);
    let output = run(&ground, BRIGHTNESS, "calibrate", &["--out", "new.onnx"]).success();
    let words = "0 of 3 pairs without their changed cells have a false alarm";
    assert!(output.contains(words), "{output}");
    assert!(card(&ground).changes.is_some());
}

#[test]
fn a_report_shows_what_is_found_and_what_is_not() {
    let ground = Ground::new();
    write(&ground, true);
    run(&ground, BRIGHTNESS, "calibrate", &["--out", "new.onnx"]).success();
    let output = run(&ground, "new.onnx", "evaluate", &["--report", "report"]).success();
    let headline = "new on list: 6 pairs of 6 components, 3 of them unchanged; 381 unchanged and 3 changed cells";
    assert!(output.contains(headline), "{output}");
    assert!(output.contains("2 of 3 changes are found\n0 of 2 regions are false\n"), "{output}");
    assert!(output.contains("0 of 3 unchanged pairs have a false alarm"), "{output}");

    let record = report(&ground);
    let number = |path: &str| record.pointer(path).and_then(Value::as_f64).expect(path);
    assert!((number("/recall/value") - 2.0 / 3.0).abs() < 1e-9);
    assert!((number("/missed_cells/value") - 1.0 / 3.0).abs() < 1e-9);
    assert_eq!(record["precision"]["value"], 1.0);
    assert_eq!(record["false_regions_per_unchanged_pair"]["value"], 0.0);
    assert!(0.99 < number("/auc/value") && number("/auc/low") <= number("/auc/value"));
    assert_eq!(record["most_missed"][0]["after"], "scenes/3-after.png");
    assert_eq!(record["most_false"].as_array().map(Vec::len), Some(0));
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    assert!(page.contains("0 of 1 found") && page.contains("<rect x=\"16.0\""));
    assert!(page.contains("No region is false."));
}

#[test]
fn a_model_without_a_calibration_takes_the_threshold_of_equal_errors() {
    let ground = Ground::new();
    write(&ground, true);
    let output = run(&ground, BRIGHTNESS, "evaluate", &[]).success();
    assert!(output.contains("(equal errors on these pairs)"), "{output}");
}

#[test]
fn a_mask_tells_where_a_pair_has_changed_and_a_shift_cuts_it() {
    let ground = Ground::new();
    write(&ground, true);
    let mut mask = GrayImage::new(SIDE, SIDE);
    paint(&mut mask, [8, 8], 255);
    mask.save(ground.at("scenes/mask.png")).expect("an image");
    let lines = "before,after,mask\nscenes/1-before.png,scenes/1-after.png,scenes/mask.png\n\
                 scenes/4-before.png,scenes/4-after.png,\n";
    fs::write(ground.at("list.csv"), lines).expect("a list");
    let output = run(&ground, BRIGHTNESS, "evaluate", &[]).success();
    assert!(output.contains("127 unchanged and 1 changed cells"), "{output}");
    assert!(output.contains("1 of 1 changes are found"), "{output}");
    let output = run(&ground, BRIGHTNESS, "evaluate", &["--shift", "4"]).success();
    assert!(output.contains("(shifted by 4 pixels)"), "{output}");
    let error = run(&ground, BRIGHTNESS, "evaluate", &["--shift", "9"]).error();
    assert!(error.contains("its images are too small for this shift"), "{error}");
}

#[test]
fn lists_and_options_that_do_not_fit_are_refused() {
    let ground = Ground::new();
    write(&ground, true);
    let out = ["--out", "new.onnx"];
    let error = run(&ground, BRIGHTNESS, "calibrate", &[&out[..], &["--fmr", "0.1"]].concat());
    assert!(error.error().contains("--fnmr-images"));
    let error = run(&ground, BRIGHTNESS, "evaluate", &["--one-shot", "5"]).error();
    assert!(error.contains("--one-shot"), "{error}");

    fs::write(ground.at("list.csv"), "before,after,boxes\nscenes/1-before.png,scenes/none.png,\n")
        .expect("a list");
    let error = run(&ground, BRIGHTNESS, "evaluate", &[]).error();
    assert!(
        error.contains("scenes/1-before.png and scenes/none.png (scenes/none.png: No such"),
        "{error}"
    );

    fs::write(
        ground.at("list.csv"),
        "before,after,boxes\nscenes/1-before.png,scenes/1-after.png,9000 0 9009 9\n",
    )
    .expect("a list");
    let error = run(&ground, BRIGHTNESS, "evaluate", &[]).error();
    assert!(error.contains("a box does not touch the image"), "{error}");

    let mut unchanged = "before,after,boxes\nscenes/1-before.png,scenes/2-before.png,\n".to_owned();
    for number in 4..=6 {
        writeln!(unchanged, "scenes/{number}-before.png,scenes/{number}-after.png,")
            .expect("a line");
    }
    fs::write(ground.at("list.csv"), unchanged).expect("a list");
    let error = run(&ground, BRIGHTNESS, "calibrate", &out).error();
    assert!(error.contains("the list has no changed cell"), "{error}");

    fs::write(ground.at("list.csv"), "before,after,changed\na.png,b.png,0\n").expect("a list");
    let error = run(&ground, BRIGHTNESS, "evaluate", &["--shift", "4"]).error();
    assert!(error.contains("--shift needs a list with a column boxes or mask"), "{error}");
}
