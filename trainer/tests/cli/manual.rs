//! The manual pages, and the help of the commands.

use std::ffi::OsStr;
use std::fs;

use crate::ground::Ground;

#[test]
fn each_command_has_a_page_with_examples_and_exit_codes() {
    let ground = Ground::new();
    ground.program(["manual", "pages"].map(OsStr::new)).success();
    let pages = fs::read_dir(ground.at("pages")).expect("the pages");
    let mut names = Vec::new();
    for page in pages.map(|page| page.expect("a page").path()) {
        let text = fs::read_to_string(&page).expect("text");
        for section in [".SH OPTIONS", ".SH EXAMPLES", ".SH \"EXIT STATUS\"", ".SH ENVIRONMENT"] {
            assert!(text.contains(section), "{} has no {section}", page.display());
        }
        names.push(page.file_stem().expect("a name").to_string_lossy().into_owned());
    }
    names.sort();
    let commands = ["adopt", "calibrate", "evaluate", "export", "manual", "report", "train"];
    let mut expected = vec!["siamese-trainer".to_owned()];
    expected.extend(commands.map(|command| format!("siamese-trainer-{command}")));
    assert_eq!(names, expected);
}

#[test]
fn the_help_of_a_command_ends_with_its_exit_codes() {
    let outcome = Ground::new().program(["train", "--help"].map(OsStr::new));
    assert!(outcome.stdout.contains("Examples:") && outcome.stdout.contains("Exit status:"));
}
