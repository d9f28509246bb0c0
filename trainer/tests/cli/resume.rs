//! Runs that are killed, resumed and repeated.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use siamese_trainer::learn::history;

use crate::ground::{Ground, Outcome};
use crate::made;
use crate::waits::eventually;
use crate::waits::process::Process;

/// A run of 18 epochs with three steps each, measured every ten steps.
fn ground() -> Ground {
    let ground = Ground::new();
    made::write(&ground.at("data"), 9, 6);
    let mut config = made::config();
    config.length = siamese_trainer::config::Length::Steps(54);
    config.watch.evaluate_every = 10;
    config.watch.checkpoint_every = 1000;
    fs::write(ground.at("config.toml"), toml::to_string(&config).expect("TOML")).expect("a file");
    ground
}

fn train(ground: &Ground, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese-trainer"));
    command
        .current_dir(ground.at(""))
        .args(["train", "--data", "data", "--name", "model"])
        .args(arguments)
        .env_remove("SOURCE_DATE_EPOCH");
    command
}

/// Runs a command, checks that it succeeds, and returns its stderr.
#[track_caller]
fn success(mut command: Command) -> String {
    let outcome = Outcome::of(&mut command);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.stderr
}

/// Returns the steps of the checkpoints in ascending order.
fn checkpoints(run: &Path) -> Vec<u32> {
    let entries = fs::read_dir(run).into_iter().flatten().flatten();
    let step = |name: &str| name.strip_prefix("step-")?.parse().ok();
    let mut steps: Vec<u32> =
        entries.filter_map(|entry| step(&entry.file_name().to_string_lossy())).collect();
    steps.sort_unstable();
    steps
}

/// Kills the run with SIGKILL as soon as `step` is saved; returns the saved steps.
fn kill_after(mut command: Command, run: &Path, step: u32) -> Vec<u32> {
    let mut process = Process::spawn(command.stderr(Stdio::null()));
    eventually(Duration::from_mins(5), &format!("a checkpoint of step {step}"), || {
        let is_there = checkpoints(run).last().is_some_and(|last| step <= *last);
        assert!(is_there || !process.has_ended(), "the run ended before its kill");
        is_there
    });
    drop(process);
    checkpoints(run)
}

#[test]
fn a_run_killed_twice_gives_the_same_model_as_an_uninterrupted_run() {
    let ground = ground();
    let options = ["--config", "config.toml", "--hold-out-fold", "2/3", "--patience", "50"];
    success(train(&ground, &[&["--out", "whole.onnx"], &options[..]].concat()));

    let run = ground.at("killed.run");
    let first = [&["--out", "killed.onnx"], &options[..]].concat();
    let saved = kill_after(train(&ground, &first), &run, 6);
    assert!(!ground.at("killed.onnx").exists());
    // At most one epoch is lost (two steps for 36 images): each epoch ends with a checkpoint.
    assert!(saved.iter().all(|step| step % 2 == 0), "{saved:?}");
    // Resuming uses the configuration and the held-out identities of the run folder.
    let resumed = ["--out", "killed.onnx", "--resume"];
    kill_after(train(&ground, &resumed), &run, 21);

    // A power failure may damage the last checkpoint; the previous one is used.
    let saved = checkpoints(&run);
    let [.., before, last] = saved[..] else { panic!("two checkpoints are kept: {saved:?}") };
    let weights = run.join(format!("step-{last}/weights.bpk"));
    let whole = fs::read(&weights).expect("weights");
    fs::write(&weights, &whole[..whole.len() / 2]).expect("a file");
    fs::create_dir(run.join(".draft-left")).expect("a folder");
    let stderr = success(train(&ground, &resumed));
    let warning = format!("the checkpoint of step {last} is broken");
    assert!(stderr.contains(&warning) && before < last, "{stderr}");

    let [whole, killed] =
        ["whole.onnx", "killed.onnx"].map(|name| fs::read(ground.at(name)).expect("a model"));
    assert!(whole == killed, "the resumed run gives another model");
    assert!(!run.join(".draft-left").exists());

    // The history is that of an uninterrupted run.
    let [whole, killed] = ["whole.run", "killed.run"].map(|name| history::read(&ground.at(name)));
    let measurements = |entries: &[history::Entry]| -> Vec<_> {
        entries.iter().map(|entry| (entry.step, entry.eer)).collect()
    };
    assert_eq!(measurements(&killed), measurements(&whole));
    assert_eq!(whole.iter().filter(|entry| entry.eer.is_some()).count(), 6);
    assert!(killed.is_sorted_by(|a, b| a.seconds <= b.seconds));
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again() {
    let ground = ground();
    let options = ["--config", "config.toml", "--steps", "4"];
    success(train(&ground, &[&["--out", "whole.onnx"], &options[..]].concat()));
    success(train(&ground, &[&["--out", "begun.onnx"], &options[..]].concat()));
    for step in checkpoints(&ground.at("begun.run")) {
        fs::remove_dir_all(ground.at("begun.run").join(format!("step-{step}"))).expect("a folder");
    }
    fs::remove_file(ground.at("begun.onnx")).expect("a file");
    success(train(&ground, &["--out", "begun.onnx", "--resume"]));
    let [whole, begun] =
        ["whole.onnx", "begun.onnx"].map(|name| fs::read(ground.at(name)).expect("a model"));
    assert!(whole == begun);
}

#[test]
fn the_record_of_a_run_repeats_it() {
    let ground = ground();
    let options = ["--config", "config.toml", "--steps", "4", "--seed", "7"];
    let held_out = ["--hold-out", "pattern2,pattern5", "--out", "first.onnx"];
    success(train(&ground, &[&options[..], &held_out].concat()));
    let record = fs::read_to_string(ground.at("first.run/run.toml")).expect("a record");
    for words in ["commit = ", "\"--seed\"", "rustc = ", "burn = \"0.22", "system = ", "pattern5"] {
        assert!(record.contains(words), "{words} is missing:\n{record}");
    }
    let list = fs::read_to_string(ground.at("first.run/held-out.sha256")).expect("a list");
    assert_eq!(list.lines().count(), 12);
    assert!(list.lines().all(|line| line[64..].starts_with("  pattern")), "{list}");

    let repeat = ["--config", "first.run/run.toml", "--out", "again.onnx"];
    let stderr = success(train(&ground, &repeat));
    assert!(!stderr.contains("warning: the images differ"), "{stderr}");
    let [first, again] =
        ["first.onnx", "again.onnx"].map(|name| fs::read(ground.at(name)).expect("a model"));
    assert!(first == again);

    made::write(&ground.at("data"), 10, 6);
    let others = ["--config", "first.run/run.toml", "--out", "others.onnx"];
    let stderr = success(train(&ground, &others));
    assert!(stderr.contains("warning: the images differ"), "{stderr}");
}
