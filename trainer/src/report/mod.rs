//! An evaluation, or two side by side, for people and for machines: a table for the terminal, and files for a folder.

mod charts;
mod html;
mod page;
mod record;
mod text;
mod two;

pub use text::{Table, TableOfTwo, UnseenLines};

use crate::evaluate::{Evaluation, SideBySide};

/// Names and contents of a report's files.
pub type Files = Vec<(&'static str, String)>;

/// `index.html`, `report.json`, `distances.svg`, `roc.svg`, `det.svg` and `errors.svg`.
///
/// `thumbnail` gives the data URI of a picture, by the places of its identity and of the picture
/// among that identity's.
pub fn files(evaluation: &Evaluation, thumbnail: &dyn Fn([u32; 2]) -> String) -> Files {
    vec![
        ("report.json", json(&record::Record::of(evaluation))),
        ("distances.svg", charts::histogram(evaluation, "Distances").finish()),
        ("roc.svg", charts::roc(&[evaluation]).finish()),
        ("det.svg", charts::det(&[evaluation]).finish()),
        ("errors.svg", charts::contact_sheet(evaluation, thumbnail)),
        ("index.html", page::page(evaluation, thumbnail)),
    ]
}

/// `index.html` and `report.json` of two towers.
///
/// `thumbnail` gives the data URI of a picture as the first tower reads it.
pub fn files_of_two(found: &SideBySide, thumbnail: &dyn Fn([u32; 2]) -> String) -> Files {
    vec![("report.json", json_of_two(found)), ("index.html", two::page(found, thumbnail))]
}

/// What was found of two towers, for machines: `{"a", "b", "differences", "judged_differently"}`,
/// where `a` and `b` are the records of either.
pub fn json_of_two(found: &SideBySide) -> String {
    json(&two::Record::of(found))
}

fn json(record: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(record).expect("a record has text for its keys") + "\n"
}
