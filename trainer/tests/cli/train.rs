//! Training of small networks on synthetic images.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use burn::tensor::Device;
use siamese_core::model::{HeldOut, Model, OnnxModel, Options};
use siamese_core::score::Embedding;
use siamese_trainer::config::{Config, Length, LossKind, Sampling};
use siamese_trainer::data::{Collection, Gallery};
use siamese_trainer::export::export;
use siamese_trainer::learn::{self, Learning, RunFolder, State};
use siamese_trainer::network::NetworkConfig;

use crate::ground::{BRIGHTNESS, Ground, Outcome};
use crate::made;

/// Runs `train` on `data` with a configuration.
fn train(ground: &Ground, config: &Config, arguments: &[&str]) -> Outcome {
    let text = toml::to_string(config).expect("a configuration is TOML");
    fs::write(ground.at("config.toml"), text).expect("a file");
    let config =
        if arguments.contains(&"--resume") { &[][..] } else { &["--config", "config.toml"] };
    train_bare(ground, &[config, arguments].concat())
}

fn train_bare(ground: &Ground, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese-trainer"));
    command
        .current_dir(ground.at(""))
        .args(
            ["train", "--data", "data", "--out", "model.onnx"]
                .iter()
                .chain(arguments)
                .map(OsStr::new),
        )
        .env_remove("SOURCE_DATE_EPOCH");
    Outcome::of(&mut command)
}

fn made_ground() -> Ground {
    let ground = Ground::new();
    made::write(&ground.at("data"), 9, 6);
    ground
}

fn gallery(ground: &Ground, config: &Config) -> Gallery {
    let folder = Collection::open(&ground.at("data")).expect("images");
    Gallery::load(&folder, &config.preprocessing(), false).expect("images")
}

/// Embeds the gallery's images with the current network.
fn embed(learning: &Learning, gallery: &Gallery) -> Vec<Embedding> {
    let images: Vec<_> = gallery.samples().iter().map(|sample| sample.pixels.values()).collect();
    let device = Device::flex();
    learn::embed(&learning.network(), true, &images, [1, 32, 32], &device).expect("finite")
}

fn advance_to(learning: &mut Learning, step: u32) {
    while learning.step() < step {
        learning.advance();
    }
}

#[test]
fn a_trained_model_is_exported_with_its_card_and_a_report() {
    let ground = made_ground();
    let held_out = ["--hold-out", "pattern2,pattern5,pattern8"];
    let outcome = train(&ground, &made::config(), &held_out);
    let progress = outcome.stderr.clone();
    let output = outcome.success();
    assert!(progress.contains("(chance: 0.3600)"), "{progress}");
    assert!(progress.contains("on held-out identities"), "{progress}");
    assert!(output.contains("from the trained network on 18 images"), "{output}");
    let line = "Report on the held-out identities: model.run/report/index.html";
    assert!(output.contains(line), "{output}");
    let report = fs::read_to_string(ground.at("model.run/report/report.json")).expect("a report");
    assert!(report.contains("\"overlap\": \"unseen\""), "{report}");

    let table = ground.run_on(
        &ground.at("model.onnx"),
        "evaluate",
        &["--identities", "pattern2,pattern5,pattern8"],
    );
    assert!(table.success().contains("3 identities, 18 images"));

    let model = OnnxModel::load(&ground.at("model.onnx"), &Options::default()).expect("a model");
    let card = model.card();
    assert_eq!(card.name, "model");
    assert_eq!(card.margin, Some(1.2));
    let provenance = card.provenance.as_ref().expect("a provenance");
    assert_eq!(provenance["seed"], 1);
    assert_eq!(provenance["steps"], 40);
    assert_eq!(provenance["loss"]["kind"], "contrastive");
    assert_eq!(provenance["data"]["name"], "data");
    let held_out = HeldOut::read(provenance).expect("held-out identities");
    assert!(held_out.contains("pattern5") && !held_out.contains("pattern4"));
    assert!(!provenance.to_string().contains("pattern"), "{provenance}");
    let golden = card.golden.as_ref().expect("golden pairs");
    assert!(golden.pairs.iter().all(|pair| 0.0 < pair.distance));
}

