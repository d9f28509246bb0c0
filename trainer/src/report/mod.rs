//! An evaluation, written into a folder for people and for machines.
//!
//! Draws by hand: seven drawings need less SVG than a plotting library needs settings, and no
//! measure of fonts.

mod axis;
mod chart;
mod contact_sheet;
mod curves;
mod histogram;
mod map;
mod more_charts;
mod page;
mod record;
mod svg;

use std::path::Path;
use std::{fs, io};

use crate::evaluate::Evaluation;

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
    fs::write(folder.join("distances.svg"), histogram::histogram(evaluation).finish())?;
    fs::write(folder.join("roc.svg"), curves::roc(evaluation).finish())?;
    fs::write(folder.join("det.svg"), curves::det(evaluation).finish())?;
    fs::write(folder.join("errors.svg"), contact_sheet::contact_sheet(evaluation, thumbnail))?;
    fs::write(folder.join("index.html"), page::page(evaluation, thumbnail))
}
