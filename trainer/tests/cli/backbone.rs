//! Training a head on a backbone.

use std::path::Path;

use siamese_core::model::{
    Device, EMBEDDING, Length, OnnxModel, Options, Outline, Source, WeightKind,
};

use crate::ground::Ground;
use crate::made;

const ORL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/orl.onnx");
const SPLIT: [&str; 2] = ["--fold", "0/4"];

fn on_cpu() -> Options {
    Options { device: Device::Cpu, ..Options::default() }
}

fn train(ground: &Ground, arguments: &[&str]) -> crate::ground::Outcome {
    let fixed = ["train", "--data", "data", "--out", "model.onnx"];
    ground.program(fixed.into_iter().chain(arguments.iter().copied()).map(AsRef::as_ref))
}

fn files(folder: &Path) -> usize {
    let entries =
        std::fs::read_dir(folder).into_iter().flatten().map(|it| it.expect("an entry").path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[test]
fn a_head_on_a_file_makes_a_model_and_its_features_are_cached() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 8, 6);
    let arguments = ["--backbone", ORL, "--hold-out-fold", "0/4"];
    let first = train(&ground, &arguments);
    assert!(first.stderr.contains("within the training identities"), "{}", first.stderr);
    first.success();
    let model = OnnxModel::load(&ground.at("model.onnx"), &on_cpu()).expect("a model");
    let card = model.card();
    assert_eq!((card.length, card.preprocessing.height), (Length::Unit, 72));
    let provenance = card.provenance.as_ref().expect("a provenance");
    assert_eq!(provenance["backbone"]["file"], "orl.onnx", "{provenance}");
    assert_eq!(provenance["data"]["identities"], 6, "{provenance}");

    let cached = ground.at("cache/siamese/features");
    assert_eq!(files(&cached), 48);
    let again = ["--backbone", ORL, "--hold-out-fold", "0/4", "--run", "again"];
    train(&ground, &again).success();
    assert_eq!(files(&cached), 48);
}

#[test]
fn a_list_of_pairs_gives_a_head_in_closed_form() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 6, 4);
    let lines = (0..6).flat_map(|identity| {
        let other = (identity + 1) % 6;
        [(0, 1), (2, 3)].map(|(a, b)| {
            let first = format!("pattern{identity}/{a}.png");
            format!("{first},pattern{identity}/{b}.png,1\n{first},pattern{other}/{b}.png,0\n")
        })
    });
    let list = format!("a,b,same\n{}", lines.collect::<String>());
    std::fs::write(ground.at("data/pairs.csv"), list).expect("a file");
    let arguments = ["train", "--data", "data/pairs.csv", "--out", "model.onnx", "--backbone", ORL];
    let outcome = ground.program(arguments.map(AsRef::as_ref));
    outcome.success();
    let model = OnnxModel::load(&ground.at("model.onnx"), &on_cpu()).expect("a model");
    let provenance = model.card().provenance.as_ref().expect("a provenance");
    assert_eq!(provenance["steps"], 0, "{provenance}");
}

#[test]
fn the_known_backbone_is_fetched_and_makes_a_model_that_can_be_quantised() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 8, 4);
    train(&ground, &["--backbone", "lite0", "--hold-out-fold", "0/4"]).success();
    let path = ground.at("model.onnx");
    let outline = Outline::of(&Source::read(&path).expect("a model"), &on_cpu()).expect("a graph");
    let outputs: Vec<_> =
        outline.outputs.iter().map(|it| (it.name.as_str(), it.shape.len())).collect();
    assert_eq!(outputs, [(EMBEDDING, 2), ("map", 4)]);

    let fixed = ["--out", "calibrated.onnx"];
    ground.run_on(&path, "calibrate", &[&fixed[..], &SPLIT].concat()).success();
    let fixed = ["--weights", "int8", "--max-flipped", "1", "--out", "small.onnx"];
    let calibrated = ground.at("calibrated.onnx");
    ground.run_on(&calibrated, "export", &[&fixed[..], &SPLIT].concat()).success();
    let length = |name| std::fs::metadata(ground.at(name)).expect("a file").len();
    assert!(3 * length("small.onnx") < length("model.onnx"), "{}", length("small.onnx"));
    let small = OnnxModel::load(&ground.at("small.onnx"), &on_cpu()).expect("a model");
    let weights = small.card().weights.as_ref().expect("a statement");
    assert_eq!(weights.kind, WeightKind::Int8);
    assert!(weights.drift.median_of_threshold < 0.2, "{:?}", weights.drift);
}

#[test]
fn a_backbone_that_cannot_be_used_is_refused_with_the_way_out() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 4, 3);
    let error = train(&ground, &["--backbone", "resnet"]).error();
    assert!(error.contains("lite0, or an ONNX file"), "{error}");
    std::fs::write(ground.at("text.onnx"), "not a network").expect("a file");
    let error = train(&ground, &["--backbone", "text.onnx"]).error();
    assert!(error.contains("text.onnx"), "{error}");
    // Before the error stands a note that the weights are fetched.
    let other_side = train(&ground, &["--backbone", "lite0", "--input", "100"]);
    assert_eq!(other_side.code, Some(2), "{}", other_side.stderr);
    assert!(other_side.stderr.contains("such as 128x128"), "{}", other_side.stderr);
    let usage = train(&ground, &["--backbone", "lite0", "--network", "compact"]);
    assert_eq!(usage.code, Some(2), "{}", usage.stderr);
    assert!(usage.stderr.contains("--network"), "{}", usage.stderr);
}
