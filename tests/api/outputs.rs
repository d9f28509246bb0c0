//! Where the commands write, and the names of the files that they read.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::app::{OTHER, SAME, root, shipped};
use crate::command_line::{face, fails, path, run, text};
use crate::waits::TEST_TIMEOUT;
use crate::waits::process::output;

/// Runs the program by a line of the shell, in which `"$@"` is the program with its arguments.
fn shell(line: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", line, "sh", env!("CARGO_BIN_EXE_siamese")]).args(arguments);
    output(TEST_TIMEOUT, command.current_dir(root()).env("RUST_LOG", "off"))
}

/// A folder with two images.
fn two_images() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for name in [OTHER, SAME[1]] {
        fs::copy(root().join("samples").join(name), folder.path().join(name)).expect("copied");
    }
    folder
}

#[test]
fn a_full_standard_output_is_code_3_and_a_closed_pipe_is_no_error() {
    let [a, b] = SAME.map(face);
    let (folder, model) = (two_images(), shipped());
    let pipe = TempDir::new().expect("a folder");
    let pipe = pipe.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    // A pipe without a reader.
    let closed = format!("exec 3<>{0} 4>{0} 3<&-; \"$@\" >&4", path(&pipe));
    for (arguments, code) in [
        (&["compare", &a, &b][..], 0),
        (&["compare", &a, &face(OTHER), "--json"], 1),
        (&["compare", &a, path(folder.path())], 0),
        (&["compare", &a, path(folder.path()), "--json"], 0),
        (&["embed", &a], 0),
        (&["inspect", path(&model)], 0),
        (&["inspect", path(&model), "--json"], 0),
        (&["completions", "zsh"], 0),
        (&["--help"], 0),
        (&["help", "embed"], 0),
        (&["--version"], 0),
    ] {
        let full = shell("\"$@\" >/dev/full", arguments);
        let stderr = text(&full.stderr);
        assert_eq!(full.status.code(), Some(3), "{arguments:?}: {stderr}");
        assert!(stderr.contains("standard output cannot be written"), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
        let closed = shell(&closed, arguments);
        assert_eq!(closed.status.code(), Some(code), "{arguments:?}");
        assert_eq!(text(&closed.stderr), "", "{arguments:?}");
    }
}

#[test]
fn embeddings_go_into_devices_and_pipes_and_where_links_lead() {
    let a = face(SAME[0]);
    let line = run(&["embed", &a]).stdout;
    let out = |to: &str| run(&["embed", &a, "--out", to]);
    assert_eq!(text(&out("/dev/stdout").stdout), text(&line));
    assert_eq!(out("/dev/null").status.code(), Some(0));
    assert!(fs::metadata("/dev/null").expect("a device").file_type().is_char_device());
    fails(&["embed", &a, "--out", "/dev/full"], 3, "/dev/full cannot be written");

    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(at("pipe.jsonl")).status().expect("mkfifo runs").success());
    let through = format!("cat {0} & \"$@\" --out {0}; wait", path(&at("pipe.jsonl")));
    assert_eq!(text(&shell(&through, &["embed", &a]).stdout), text(&line));
    assert!(fs::metadata(at("pipe.jsonl")).expect("a pipe").file_type().is_fifo());

    fs::create_dir(at("deep")).expect("a folder");
    symlink("deep/x.jsonl", at("link.jsonl")).expect("a link");
    for _ in 0..2 {
        assert_eq!(out(path(&at("link.jsonl"))).status.code(), Some(0));
        assert!(at("link.jsonl").is_symlink());
        assert_eq!(fs::read(at("deep/x.jsonl")).expect("a file"), line);
    }

    fails(&["embed", &a, "--out", path(folder.path())], 2, "is a folder: name a file in it");
    symlink("/dev/null", at("null.npy")).expect("a link");
    assert_eq!(out(path(&at("null.npy"))).status.code(), Some(0));
    assert!(at("null.npy").is_symlink() && at("null.txt").exists());
    assert_eq!(out(path(&at("regular.npy"))).status.code(), Some(0));
    assert!(Command::new("mkfifo").arg(at("pipe.npy")).status().expect("mkfifo runs").success());
    let through =
        format!("cat {0} >{1} & \"$@\" --out {0}; wait", path(&at("pipe.npy")), path(&at("piped")));
    assert_eq!(shell(&through, &["embed", &a]).status.code(), Some(0));
    let [piped, regular] = ["piped", "regular.npy"].map(|name| fs::read(at(name)).expect("a file"));
    assert!(!piped.is_empty() && piped == regular);
    fails(&["embed", &a, "--out", "/dev/null", "--resume"], 2, "omit --resume");
    fails(&["embed", &a, "--out", "/nowhere/x.jsonl"], 2, "/nowhere/x.jsonl");
    fails(&["manual", path(&at("deep/x.jsonl"))], 2, "is not a folder");
}

#[test]
fn names_that_are_not_utf_8_are_compared_embedded_and_resumed() {
    let folder = two_images();
    let odd = folder.path().join(OsStr::from_bytes(b"odd\xff.jpg"));
    fs::rename(folder.path().join(SAME[1]), &odd).expect("renamed");
    let images = path(folder.path());
    let compared = run(&["compare", &face(SAME[0]), images, "--json"]);
    assert_eq!(compared.status.code(), Some(0), "{}", text(&compared.stderr));
    let nearest = &serde_json::from_slice::<Value>(&compared.stdout).expect("JSON")["results"][0];
    assert!(nearest["path"].as_str().expect("a path").ends_with("odd\\xff.jpg"), "{nearest}");
    let bytes = BASE64_STANDARD.decode(nearest["path_base64"].as_str().expect("bytes"));
    assert_eq!(bytes.expect("base64"), odd.as_os_str().as_bytes());
    let printed = run(&["compare", &face(SAME[0]), images]);
    assert!(text(&printed.stdout).contains("odd\\xff.jpg\n"), "{}", text(&printed.stdout));

    let written = TempDir::new().expect("a folder");
    for name in ["x.jsonl", "x.npy"] {
        let out = written.path().join(name);
        assert_eq!(run(&["embed", images, "--out", path(&out)]).status.code(), Some(0));
        let whole = fs::read(&out).expect("a file");
        assert_eq!(run(&["embed", images, "--out", path(&out), "--resume"]).status.code(), Some(0));
        assert_eq!(fs::read(&out).expect("a file"), whole, "{name} has each image once");
    }
}

#[test]
fn files_of_a_desktop_are_skipped_and_a_link_that_leads_nowhere_fails_alone() {
    let folder = two_images();
    for name in [".DS_Store", "._s1_1.jpg", "Thumbs.db"] {
        fs::write(folder.path().join(name), "no image").expect("a file");
    }
    let a = face(SAME[0]);
    let images = path(folder.path());
    assert_eq!(run(&["compare", &a, images]).status.code(), Some(0));
    assert_eq!(run(&["embed", images]).status.code(), Some(0));

    symlink("nowhere.jpg", folder.path().join("dangling.jpg")).expect("a link");
    for (arguments, lines) in [(&["compare", &a, images][..], 2), (&["embed", images], 2)] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stdout).lines().count(), lines, "{arguments:?}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains("dangling.jpg: ") && stderr.contains("1 of 3 files"), "{stderr}");
    }
    // A file that is named is not skipped.
    let hidden = folder.path().join("._s1_1.jpg");
    fs::copy(Path::new(&root().join(&a)), &hidden).expect("copied");
    assert_eq!(run(&["embed", path(&hidden)]).status.code(), Some(0));
}
