//! Training a head on a backbone.

use std::path::Path;

use siamese_core::model::{
    Device, EMBEDDING, Length, OnnxModel, Options, Outline, Source, WeightKind,
};

use siamese_trainer::backbone::Pooling;
use siamese_trainer::config::Record;

use crate::ground::Ground;
use crate::made;

const ORL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/orl.onnx");
/// A backbone that reads images of any size, and gives a map of 12 channels.
const OPEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/open.onnx");
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
    std::fs::write(ground.at("text.onnx"), "not a network").expect("a file");
    for (arguments, expected) in [
        (&["--backbone", "resnet"][..], "lite0, or an ONNX file"),
        (&["--backbone", "text.onnx"], "text.onnx"),
        (&["--backbone", "lite0", "--input", "100"], "such as 128x128"),
        (&["--backbone", ORL, "--pooling", "gem"], "omit --pooling"),
        (&["--pooling", "gem"], "add --backbone"),
        (&["--backbone", "lite0", "--network", "compact"], "--network"),
        (&["--backbone", "lite0", "--pooling", "max"], "mean, gem, layers"),
        (&["--bakbone", "lite0"], "'--backbone'"),
    ] {
        let error = train(&ground, arguments).error();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn size_and_pooling_are_chosen_by_measurement_on_request() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 8, 4);
    std::fs::copy(OPEN, ground.at("open.onnx")).expect("a file");
    let pooling = |run: &str| {
        let record = std::fs::read_to_string(ground.at(run).join("run.toml")).expect("a record");
        let record: Record = toml::from_str(&record).expect("a record");
        let config = record.config;
        let pooling = config.backbone.expect("a backbone").pooling;
        (record.measured_inputs, [config.input.height, config.input.width], pooling)
    };
    let open = train(&ground, &["--backbone", "open.onnx", "--choose-input", "--run", "open"]);
    assert!(open.stderr.contains("input: 224x224"), "{}", open.stderr);
    open.success();
    let (measured, input, chosen) = pooling("open");
    // The images are smaller than every other side.
    assert_eq!((measured.len(), input), (2, [224, 224]));
    let is_second_better = measured[1].eer < 0.95 * measured[0].eer;
    assert_eq!(chosen, measured[usize::from(is_second_better)].pooling, "{measured:?}");

    let arguments = ["--backbone", "open.onnx", "--input", "32", "--pooling", "gem"];
    let decided = train(&ground, &[&arguments[..], &["--run", "decided"]].concat());
    assert!(!decided.stderr.contains("input:"), "{}", decided.stderr);
    decided.success();
    assert_eq!(pooling("decided"), (vec![], [32, 32], Some(Pooling::Gem)));
    let model = OnnxModel::load(&ground.at("model.onnx"), &on_cpu()).expect("a model");
    assert_eq!(model.card().preprocessing.height, 32);
    let provenance = model.card().provenance.as_ref().expect("a provenance");
    assert_eq!(provenance["backbone"]["pooling"], "gem", "{provenance}");
}

#[test]
fn a_run_can_be_repeated_in_another_folder() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 8, 4);
    std::fs::copy(OPEN, ground.at("open.onnx")).expect("a file");
    let arguments = ["--backbone", "open.onnx", "--input", "32", "--run", "first"];
    train(&ground, &arguments).success();
    let other = ground.at("other");
    std::fs::create_dir(&other).expect("a folder");
    let arguments =
        ["train", "--data", "../data", "--config", "../first/run.toml", "--out", "model.onnx"];
    ground.program_in(&other, arguments.map(AsRef::as_ref)).success();
    let [first, other] = [ground.at("model.onnx"), other.join("model.onnx")];
    assert_eq!(std::fs::read(first).expect("a file"), std::fs::read(other).expect("a file"));
}

#[test]
fn a_cache_that_cannot_be_written_is_a_warning() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 4, 3);
    std::fs::write(ground.at("cache"), "not a folder").expect("a file");
    let outcome = train(&ground, &["--backbone", ORL]);
    let warnings = outcome.stderr.lines().filter(|line| line.contains("XDG_CACHE_HOME")).count();
    assert_eq!(warnings, 1, "{}", outcome.stderr);
    outcome.success();
}

#[test]
fn the_known_backbone_is_fetched_only_when_it_is_needed() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 4, 3);
    let arguments = ["--backbone", "lite0", "--print-config"];
    let printed =
        ground.program_without_python(&[&["train", "--data", "data"], &arguments[..]].concat());
    assert!(printed.stdout.contains("pooling = \"layers\""), "{}", printed.stdout);
    assert_eq!(printed.stderr, "");
    printed.success();
    let arguments = ["train", "--data", "data", "--backbone", "lite0", "--out", "model.onnx"];
    let failed = ground.program_without_python(&arguments);
    assert_eq!(failed.code, Some(3), "{}", failed.stderr);
    let error = failed.stderr.lines().last().expect("an error");
    assert!(error.contains("put efficientnet-lite0") && error.contains("python3"), "{error}");
}
