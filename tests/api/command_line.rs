//! The commands of the program: their output and exit codes.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::app::{OTHER, SAME, root, shipped};
use crate::waits::TEST_TIMEOUT;
use crate::waits::process::output;

pub(crate) fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese"));
    output(TEST_TIMEOUT, command.args(arguments).current_dir(root()).env("RUST_LOG", "off"))
}

pub(crate) fn face(name: &str) -> String {
    format!("samples/{name}")
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[track_caller]
pub(crate) fn fails(arguments: &[&str], code: i32, word: &str) {
    let output = run(arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn the_exit_code_gives_the_verdict() {
    let [a, b] = SAME.map(face);
    let same = run(&["compare", &a, &b]);
    assert_eq!(same.status.code(), Some(0), "{}", text(&same.stderr));
    assert!(text(&same.stdout).starts_with("same: distance "));
    let different = run(&["compare", &a, &face(OTHER), "--json"]);
    assert_eq!(different.status.code(), Some(1), "{}", text(&different.stderr));
    let response: Value = serde_json::from_slice(&different.stdout).expect("JSON");
    assert_eq!(response["verdict"], "different");
    assert_eq!(response["operating_point"]["source"], "calibration");
    let forced = run(&["compare", &a, &face(OTHER), "--threshold", "1e9"]);
    assert_eq!(forced.status.code(), Some(0));
}

#[test]
fn a_command_names_the_face_that_it_uses() {
    let [a, b] = SAME.map(|name| path(&root().join("samples").join(name)).to_owned());
    let output = run(&["compare", &a, &b, "--json"]);
    let pair: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(pair["a"]["face"]["box"].is_array() && pair["b"]["face"]["box"].is_array(), "{pair}");
    let output = run(&["embed", &a]);
    let line: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(line["face"], pair["a"]["face"]);
}

#[test]
fn limits_of_a_server_do_not_stop_a_folder() {
    let folder = TempDir::new().expect("a folder");
    for number in 0..260 {
        let image = image::GrayImage::from_fn(8, 8, |x, y| {
            image::Luma([u8::try_from((x * 31 + y * 7 + number) % 256).expect("a byte")])
        });
        image.save(folder.path().join(format!("{number}.png"))).expect("an image");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese"));
    command.args(["embed", "--model", "models/orl.onnx", path(folder.path())]).current_dir(root());
    command.env("SIAMESE_SERVER__MAX_IN_FLIGHT", "1").env("SIAMESE_MODEL__BULK_QUEUE", "1");
    let output = output(TEST_TIMEOUT, &mut command);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 260);
}

#[test]
fn images_of_a_folder_are_sorted_by_distance() {
    let folder = TempDir::new().expect("a folder");
    std::fs::create_dir(folder.path().join("deeper")).expect("a folder");
    for (name, place) in [(OTHER, "a.jpg"), (SAME[1], "deeper/b.jpg")] {
        std::fs::copy(root().join("samples").join(name), folder.path().join(place))
            .expect("copied");
    }
    let one = face(SAME[0]);
    let output = run(&["compare", &one, path(folder.path())]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert!(lines[0].starts_with("same") && lines[0].ends_with("deeper/b.jpg"), "{lines:?}");
    assert!(lines[1].starts_with("different") && lines[1].ends_with("a.jpg"), "{lines:?}");

    let nobody = run(&["compare", &one, path(folder.path()), "--threshold", "0", "--json"]);
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody.stderr));
    let response: Value = serde_json::from_slice(&nobody.stdout).expect("JSON");
    let results = response["results"].as_array().expect("results");
    let distance = |at: usize| results[at]["distance"].as_f64();
    assert!(results.len() == 2 && distance(0) < distance(1), "{response}");

    std::fs::write(folder.path().join("notes.txt"), "no image").expect("a file");
    let spoilt = run(&["compare", &one, path(folder.path())]);
    assert_eq!(spoilt.status.code(), Some(2));
    assert_eq!(text(&spoilt.stdout).lines().count(), 2);
    assert!(text(&spoilt.stderr).contains("notes.txt: "), "{}", text(&spoilt.stderr));
    assert!(text(&spoilt.stderr).contains("1 of 3 files"), "{}", text(&spoilt.stderr));
}

/// A folder with twenty files of four images, and one file that is not an image.
fn many() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let images = folder.path().join("images");
    std::fs::create_dir(&images).expect("a folder");
    for at in 0..20 {
        let name = ["s1_1.jpg", "s5_1.jpg", "s9_1.jpg", "s13_1.jpg"][at % 4];
        let place = images.join(format!("{at:02}.jpg"));
        std::fs::copy(root().join("samples").join(name), place).expect("copied");
    }
    std::fs::write(images.join("notes.txt"), "no image").expect("a file");
    folder
}

#[test]
fn files_that_are_not_images_are_reported_and_the_others_are_embedded() {
    let folder = many();
    let out = folder.path().join("x.jsonl");
    let output = run(&["embed", path(&folder.path().join("images")), "--out", path(&out)]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("notes.txt: ") && stderr.contains("1 of 21 files"), "{stderr}");
    let lines = std::fs::read_to_string(&out).expect("a file");
    let names: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["path"].to_string())
        .collect();
    assert!(names.len() == 20 && names.is_sorted(), "{names:?}");
}

