//! The report of a list of changes: a table for the terminal, a page, a drawing, and JSON.

mod curve;
mod page;
mod record;
mod table;
mod words;

use std::collections::BTreeMap;

pub use table::ChangeTable;

use super::{Files, json};
use crate::evaluate::changes::{ChangeEvaluation, Pictures};

/// Returns `index.html`, `report.json` and `cells.svg`. `pictures` are those of the worst pairs, by their index.
pub fn change_files(evaluation: &ChangeEvaluation, pictures: &BTreeMap<usize, Pictures>) -> Files {
    vec![
        ("report.json", json(&record::Record::of(evaluation))),
        ("cells.svg", curve::curve(evaluation).finish()),
        ("index.html", page::page(evaluation, pictures)),
    ]
}
