//! Trains small networks on made pictures.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use burn::tensor::Device;
use siamese_core::model::{OnnxTower, Options, Tower};
use siamese_core::score::Embedding;
use siamese_trainer::config::{Config, Length, LossKind, Sampling};
use siamese_trainer::data::{Collection, Gallery};
use siamese_trainer::export::export;
use siamese_trainer::learn::{self, Learning, RunFolder, State};
use siamese_trainer::network::{NetworkConfig, WaveletConfig};

use crate::ground::{BRIGHTNESS, Ground, Outcome};
use crate::made;

/// Runs `train` on the ground's `data`, with the small recipe.
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
            ["train", "--data", "data", "--out", "tower.onnx"]
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
    let folder = Collection::open(&ground.at("data")).expect("pictures");
    Gallery::load(&folder, &config.preparation(), false).expect("pictures")
}

/// What a run makes of the gallery's pictures, bit by bit.
fn embed(learning: &Learning, gallery: &Gallery) -> Vec<Embedding> {
    let pictures: Vec<_> = gallery.samples().iter().map(|it| it.pixels.values()).collect();
    let device = Device::flex();
    learn::embed(&learning.network(), true, &pictures, [1, 32, 32], &device).expect("finite")
}

fn advance_to(learning: &mut Learning, step: u32) {
    while learning.step() < step {
        learning.advance();
    }
}

#[test]
fn a_tower_trained_on_some_made_identities_tells_others_apart() {
    let ground = made_ground();
    let held_out = ["--hold-out", "pattern2,pattern5,pattern8"];
    let outcome = train(&ground, &made::config(), &held_out);
    let progress = outcome.complained.clone();
    let said = outcome.well();
    assert!(progress.contains("learned nothing: 0.3600"), "{progress}");
    assert!(progress.contains("on people held out"), "{progress}");
    assert!(said.contains("of the trained network on 18 pictures"), "{said}");
    assert!(said.contains("On the identities held out: tower.run/report/index.html"), "{said}");
    let report = fs::read_to_string(ground.at("tower.run/report/report.json")).expect("a report");
    assert!(report.contains("\"acquaintance\": \"unseen\""), "{report}");

    let table = ground.run_on(
        &ground.at("tower.onnx"),
        "evaluate",
        &["--identities", "pattern2,pattern5,pattern8"],
    );
    assert!(table.well().contains("3 identities, 18 pictures"));

    let tower = OnnxTower::load(&ground.at("tower.onnx"), &Options::default()).expect("a tower");
    let card = tower.card();
    assert_eq!(card.name, "tower");
    assert_eq!(card.margin, Some(1.2));
    let provenance = card.provenance.as_ref().expect("a provenance");
    assert_eq!(provenance["seed"], 1);
    assert_eq!(provenance["steps"], 40);
    assert_eq!(provenance["loss"]["kind"], "contrastive");
    assert_eq!(provenance["data"]["name"], "data");
    assert_eq!(provenance["held_out"][1], "pattern5");
    let golden = card.golden.as_ref().expect("golden pairs");
    assert!(golden.pairs.iter().all(|it| 0.0 < it.distance));
}