fn paths(lines: &[u8]) -> Vec<String> {
    let path = |line| serde_json::from_str::<Value>(line).expect("JSON")["path"].to_string();
    text(lines).lines().map(path).collect()
}

#[test]
fn an_interrupted_run_is_resumed() {
    let folder = many();
    let images = folder.path().join("images");
    std::fs::remove_file(images.join("notes.txt")).expect("a file");
    let [rows, lines] = ["rows.npy", "lines.jsonl"].map(|name| folder.path().join(name));
    for out in [&rows, &lines] {
        let embed = |more: &[&str]| {
            let arguments = [&["embed", path(&images), "--out", path(out)], more].concat();
            let output = run(&arguments);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        };
        embed(&[]);
        let whole = std::fs::read(out).expect("a file");
        let names = out.with_extension("txt");
        let listed = std::fs::read(&names).ok();
        // The state after a kill: a row, a line and a path are incomplete, and the header has no count.
        let cut = whole.len() * 2 / 3 + 3;
        std::fs::write(out, &whole[..cut]).expect("a file");
        if let Some(listed) = &listed {
            std::fs::write(&names, &listed[..listed.len() - 4]).expect("a file");
        }
        embed(&["--resume"]);
        // The last bits of numbers may differ, because other images were in the same batch.
        let resumed = std::fs::read(out).expect("a file");
        match &listed {
            Some(_) => assert_eq!((resumed.len(), &resumed[..128]), (whole.len(), &whole[..128])),
            None => assert_eq!(paths(&resumed), paths(&whole)),
        }
        assert_eq!(std::fs::read(&names).ok(), listed);

        let first = &images.join("00.jpg");
        let other = ["embed", path(first), "--model", "models/characters.onnx"];
        let other = [&other[..], &["--out", path(out), "--resume"]].concat();
        fails(&other, 2, "another model");
    }
}

#[test]
fn completions_and_manual_pages_are_written() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success() && text(&output.stdout).contains("inspect"), "{shell}");
    }
    let folder = TempDir::new().expect("a folder");
    assert!(run(&["manual", path(folder.path())]).status.success());
    let page = std::fs::read_to_string(folder.path().join("siamese-embed.1")).expect("a page");
    for expected in ["resume", "NAME.txt", ".SH FILES"] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    let pages = std::fs::read_dir(folder.path()).expect("a folder");
    let mut count = 0;
    for page in pages.map(|page| page.expect("a page").path()) {
        let text = std::fs::read_to_string(&page).expect("a text");
        for section in [".SH EXAMPLES", ".SH ENVIRONMENT", ".SH \"EXIT STATUS\""] {
            assert!(text.contains(section), "{} has no {section}", page.display());
        }
        count += 1;
    }
    assert_eq!(count, 10);
}

