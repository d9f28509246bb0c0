//! Errors in the user's images: one line each, with advice.

use std::fs;

use crate::ground::Ground;

#[track_caller]
fn rejected(ground: &Ground, arguments: &[&str], with: &[&str]) {
    for (command, more) in [("evaluate", &[][..]), ("calibrate", &["--out", "out.onnx"])] {
        let arguments: Vec<&str> = arguments.iter().chain(more).copied().collect();
        let error = ground.run(command, &arguments).error();
        for words in with {
            assert!(error.contains(words), "{command}: {error}");
        }
    }
}

#[test]
fn an_empty_folder() {
    let ground = Ground::new();
    fs::create_dir(ground.at("data")).expect("a folder");
    rejected(&ground, &[], &["contains no images", "DIR/IDENTITY/IMAGE"]);
}

#[test]
fn a_missing_folder() {
    rejected(&Ground::new(), &[], &["data"]);
}

#[test]
fn one_identity() {
    rejected(&Ground::of(&[("a", &[1, 2])]), &[], &["only one identity, a"]);
}

#[test]
fn an_identity_with_one_image() {
    let ground = Ground::of(&[("a", &[1, 2]), ("lonely", &[3]), ("b", &[5, 6])]);
    rejected(&ground, &[], &["single image", "lonely"]);
}

#[test]
fn an_unknown_identity() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    rejected(&ground, &["--identities", "a,c"], &["no identity named c", "a, b"]);
}

#[test]
fn an_invalid_fold() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    let outcome = ground.run("evaluate", &["--fold", "4/4"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("K/N"), "{}", outcome.stderr);
}

#[test]
fn an_unreadable_file_is_an_error_unless_skipped() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    fs::write(ground.at("data/a/notes.txt"), "not an image").expect("a file");
    rejected(&ground, &[], &["a/notes.txt", "--skip-unreadable"]);

    let outcome = ground.run("evaluate", &["--skip-unreadable"]);
    assert!(outcome.stderr.contains("skipped a/notes.txt"), "{}", outcome.stderr);
    assert!(outcome.success().contains("2 identities, 4 images"));
}

#[test]
fn a_file_that_is_not_a_model() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    let model = ground.at("data/a/0.png");
    let error = ground.run_on(&model, "evaluate", &[]).error();
    assert!(error.contains("0.png"), "{error}");
}
