//! Where the commands write, and the names of the files that they read.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::Command;

use siamese_core::model::{OnnxModel, Options};

use crate::ground::{BRIGHTNESS, Ground, Outcome};

fn separated() -> Ground {
    Ground::of(&[("a", &[100, 102]), ("b", &[110, 112])])
}

/// Runs the program in the ground by a line of the shell, in which `"$@"` is the program with its arguments.
fn shell(ground: &Ground, line: &str, arguments: &[&str]) -> Outcome {
    let mut command = Command::new("sh");
    command.args(["-c", line, "sh", env!("CARGO_BIN_EXE_siamese-trainer")]).args(arguments);
    Outcome::of(command.current_dir(ground.at("")))
}

#[test]
fn a_full_standard_output_is_code_3_and_a_closed_pipe_is_no_error() {
    let ground = separated();
    let on_data = ["--data", "data", "--model", BRIGHTNESS];
    let calibrate = [&["calibrate", "--out", "out.onnx"][..], &on_data].concat();
    let evaluate = [&["evaluate"][..], &on_data].concat();
    let report = ["report", BRIGHTNESS, BRIGHTNESS, "--data", "data"];
    let json = [&report[..], &["--json"]].concat();
    for arguments in [&calibrate[..], &evaluate, &report, &json, &["--help"], &["--version"]] {
        let full = shell(&ground, "\"$@\" >/dev/full", arguments);
        assert_eq!(full.code, Some(3), "{arguments:?}: {}", full.stderr);
        assert!(full.stderr.contains("standard output cannot be written"), "{}", full.stderr);
        let closed = "mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; rm pipe; \"$@\" >&4";
        let closed = shell(&ground, closed, arguments);
        assert_eq!(closed.code, Some(0), "{arguments:?}: {}", closed.stderr);
        assert!(!closed.stderr.contains("error"), "{}", closed.stderr);
    }
    // Nor does a full standard error end a command by a panic.
    let silent =
        shell(&ground, "\"$@\" 2>/dev/full", &["evaluate", "--data", "none", "--model", "none"]);
    assert_eq!(silent.code, Some(2));
}

#[test]
fn a_model_goes_into_devices_and_pipes_and_where_links_lead() {
    let ground = separated();
    let out = |to: &str| ground.run("calibrate", &["--out", to]);
    out("mine.onnx").success();
    out("/dev/null").success();
    assert!(fs::metadata("/dev/null").expect("a device").file_type().is_char_device());
    let full = out("/dev/full");
    assert_eq!(full.code, Some(3), "{}", full.stderr);
    assert!(full.stderr.contains("/dev/full cannot be written"), "{}", full.stderr);

    let arguments = ["calibrate", "--data", "data", "--model", BRIGHTNESS, "--out", "/dev/stdout"];
    let piped = shell(&ground, "\"$@\" | cat >piped.onnx", &arguments);
    assert!(piped.stderr.contains("threshold 5"), "{}", piped.stderr);
    shell(&ground, "\"$@\" >redirected.onnx", &arguments).success();
    for name in ["piped.onnx", "redirected.onnx"] {
        OnnxModel::load(&ground.at(name), &Options::default()).expect("only the model");
    }

    fs::create_dir(ground.at("deep")).expect("a folder");
    symlink("deep/x.onnx", ground.at("link.onnx")).expect("a link");
    for _ in 0..2 {
        out("link.onnx").success();
        assert!(ground.at("link.onnx").is_symlink());
        OnnxModel::load(&ground.at("deep/x.onnx"), &Options::default()).expect("a model");
    }

    assert!(out("deep").error().contains("is a folder: name a file in it"));
    assert!(out("nowhere/x.onnx").error().contains("nowhere/x.onnx"));
    let report = ["--report", "mine.onnx"];
    assert!(ground.run("evaluate", &report).error().contains("is not a folder"));
    let train = ["train", "--data", "data", "--network", "wavelet", "--out", "/dev/null"];
    assert!(ground.program(train.map(OsStr::new)).error().contains("--run DIR"));
}

#[test]
fn names_that_are_not_utf_8_are_read_and_a_link_that_leads_nowhere_fails_alone() {
    let ground = separated();
    let odd = |name: &[u8]| ground.at("data").join(OsStr::from_bytes(name));
    fs::rename(odd(b"b"), odd(b"b\xff")).expect("renamed");
    fs::rename(odd(b"a/0.png"), odd(b"a/\xfe.png")).expect("renamed");
    for name in ["data/a/.DS_Store", "data/a/Thumbs.db"] {
        fs::write(ground.at(name), "no image").expect("a file");
    }
    ground.run("evaluate", &["--report", "report"]).success();
    let report = fs::read_to_string(ground.at("report/report.json")).expect("a report");
    assert!(report.contains("a/\\\\xfe.png"), "{report}");
    ground.run("evaluate", &["--identities", "a,b\\xff"]).success();

    symlink("nowhere.png", ground.at("data/a/2.png")).expect("a link");
    let error = ground.run("evaluate", &[]).error();
    assert!(error.contains("1 file cannot be read as images: a/2.png"), "{error}");
    let skipped = ground.run("evaluate", &["--skip-unreadable"]);
    assert!(skipped.stderr.contains("skipped a/2.png"), "{}", skipped.stderr);
    skipped.success();
}
