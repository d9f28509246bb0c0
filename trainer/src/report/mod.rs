//! Reports of an evaluation or of a comparison: a table for the terminal, and HTML, SVG and JSON files.

mod changes;
mod charts;
mod html;
mod page;
mod record;
mod retrieval;
mod text;
mod two;

pub use changes::{ChangeTable, change_files};
pub use text::{Table, TableOfTwo, UnseenLines};

use crate::evaluate::{Evaluation, SideBySide};

/// The names and contents of a report's files.
pub type Files = Vec<(&'static str, String)>;

/// Returns `index.html`, `report.json`, `distances.svg`, `roc.svg`, `det.svg` and `errors.svg`.
///
/// `thumbnail` returns the data URI of an image, by the index of its identity and its index within the identity.
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

/// Returns `index.html` and `report.json` of two models.
///
/// `thumbnail` returns the data URI of an image, preprocessed for the first model.
pub fn files_of_two(found: &SideBySide, thumbnail: &dyn Fn([u32; 2]) -> String) -> Files {
    vec![("report.json", json_of_two(found)), ("index.html", two::page(found, thumbnail))]
}

/// Returns the comparison of two models as JSON: `{"a", "b", "differences", "judged_differently"}`. `a` and `b` are the
/// reports of the two models.
pub fn json_of_two(found: &SideBySide) -> String {
    json(&two::Record::of(found))
}

fn json(record: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(record).expect("a record has text for its keys") + "\n"
}