#[test]
fn each_loss_learns_with_drawn_and_balanced_batches() {
    let ground = made_ground();
    for kind in
        [LossKind::Contrastive, LossKind::Triplet, LossKind::Softmax, LossKind::MultiSimilarity]
    {
        for sampling in
            [Sampling::Balanced { identities: 6, images: 4 }, Sampling::Drawn { draws: 24 }]
        {
            let mut config = made::config();
            config.loss.kind = kind;
            config.loss.classifier_weight = 0.0;
            config.sampling = sampling;
            let gallery = gallery(&ground, &config);
            let mut learning = Learning::new(&config, &gallery);
            let before = learning.eer(&gallery).expect("finite");
            advance_to(&mut learning, 40);
            let after = learning.eer(&gallery).expect("finite");
            assert!(
                after < 0.5 * before,
                "{kind:?} by {sampling:?}: EER {before:.3} before, {after:.3} after"
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_does_not() {
    let ground = made_ground();
    let run = |seed| {
        let config = Config { seed, ..made::config() };
        let gallery = gallery(&ground, &config);
        let mut learning = Learning::new(&config, &gallery);
        advance_to(&mut learning, 6);
        embed(&learning, &gallery)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_resumed_run_gives_the_same_result_as_an_uninterrupted_run() {
    let ground = made_ground();
    let config = made::config();
    let gallery = gallery(&ground, &config);
    let mut whole = Learning::new(&config, &gallery);
    advance_to(&mut whole, 8);

    let folder = RunFolder::create(&ground.at("run")).expect("a folder");
    let mut first = Learning::new(&config, &gallery);
    advance_to(&mut first, 5);
    first.save(&folder, State { step: 5, best: None }).expect("saved");
    drop(first);
    let mut second = Learning::new(&config, &gallery);
    second.load(&folder, folder.state().expect("a state")).expect("loaded");
    assert_eq!(second.step(), 5);
    advance_to(&mut second, 8);

    assert_eq!(embed(&whole, &gallery), embed(&second, &gallery));
}

#[test]
fn resuming_a_finished_run_writes_the_same_file_again() {
    let ground = made_ground();
    let mut config = made::config();
    config.length = Length::Steps(4);
    train(&ground, &config, &["--run", "run"]).success();
    let first = fs::read(ground.at("model.onnx")).expect("a model");
    fs::remove_file(ground.at("model.onnx")).expect("a file");

    let error = train(&ground, &config, &["--run", "run"]).error();
    assert!(error.contains("--resume"), "{error}");

    train(&ground, &config, &["--run", "run", "--resume"]).success();
    assert_eq!(fs::read(ground.at("model.onnx")).expect("a model"), first);

    made::write(&ground.at("data"), 10, 6);
    let error = train(&ground, &config, &["--run", "run", "--resume"]).error();
    assert!(error.contains("other images"), "{error}");
}

#[test]
fn a_run_without_improvement_stops_and_keeps_its_best_weights() {
    let ground = made_ground();
    let mut config = made::config();
    // This rate is too small to change a verdict, so all measurements are equal.
    config.optimizer.rate = 1e-12;
    config.watch.evaluate_every = 2;
    let held_out = ["--hold-out-fold", "2/3", "--run", "run"];
    let outcome = train(&ground, &config, &[&held_out[..], &["--patience", "2"]].concat());
    let output = |outcome: &Outcome| {
        let lines = outcome.stderr.lines().map(str::to_owned);
        let line = lines.filter(|line| line.starts_with("stopped")).collect::<Vec<_>>().concat();
        assert!(line.contains(": 2 measurements without"), "{}", outcome.stderr);
        line
    };
    let stopped = output(&outcome);
    outcome.success();
    let first = fs::read(ground.at("model.onnx")).expect("a model");

    // Resuming a stopped run only exports again.
    let resumed = train(&ground, &config, &[&held_out[..], &["--resume"]].concat());
    assert_eq!(output(&resumed), stopped);
    resumed.success();
    assert_eq!(fs::read(ground.at("model.onnx")).expect("a model"), first);
}

#[test]
fn a_diverged_run_is_reported_and_writes_no_model() {
    let ground = made_ground();
    let mut config = made::config();
    config.optimizer.rate = 1e30;
    let outcome = train(&ground, &config, &[]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("smaller --rate"), "{}", outcome.stderr);
    assert!(!ground.at("model.onnx").exists());
}

#[test]
fn exported_networks_agree_with_the_trained_ones() {
    let ground = made_ground();
    let mut baseline = Config::baseline();
    (baseline.input.height, baseline.input.width) = (12, 20);
    let mut compact = made::config();
    compact.input.width = 48;
    let mut turned = made::config();
    let NetworkConfig::Compact(network) = &mut turned.network else { panic!("compact") };
    (network.mirror, network.turns) = (false, vec![12.0]);
    for config in [baseline, compact, turned] {
        let gallery = gallery(&ground, &config);
        let mut learning = Learning::new(&config, &gallery);
        advance_to(&mut learning, 3);
        let mut card = OnnxModel::load(BRIGHTNESS.as_ref(), &Options::default())
            .expect("a model")
            .card()
            .clone();
        card.preprocessing = config.preprocessing();
        let pixels: Vec<_> = gallery.samples().iter().map(|sample| &sample.pixels).collect();
        let path = ground.at("exported.onnx");
        let exported = export(&learning.network(), card, &pixels).expect("a model");
        fs::write(&path, &exported.onnx).expect("a file");
        assert!(exported.difference < 1e-4, "{}", exported.difference);
        assert_eq!(exported.compared, 54);

        let mut model = OnnxModel::load(&path, &Options::default()).expect("a model");
        assert!(!model.description().one_at_a_time);
        assert_eq!(model.embed(&[pixels[0].clone()]).expect("a run").len(), 1);
    }
}

#[test]
fn an_output_path_that_cannot_be_written_is_reported_before_training() {
    let ground = made_ground();
    fs::write(ground.at("model.toml"), "input = \"32\"\n").expect("a file");
    let error = train_bare(&ground, &[]).error();
    assert!(error.contains("model.toml describes the model"), "{error}");
    assert!(!ground.at("model.onnx").exists() && !ground.at("model.run").exists());

    fs::remove_file(ground.at("model.toml")).expect("a file");
    fs::create_dir(ground.at("model.onnx")).expect("a folder");
    let error = train_bare(&ground, &[]).error();
    assert!(error.contains("model.onnx is a folder"), "{error}");
    assert!(!ground.at("model.run").exists());
}

#[test]
fn user_errors_give_one_line_with_advice() {
    let one_identity = Ground::of(&[("a", &[1, 2])]);
    let lonely = Ground::of(&[("a", &[1, 2]), ("lonely", &[3]), ("b", &[5, 6])]);
    let empty = Ground::new();
    fs::create_dir(empty.at("data")).expect("a folder");
    let broken = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    fs::write(broken.at("data/a/notes.txt"), "not an image").expect("a file");
    let fine = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6]), ("c", &[7, 8])]);
    for (ground, arguments, with) in [
        (&one_identity, &[][..], "only one identity, a"),
        (&lonely, &[], "single image"),
        (&empty, &[], "contains no images"),
        (&broken, &[], "--skip-unreadable"),
        (&fine, &["--hold-out", "d"], "no identity named d"),
        (&fine, &["--hold-out", "a,b"], "at least two"),
        (&fine, &["--margin", "0"], "positive"),
        (&fine, &["--margin", "2.5"], "at most 2"),
        (&fine, &["--rate", "NaN"], "positive"),
        (&fine, &["--patience", "3"], "--hold-out"),
        (&fine, &["--resume"], "no saved run"),
        (&fine, &["--config", "missing.toml"], "missing.toml"),
    ] {
        let error = train_bare(ground, arguments).error();
        assert!(error.contains(with), "{error}");
        assert!(!ground.at("model.onnx").exists());
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_trainer_without_cuda_says_how_to_build_it() {
    let error = train_bare(&made_ground(), &["--device", "cuda"]).error();
    assert!(error.contains("--features cuda"), "{error}");
}

#[test]
fn unreadable_files_are_listed_and_skipped_on_request() {
    let ground = made_ground();
    fs::write(ground.at("data/pattern0/notes.txt"), "not an image").expect("a file");
    let mut config = made::config();
    config.length = Length::Steps(1);
    let outcome = train(&ground, &config, &["--skip-unreadable"]);
    assert!(outcome.stderr.contains("skipped pattern0/notes.txt"), "{}", outcome.stderr);
    outcome.success();
}

#[test]
fn the_wavelet_network_works_without_training_steps() {
    let ground = made_ground();
    let config = made::wavelet();
    let gallery = gallery(&ground, &config);
    let eer = Learning::new(&config, &gallery).eer(&gallery).expect("finite");
    assert!(eer < 0.05, "{eer}");

    train(&ground, &config, &[]).success();
    let model = OnnxModel::load(&ground.at("model.onnx"), &Options::default()).expect("a model");
    assert_eq!(model.card().margin, None, "no loss pushed pairs apart");
    let provenance = model.card().provenance.as_ref().expect("a provenance");
    assert!(provenance["loss"].is_null() && provenance["whitening"]["shrinkage"] == 1.0);
}