#[test]
fn each_loss_learns_by_drawn_and_by_balanced_batches() {
    let ground = made_ground();
    for kind in
        [LossKind::Contrastive, LossKind::Triplet, LossKind::Softmax, LossKind::MultiSimilarity]
    {
        for sampling in
            [Sampling::Balanced { identities: 6, pictures: 4 }, Sampling::Drawn { draws: 24 }]
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
fn a_seed_repeats_its_run_to_the_bit_and_another_does_not() {
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
fn a_resumed_run_ends_as_one_never_stopped() {
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
fn a_finished_run_resumed_writes_the_same_bytes_again() {
    let ground = made_ground();
    let mut config = made::config();
    config.length = Length::Steps(4);
    train(&ground, &config, &["--run", "run"]).well();
    let first = fs::read(ground.at("tower.onnx")).expect("a tower");
    fs::remove_file(ground.at("tower.onnx")).expect("a file");

    let refusal = train(&ground, &config, &["--run", "run"]).refusal();
    assert!(refusal.contains("--resume"), "{refusal}");

    train(&ground, &config, &["--run", "run", "--resume"]).well();
    assert_eq!(fs::read(ground.at("tower.onnx")).expect("a tower"), first);

    made::write(&ground.at("data"), 10, 6);
    let refusal = train(&ground, &config, &["--run", "run", "--resume"]).refusal();
    assert!(refusal.contains("other pictures"), "{refusal}");
}

#[test]
fn a_run_that_gets_no_better_stops_and_keeps_its_best() {
    let ground = made_ground();
    let mut config = made::config();
    // So small a rate changes no verdict, so every later measurement ties with the first.
    config.optimizer.rate = 1e-12;
    config.watch.evaluate_every = 2;
    let held_out = ["--hold-out-fold", "2/3", "--run", "run"];
    let outcome = train(&ground, &config, &[&held_out[..], &["--patience", "2"]].concat());
    let said = |outcome: &Outcome| {
        let lines = outcome.complained.lines().map(str::to_owned);
        let line = lines.filter(|it| it.starts_with("stopped")).collect::<Vec<_>>().concat();
        assert!(line.contains("in 2 measurements"), "{}", outcome.complained);
        line
    };
    let stopped = said(&outcome);
    outcome.well();
    let first = fs::read(ground.at("tower.onnx")).expect("a tower");

    // Stopped is stopped: to resume is to export again.
    let resumed = train(&ground, &config, &[&held_out[..], &["--resume"]].concat());
    assert_eq!(said(&resumed), stopped);
    resumed.well();
    assert_eq!(fs::read(ground.at("tower.onnx")).expect("a tower"), first);
}

#[test]
fn a_run_gone_astray_says_so_and_writes_nothing() {
    let ground = made_ground();
    let mut config = made::config();
    config.optimizer.rate = 1e30;
    let outcome = train(&ground, &config, &[]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.complained);
    assert!(outcome.complained.contains("smaller --rate"), "{}", outcome.complained);
    assert!(!ground.at("tower.onnx").exists());
}

#[test]
fn networks_export_to_what_they_were() {
    let ground = made_ground();
    let mut seed = Config::seed();
    (seed.input.height, seed.input.width) = (12, 20);
    let mut compact = made::config();
    compact.input.width = 48;
    let mut turned = made::config();
    let NetworkConfig::Compact(network) = &mut turned.network else { panic!("compact") };
    (network.mirror, network.turns) = (false, vec![12.0]);
    for config in [seed, compact, turned] {
        let gallery = gallery(&ground, &config);
        let mut learning = Learning::new(&config, &gallery);
        advance_to(&mut learning, 3);
        let mut card = OnnxTower::load(BRIGHTNESS.as_ref(), &Options::default())
            .expect("a tower")
            .card()
            .clone();
        card.preparation = config.preparation();
        let pixels: Vec<_> = gallery.samples().iter().map(|it| &it.pixels).collect();
        let path = ground.at("exported.onnx");
        let exported = export(&learning.network(), card, &pixels).expect("a tower");
        fs::write(&path, &exported.onnx).expect("a file");
        assert!(exported.difference < 1e-4, "{}", exported.difference);
        assert_eq!(exported.compared, 54);

        let mut tower = OnnxTower::load(&path, &Options::default()).expect("a tower");
        assert!(!tower.description().one_at_a_time);
        assert_eq!(tower.embed(&[pixels[0].clone()]).expect("a run").len(), 1);
    }
}

#[test]
fn a_place_where_no_tower_can_stand_is_named_before_anything_is_done() {
    let ground = made_ground();
    fs::write(ground.at("tower.toml"), "input = \"32\"\n").expect("a file");
    let refusal = train_bare(&ground, &[]).refusal();
    assert!(refusal.contains("tower.toml describes the tower"), "{refusal}");
    assert!(!ground.at("tower.onnx").exists() && !ground.at("tower.run").exists());

    fs::remove_file(ground.at("tower.toml")).expect("a file");
    fs::create_dir(ground.at("tower.onnx")).expect("a folder");
    let refusal = train_bare(&ground, &[]).refusal();
    assert!(refusal.contains("tower.onnx can't be written"), "{refusal}");
    assert!(!ground.at("tower.run").exists());
}

#[test]
fn what_people_get_wrong_is_one_line_with_the_way_out() {
    let one_identity = Ground::of(&[("a", &[1, 2])]);
    let lonely = Ground::of(&[("a", &[1, 2]), ("lonely", &[3]), ("b", &[5, 6])]);
    let empty = Ground::new();
    fs::create_dir(empty.at("data")).expect("a folder");
    let broken = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    fs::write(broken.at("data/a/notes.txt"), "not a picture").expect("a file");
    let fine = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6]), ("c", &[7, 8])]);
    for (ground, arguments, with) in [
        (&one_identity, &[][..], "one identity only, a"),
        (&lonely, &[], "single picture"),
        (&empty, &[], "holds no pictures"),
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
        let refusal = train_bare(ground, arguments).refusal();
        assert!(refusal.contains(with), "{refusal}");
        assert!(!ground.at("tower.onnx").exists());
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_trainer_built_without_cuda_says_how_to_build_it_with() {
    let refusal = train_bare(&made_ground(), &["--device", "cuda"]).refusal();
    assert!(refusal.contains("--features cuda"), "{refusal}");
}

#[test]
fn unreadable_files_are_listed_and_left_out_where_asked() {
    let ground = made_ground();
    fs::write(ground.at("data/pattern0/notes.txt"), "not a picture").expect("a file");
    let mut config = made::config();
    config.length = Length::Steps(1);
    let outcome = train(&ground, &config, &["--skip-unreadable"]);
    assert!(outcome.complained.contains("left out: pattern0/notes.txt"), "{}", outcome.complained);
    outcome.well();
}

#[test]
fn wavelets_tell_made_identities_apart_without_a_step() {
    let ground = made_ground();
    let mut config = Config { input: made::config().input, ..Config::wavelet() };
    config.augmentation.mirror = 0.0;
    config.network = NetworkConfig::Wavelet(WaveletConfig {
        scales: 2,
        cells: [3, 3],
        width: 24,
        mirror: false,
        ..WaveletConfig::default()
    });
    let gallery = gallery(&ground, &config);
    let eer = Learning::new(&config, &gallery).eer(&gallery).expect("finite");
    assert!(eer < 0.05, "{eer}");

    train(&ground, &config, &[]).well();
    let tower = OnnxTower::load(&ground.at("tower.onnx"), &Options::default()).expect("a tower");
    assert_eq!(tower.card().margin, None, "nothing was pushed apart");
    let provenance = tower.card().provenance.as_ref().expect("a provenance");
    assert!(provenance["loss"].is_null() && provenance["whitening"]["shrinkage"] == 1.0);
}
