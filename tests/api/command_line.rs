//! The program's commands: what they print, and how they end.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::app::{OTHER, SAME, fixture, root, shipped};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_siamese"))
        .args(arguments)
        .current_dir(root())
        .env("RUST_LOG", "off")
        .output()
        .expect("the program")
}

fn face(name: &str) -> String {
    format!("tests/fixtures/faces/{name}")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[track_caller]
fn fails(arguments: &[&str], code: i32, word: &str) {
    let output = run(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(word), "{word:?} is not in: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn the_exit_code_is_the_verdict() {
    let [a, b] = SAME.map(face);
    let same = run(&["compare", &a, &b]);
    assert_eq!(same.status.code(), Some(0), "{}", text(&same.stderr));
    assert!(text(&same.stdout).starts_with("same: distance "));
    let different = run(&["compare", &a, &face(OTHER), "--json"]);
    assert_eq!(different.status.code(), Some(1), "{}", text(&different.stderr));
    let answer: Value = serde_json::from_slice(&different.stdout).expect("JSON");
    assert_eq!(answer["verdict"], "different");
    assert_eq!(answer["operating_point"]["source"], "calibration");
    let forced = run(&["compare", &a, &face(OTHER), "--threshold", "1e9"]);
    assert_eq!(forced.status.code(), Some(0));
}

#[test]
fn what_cannot_be_told_is_one_line_and_code_2() {
    let a = face(SAME[0]);
    fails(&["compare", &a, "nowhere.png"], 2, "nowhere.png");
    fails(&["compare", &a, "Cargo.toml"], 2, "none of JPEG");
    fails(&["compare", &a, &a, "--fmr", "1e-9"], 2, "smallest");
    fails(&["compare", &a, &a, "--tower", "nowhere.onnx"], 2, "nowhere.onnx");
    fails(&["inspect", "tests/fixtures/towers/plain.onnx"], 2, "plain.toml");
    fails(&["embed", &a, "--out", "x.txt"], 2, ".npy");
    fails(&["serve", "--config", "nowhere.toml"], 2, "nowhere.toml");
}

#[test]
fn what_the_machine_lacks_is_one_line_and_code_3() {
    let a = face(SAME[0]);
    fails(&["compare", &a, &a, "--device", "require-gpu"], 3, "onnxruntime-gpu");
    for library in ["/nowhere/libonnxruntime.so", "Cargo.toml"] {
        let output = Command::new(env!("CARGO_BIN_EXE_siamese"))
            .args(["compare", &a, &a])
            .current_dir(root())
            .env("ORT_DYLIB_PATH", library)
            .output()
            .expect("the program");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(library) && said.contains("ORT_DYLIB_PATH"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn embeddings_are_printed_or_written() {
    let lines = run(&["embed", &face(OTHER), &face(SAME[0])]);
    let lines: Vec<Value> =
        text(&lines.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["path"], face(OTHER));

    let folder = TempDir::new().expect("a folder");
    let out = folder.path().join("faces.npy");
    let faces = TempDir::new().expect("a folder");
    for name in [OTHER, SAME[0]] {
        std::fs::copy(fixture("faces").join(name), faces.path().join(name)).expect("copied");
    }
    let written = run(&["embed", path(faces.path()), "--out", path(&out)]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    let bytes = std::fs::read(&out).expect("a file");
    let width = lines[0]["embedding"].as_array().expect("numbers").len();
    let header = text(&bytes[10..128]);
    assert!(header.contains("'<f4'") && header.contains(&format!("(2, {width})")), "{header}");
    let (numbers, rest) = bytes[128..].as_chunks();
    let numbers: Vec<f32> = numbers.iter().map(|it| f32::from_le_bytes(*it)).collect();
    let expected: Vec<f32> = lines
        .iter()
        .flat_map(|it| {
            serde_json::from_value::<Vec<f32>>(it["embedding"].clone()).expect("numbers")
        })
        .collect();
    assert_eq!((numbers, rest.len()), (expected, 0));
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn a_towers_card_is_shown() {
    let output = run(&["inspect", path(&shipped())]);
    let card = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for word in ["faces", "sha256:", "pairs hold here", "threshold", "EER"] {
        assert!(card.contains(word), "{word} is not in\n{card}");
    }
    let output = run(&["inspect", path(&shipped()), "--json"]);
    let card: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(card["name"], "faces");
}
