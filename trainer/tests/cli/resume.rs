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

/// 18 epochs of three steps each, of which measurements are taken every ten steps.
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
        .args(["train", "--data", "data", "--name", "tower"])
        .args(arguments)
        .env_remove("SOURCE_DATE_EPOCH");
    command
}

/// What it complained of, if it ended well.
#[track_caller]
fn well(mut command: Command) -> String {
    let outcome = Outcome::of(&mut command);
    assert_eq!(outcome.code, Some(0), "{}", outcome.complained);
    outcome.complained
}

/// The steps of the checkpoints there are, ascending.
fn checkpoints(run: &Path) -> Vec<u32> {
    let entries = fs::read_dir(run).into_iter().flatten().flatten();
    let step = |name: &str| name.strip_prefix("step-")?.parse().ok();
    let mut steps: Vec<u32> =
        entries.filter_map(|it| step(&it.file_name().to_string_lossy())).collect();
    steps.sort_unstable();
    steps
}

/// Kills the run with SIGKILL as soon as `step` is saved; tells the steps saved by then.
fn kill_after(mut command: Command, run: &Path, step: u32) -> Vec<u32> {
    let mut process = Process::spawn(command.stderr(Stdio::null()));
    eventually(Duration::from_mins(5), &format!("a checkpoint of step {step}"), || {
        let is_there = checkpoints(run).last().is_some_and(|it| step <= *it);
        assert!(is_there || !process.has_ended(), "the run ended before its kill");
        is_there
    });
    drop(process);
    checkpoints(run)
}

#[test]
fn a_run_killed_twice_ends_in_the_bytes_of_one_never_stopped() {
    let ground = ground();
    let choices = ["--config", "config.toml", "--hold-out-fold", "2/3", "--patience", "50"];
    well(train(&ground, &[&["--out", "whole.onnx"], &choices[..]].concat()));

    let run = ground.at("killed.run");
    let first = [&["--out", "killed.onnx"], &choices[..]].concat();
    let saved = kill_after(train(&ground, &first), &run, 6);
    assert!(!ground.at("killed.onnx").exists());
    // No more than an epoch, which is two steps of 36 pictures, is lost: each one's end was saved.
    assert!(saved.iter().all(|it| it % 2 == 0), "{saved:?}");
    // Resuming takes the choices and the identities held out from the run's folder.
    let resumed = ["--out", "killed.onnx", "--resume"];
    kill_after(train(&ground, &resumed), &run, 21);

    // Power that fails may tear what was written last: the checkpoint before stands in.
    let saved = checkpoints(&run);
    let [.., before, last] = saved[..] else { panic!("two checkpoints are kept: {saved:?}") };
    let weights = run.join(format!("step-{last}/weights.bpk"));
    let whole = fs::read(&weights).expect("weights");
    fs::write(&weights, &whole[..whole.len() / 2]).expect("a file");
    fs::create_dir(run.join(".draft-left")).expect("a folder");
    let complained = well(train(&ground, &resumed));
    let warning = format!("the checkpoint of step {last} is broken");
    assert!(complained.contains(&warning) && before < last, "{complained}");

    let [whole, killed] =
        ["whole.onnx", "killed.onnx"].map(|it| fs::read(ground.at(it)).expect("a tower"));
    assert!(whole == killed, "the resumed run's tower is another");
    assert!(!run.join(".draft-left").exists());

    // One history, as if it had never been stopped.
    let [whole, killed] = ["whole.run", "killed.run"].map(|it| history::read(&ground.at(it)));
    let told =
        |it: &[history::Entry]| -> Vec<_> { it.iter().map(|it| (it.step, it.eer)).collect() };
    assert_eq!(told(&killed), told(&whole));
    assert_eq!(whole.iter().filter(|it| it.eer.is_some()).count(), 6);
    assert!(killed.is_sorted_by(|a, b| a.seconds <= b.seconds));
}

#[test]
fn a_run_killed_before_its_first_checkpoint_is_resumed_from_the_beginning() {
    let ground = ground();
    let choices = ["--config", "config.toml", "--steps", "4"];
    well(train(&ground, &[&["--out", "whole.onnx"], &choices[..]].concat()));
    well(train(&ground, &[&["--out", "begun.onnx"], &choices[..]].concat()));
    for step in checkpoints(&ground.at("begun.run")) {
        fs::remove_dir_all(ground.at("begun.run").join(format!("step-{step}"))).expect("a folder");
    }
    fs::remove_file(ground.at("begun.onnx")).expect("a file");
    well(train(&ground, &["--out", "begun.onnx", "--resume"]));
    let [whole, begun] =
        ["whole.onnx", "begun.onnx"].map(|it| fs::read(ground.at(it)).expect("a tower"));
    assert!(whole == begun);
}

#[test]
fn a_runs_record_repeats_it() {
    let ground = ground();
    let choices = ["--config", "config.toml", "--steps", "4", "--seed", "7"];
    let held_out = ["--hold-out", "pattern2,pattern5", "--out", "first.onnx"];
    well(train(&ground, &[&choices[..], &held_out].concat()));
    let record = fs::read_to_string(ground.at("first.run/run.toml")).expect("a record");
    for words in ["commit = ", "\"--seed\"", "rustc = ", "burn = \"0.22", "system = ", "pattern5"] {
        assert!(record.contains(words), "{words} is missing:\n{record}");
    }
    let list = fs::read_to_string(ground.at("first.run/held-out.sha256")).expect("a list");
    assert_eq!(list.lines().count(), 12);
    assert!(list.lines().all(|it| it[64..].starts_with("  pattern")), "{list}");

    let repeat = ["--config", "first.run/run.toml", "--out", "again.onnx"];
    let complained = well(train(&ground, &repeat));
    assert!(!complained.contains("warning: these are other"), "{complained}");
    let [first, again] =
        ["first.onnx", "again.onnx"].map(|it| fs::read(ground.at(it)).expect("a tower"));
    assert!(first == again);

    made::write(&ground.at("data"), 10, 6);
    let others = ["--config", "first.run/run.toml", "--out", "others.onnx"];
    let complained = well(train(&ground, &others));
    assert!(complained.contains("warning: these are other pictures"), "{complained}");
}