#[test]
fn a_mistake_of_the_caller_is_one_line_and_code_2() {
    let a = face(SAME[0]);
    fails(&["compare", &a, "nowhere.png"], 2, "nowhere.png");
    fails(&["compare", &a, "Cargo.toml"], 2, "not a JPEG");
    fails(&["compare", &a, &a, "--fmr", "1e-9"], 2, "smallest");
    fails(&["compare", &a, &a, "--model", "nowhere.onnx"], 2, "nowhere.onnx");
    fails(&["inspect", "tests/fixtures/models/plain.onnx"], 2, "plain.toml");
    fails(&["embed", &a, "--out", "x.txt"], 2, ".npy");
    fails(&["serve", "--config", "nowhere.toml"], 2, "nowhere.toml");
}

#[test]
fn a_problem_of_the_machine_is_one_line_and_code_3() {
    let a = face(SAME[0]);
    fails(&["compare", &a, &a, "--device", "require-gpu"], 3, "onnxruntime-gpu");
    for library in ["/nowhere/libonnxruntime.so", "Cargo.toml"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siamese"));
        command.args(["compare", &a, &a]).current_dir(root()).env("ORT_DYLIB_PATH", library);
        let output = output(TEST_TIMEOUT, &mut command);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(library) && stderr.contains("ORT_DYLIB_PATH"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
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
        std::fs::copy(root().join("samples").join(name), faces.path().join(name)).expect("copied");
    }
    let written = run(&["embed", path(faces.path()), "--out", path(&out)]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    let bytes = std::fs::read(&out).expect("a file");
    let width = lines[0]["embedding"].as_array().expect("numbers").len();
    let header = text(&bytes[10..128]);
    assert!(header.contains("'<f4'") && header.contains(&format!("(2, {width})")), "{header}");
    let (numbers, rest) = bytes[128..].as_chunks();
    let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let expected: Vec<f32> = lines
        .iter()
        .flat_map(|item| {
            serde_json::from_value::<Vec<f32>>(item["embedding"].clone()).expect("numbers")
        })
        .collect();
    assert_eq!((numbers, rest.len()), (expected, 0));
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn the_card_of_a_model_is_shown() {
    let output = run(&["inspect", path(&shipped())]);
    let card = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for word in ["orl", "sha256:", "pairs pass on this machine", "threshold", "EER"] {
        assert!(card.contains(word), "{word} is not in\n{card}");
    }
    let output = run(&["inspect", path(&shipped()), "--json"]);
    let card: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(card["name"], "orl");
}

#[test]
fn files_beside_the_program_have_priority_over_the_working_directory() {
    let [installed, elsewhere] = [(); 2].map(|()| TempDir::new().expect("a folder"));
    for folder in [installed.path(), elsewhere.path()] {
        std::fs::create_dir(folder.join("models")).expect("a folder");
    }
    std::fs::create_dir(installed.path().join("bin")).expect("a folder");
    let program = installed.path().join("bin/siamese");
    // A newly written program cannot be run while another test starts a process.
    let built = env!("CARGO_BIN_EXE_siamese");
    std::fs::hard_link(built, &program)
        .or_else(|_| std::fs::copy(built, &program).map(drop))
        .expect("placed");
    let model = Path::new("models/faces.onnx");
    // A user who can write to the working directory must not control what runs.
    for planted in [model, Path::new("libonnxruntime.so")] {
        std::fs::write(elsewhere.path().join(planted), "planted").expect("written");
    }
    let compare = || {
        let images = SAME.map(|name| root().join("samples").join(name));
        let mut command = Command::new(&program);
        command.arg("compare").args(images).current_dir(elsewhere.path()).env("RUST_LOG", "off");
        output(TEST_TIMEOUT, &mut command)
    };
    let output = compare();
    assert!(text(&output.stderr).contains("models/faces.onnx can't be read as a model"));

    std::fs::copy(shipped(), installed.path().join(model)).expect("copied");
    let output = compare();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
