//! The command `siamese group`.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::app::root;
use crate::command_line::{fails, path, run, text};

/// Photographs of two people and of a third one alone, a copy, and a file that is not an image.
struct Photographs(TempDir);

impl Photographs {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let images = folder.path().join("images");
        fs::create_dir(&images).expect("a folder");
        for (sample, name) in [
            ("s5_1.jpg", "five.jpg"),
            ("s5_2.jpg", "five too.jpg"),
            ("s5_1.jpg", "copy.jpg"),
            ("s9_1.jpg", "nine.jpg"),
            ("s9_2.jpg", "nine too.jpg"),
            ("s1_1.jpg", "<one>.jpg"),
        ] {
            fs::copy(root().join("samples").join(sample), images.join(name)).expect("copied");
        }
        Self(folder)
    }

    fn images(&self) -> PathBuf {
        self.at("images")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[track_caller]
fn found(arguments: &[&str]) -> Value {
    let output = run(&[&["group", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The names of the files in each group, and those of the files that are alone.
fn names(found: &Value) -> (Vec<Vec<&str>>, Vec<&str>) {
    let groups = found["groups"].as_array().expect("groups").iter();
    (groups.map(|group| listed(&group["images"])).collect(), listed(&found["alone"]))
}

fn listed(images: &Value) -> Vec<&str> {
    let paths = images.as_array().expect("images").iter().map(|image| image["path"].as_str());
    paths.filter_map(|path| path?.rsplit('/').next()).collect()
}

#[test]
fn images_that_show_the_same_are_grouped_and_copies_are_marked() {
    let photographs = Photographs::new();
    let all = found(&[path(&photographs.images())]);
    let expected =
        vec![vec!["copy.jpg", "five.jpg", "five too.jpg"], vec!["nine too.jpg", "nine.jpg"]];
    assert_eq!(names(&all), (expected, vec!["<one>.jpg"]));
    let group = &all["groups"][0];
    assert_eq!(group["images"][1]["duplicate_of"], group["images"][0]["path"]);
    assert!(group["images"][0].get("duplicate_of").is_none(), "{group}");
    assert!(group["greatest"].as_f64() <= all["threshold"].as_f64(), "{all}");
    assert_eq!((&all["images"], &all["pairs"]), (&6.into(), &15.into()));

    let exact = found(&[path(&photographs.images()), "--threshold", "0"]);
    assert_eq!(names(&exact).0, [["copy.jpg", "five.jpg"]]);
}

#[test]
fn the_order_of_the_files_has_no_effect() {
    let photographs = Photographs::new();
    let mut files: Vec<PathBuf> = fs::read_dir(photographs.images())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let print = |files: &[PathBuf]| {
        let files: Vec<&str> = files.iter().map(|file| path(file)).collect();
        run(&[&["group"], &files[..]].concat()).stdout
    };
    let forwards = print(&files);
    files.reverse();
    files.push(files[0].clone());
    assert_eq!(text(&print(&files)), text(&forwards));
}

#[test]
fn stored_embeddings_are_grouped_like_their_images() {
    let photographs = Photographs::new();
    let images = photographs.images();
    let expected = found(&[path(&images)]);
    for name in ["rows.npy", "lines.jsonl"] {
        let out = photographs.at(name);
        assert!(run(&["embed", path(&images), "--out", path(&out)]).status.success());
        let stored = found(&[path(&out)]);
        assert_eq!(names(&stored), names(&expected), "{name}");

        fails(&["group", path(&out), "--model", "models/characters.onnx"], 2, "another model");
        let bytes = fs::read(&out).expect("a file");
        fs::write(&out, &bytes[..bytes.len() - 3]).expect("a file");
        fails(&["group", path(&out)], 2, "--resume");
        fs::write(&out, "hello").expect("a file");
        fails(&["group", path(&out)], 2, "did not write this file");
    }
    fs::remove_file(photographs.at("rows.txt")).expect("a file");
    fails(&["group", path(&photographs.at("rows.npy"))], 2, "rows.txt");
}

#[test]
fn a_number_that_is_not_finite_is_refused() {
    let photographs = Photographs::new();
    let out = photographs.at("rows.npy");
    assert!(run(&["embed", "samples/s1_1.jpg", "--out", path(&out)]).status.success());
    let mut bytes = fs::read(&out).expect("a file");
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&out, bytes).expect("a file");
    fails(&["group", path(&out)], 2, "row 0: coordinate 127");
}

#[test]
fn the_page_shows_the_images() {
    let photographs = Photographs::new();
    let report = photographs.at("new/report");
    let output = run(&["group", path(&photographs.images()), "--report", path(&report)]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = fs::read_to_string(report.join("index.html")).expect("a page");
    // The copy is named, and not shown again.
    assert_eq!(page.matches("<img alt=\"\" src=\"data:image/png;base64,").count(), 4, "{page}");
    assert!(page.contains("five.jpg (duplicate of "), "{page}");
    let file = photographs.at("images/five.jpg");
    fails(&["group", path(&file), "--report", path(&file)], 2, "not a folder");
}

#[test]
fn a_file_that_is_not_an_image_is_listed_and_the_others_are_grouped() {
    let photographs = Photographs::new();
    fs::write(photographs.images().join("notes.txt"), "no image").expect("a file");
    let output = run(&["group", path(&photographs.images())]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("notes.txt: ") && stderr.contains("1 of 7 files"), "{stderr}");
    let stdout = text(&output.stdout);
    assert!(stdout.contains("6 images: 5 in 2 groups, 1 alone; duplicates: 1."), "{stdout}");
}

#[test]
fn expected_false_pairs_are_stated_and_too_many_are_a_warning() {
    let photographs = Photographs::new();
    let images = photographs.images();
    let output = run(&["group", path(&images), "--fmr", "0.01"]);
    assert!(text(&output.stdout).contains("of the 15 pairs"), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "");
    let loose = run(&["group", path(&images), "--fmr", "0.2"]);
    assert_eq!(loose.status.code(), Some(0));
    let stderr = text(&loose.stderr);
    assert!(
        stderr.contains("of 15 pairs may be false matches: choose a smaller --fmr"),
        "{stderr}"
    );
    fails(&["group", path(&images), "--fmr", "1e-9"], 2, "smallest");
}

#[test]
fn one_image_is_alone() {
    let one = found(&["samples/s1_1.jpg"]);
    assert_eq!(names(&one), (vec![], vec!["s1_1.jpg"]));
    assert_eq!(one["pairs"], 0);
    let empty = TempDir::new().expect("a folder");
    fails(&["group", path(empty.path())], 2, "contains no files");
    let nowhere = run(&["group", "nowhere.jpg"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere.stderr).contains("1 of 1 files"), "{}", text(&nowhere.stderr));
}
