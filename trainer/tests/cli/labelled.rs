//! Lists of images with labels.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;

use crate::evaluate::report;
use crate::ground::{BRIGHTNESS, Ground, Outcome};
use crate::made;

fn run(ground: &Ground, arguments: &[&str]) -> Outcome {
    ground.program(arguments.iter().map(OsStr::new))
}

/// Writes `images.csv`, with the folders of `data` as labels, in reverse order.
fn list(ground: &Ground) {
    let mut lines = Vec::new();
    for folder in fs::read_dir(ground.at("data")).expect("a folder").flatten() {
        for file in fs::read_dir(folder.path()).expect("a folder").flatten() {
            let [label, name] = [folder.file_name(), file.file_name()].map(OsString::into_string);
            let (label, name) = (label.expect("a name"), name.expect("a name"));
            lines.push(format!("data/{label}/{name},{label}\n"));
        }
    }
    lines.sort();
    let lines: String = lines.into_iter().rev().collect();
    fs::write(ground.at("images.csv"), format!("path,label\n{lines}")).expect("a list");
}

#[test]
fn a_list_of_labels_is_measured_as_a_folder_of_identities() {
    let ground =
        Ground::of(&[("a", &[10, 11]), ("b", &[12, 15]), ("c", &[90, 91]), ("d", &[95, 3])]);
    list(&ground);
    let results = |data: &str| {
        let fixed = ["evaluate", "--model", BRIGHTNESS, "--data", data, "--report", "report"];
        let output = run(&ground, &[&fixed[..], &["--fold", "0/2"]].concat()).success();
        (report(&ground), output)
    };
    let (folder, _) = results("data");
    let (list, output) = results("images.csv");
    assert!(output.contains("on images: 2 identities, 4 images"), "{output}");
    for figure in
        ["eer", "auc", "retrieval", "threshold", "unit", "by_identity", "operating_points"]
    {
        assert_eq!(list[figure], folder[figure], "{figure}");
    }
    assert_eq!(list["by_identity"][0]["name"], "a");
}

#[test]
fn a_list_of_labels_is_trained_as_a_folder_of_identities() {
    let ground = Ground::new();
    made::write(&ground.at("data"), 6, 4);
    list(&ground);
    let config = toml::to_string(&made::wavelet()).expect("TOML");
    fs::write(ground.at("config.toml"), config).expect("a file");
    for (data, out) in [("data", "folder.onnx"), ("images.csv", "list.onnx")] {
        let fixed = ["train", "--data", data, "--out", out, "--config", "config.toml"];
        run(&ground, &[&fixed[..], &["--hold-out", "pattern1,pattern4"]].concat()).success();
    }
    let eer = |run: &str| {
        let text = fs::read_to_string(ground.at(run).join("report/report.json")).expect("a report");
        let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(record["identities"], 2);
        (record["eer"].clone(), record["threshold"].clone(), record["curve"].clone())
    };
    assert_eq!(eer("list.run"), eer("folder.run"));
}

#[test]
fn an_error_names_the_line() {
    let ground = Ground::of(&[("a", &[10, 11]), ("b", &[50, 51])]);
    list(&ground);
    let path = ground.at("images.csv");
    let good = fs::read_to_string(&path).expect("a list");
    for (line, words) in [
        ("data/a/0.png,b", "line 6: data/a/0.png has the label \"a\" on line 5"),
        ("data/c/9.png,a", "data/c/9.png (line 6, "),
        ("../x.png,a", "line 6: ../x.png is not below the list's folder"),
        ("data/a/7.png,", "line 6: \"\" is not a label"),
        ("data/b/1.png,c", "has the label"),
    ] {
        let mut list = good.clone();
        writeln!(list, "{line}").expect("a line");
        fs::write(&path, list).expect("a list");
        let error =
            run(&ground, &["evaluate", "--model", BRIGHTNESS, "--data", "images.csv"]).error();
        assert!(error.contains(words), "{error}");
    }
}
