//! An evaluation, or two side by side, written into a folder for people and for machines.

mod contact_sheet;
mod curves;
mod histogram;
mod html;
mod map;
mod more_charts;
mod page;
mod record;
mod two;

use std::path::Path;
use std::{fs, io};

use crate::evaluate::Evaluation;
use crate::side_by_side::SideBySide;

/// Writes `index.html`, `report.json`, `distances.svg`, `roc.svg`, `det.svg` and `errors.svg` into
/// `folder`, which is made if it isn't there.
///
/// `thumbnail` gives the data URI of a picture, by the places of its identity and of the picture
/// among that identity's.
pub fn write(
    evaluation: &Evaluation,
    thumbnail: &dyn Fn([u32; 2]) -> String,
    folder: &Path,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let record = serde_json::to_string_pretty(&record::Record::of(evaluation))?;
    fs::write(folder.join("report.json"), record + "\n")?;
    fs::write(
        folder.join("distances.svg"),
        histogram::histogram(evaluation, "Distances").finish(),
    )?;
    fs::write(folder.join("roc.svg"), curves::roc(&[evaluation]).finish())?;
    fs::write(folder.join("det.svg"), curves::det(&[evaluation]).finish())?;
    fs::write(folder.join("errors.svg"), contact_sheet::contact_sheet(evaluation, thumbnail))?;
    fs::write(folder.join("index.html"), page::page(evaluation, thumbnail))
}

/// Writes `index.html` and `report.json` of two towers into `folder`, which is made if it isn't there.
///
/// `thumbnail` gives the data URI of a picture as the first tower reads it.
pub fn write_two(
    found: &SideBySide,
    thumbnail: &dyn Fn([u32; 2]) -> String,
    folder: &Path,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("report.json"), json_of_two(found)?)?;
    fs::write(folder.join("index.html"), two::page(found, thumbnail))
}

/// What was found of two towers, for machines: `{"a", "b", "differences", "judged_differently"}`,
/// where `a` and `b` are the records of either.
pub fn json_of_two(found: &SideBySide) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(&two::Record::of(found))? + "\n")
}
