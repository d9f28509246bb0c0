//! What people get wrong with their images: one line each, with the way out.

use std::fs;

use crate::ground::Ground;

#[track_caller]
fn refused(ground: &Ground, arguments: &[&str], with: &[&str]) {
    for (command, more) in [("evaluate", &[][..]), ("calibrate", &["--out", "out.onnx"])] {
        let arguments: Vec<&str> = arguments.iter().chain(more).copied().collect();
        let refusal = ground.run(command, &arguments).refusal();
        for words in with {
            assert!(refusal.contains(words), "{command}: {refusal}");
        }
    }
}

#[test]
fn an_empty_folder() {
    let ground = Ground::new();
    fs::create_dir(ground.at("data")).expect("a folder");
    refused(&ground, &[], &["holds no images", "DIR/IDENTITY/IMAGE"]);
}

#[test]
fn a_folder_that_is_not_there() {
    refused(&Ground::new(), &[], &["data"]);
}

#[test]
fn one_identity() {
    refused(&Ground::of(&[("a", &[1, 2])]), &[], &["one identity only, a"]);
}

#[test]
fn an_identity_with_one_image() {
    let ground = Ground::of(&[("a", &[1, 2]), ("lonely", &[3]), ("b", &[5, 6])]);
    refused(&ground, &[], &["single image", "lonely"]);
}

#[test]
fn a_name_that_is_not_there() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    refused(&ground, &["--identities", "a,c"], &["no identity named c", "a, b"]);
}

#[test]
fn a_fold_that_can_not_be() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    let outcome = ground.run("evaluate", &["--fold", "4/4"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.complained.contains("K/N"), "{}", outcome.complained);
}

#[test]
fn a_file_that_is_no_image_stops_it_unless_told_to_skip() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    fs::write(ground.at("data/a/notes.txt"), "not an image").expect("a file");
    refused(&ground, &[], &["a/notes.txt", "--skip-unreadable"]);

    let outcome = ground.run("evaluate", &["--skip-unreadable"]);
    assert!(outcome.complained.contains("skipped a/notes.txt"), "{}", outcome.complained);
    assert!(outcome.well().contains("2 identities, 4 images"));
}

#[test]
fn a_model_that_is_none() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6])]);
    let model = ground.at("data/a/0.png");
    let refusal = ground.run_on(&model, "evaluate", &[]).refusal();
    assert!(refusal.contains("0.png"), "{refusal}");
}
