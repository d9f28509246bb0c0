//! Messages that several commands share: skipped files, warnings, and the origin and location of a report.

use std::path::Path;

use anyhow::Context;
use siamese_core::output::note;

use super::inputs::Identities;
use crate::config::{arguments, build, now};
use crate::data::{Collection, DataError};
use crate::draft;
use crate::evaluate::changes::MeasuredChanges;
use crate::evaluate::{Embedded, Evaluation};
use crate::report::Files;
use crate::statistics::Bootstrap;

/// Finds the images of a folder or a list. Prints how it was understood, if that is not obvious.
pub(super) fn open(data: &Path, identities: Identities) -> Result<Collection, DataError> {
    let images = match identities {
        Identities::Folders => Collection::open(data)?,
        Identities::EachImage => Collection::each_image(data)?,
    };
    if let Some(understood) = images.note() {
        note(&format!("note: {understood}"));
    }
    if let Some(warning) = images.warning() {
        note(&format!("warning: {warning}"));
    }
    Ok(images)
}

/// Prints the files that were skipped.
pub(super) fn skipped(embedded: &Embedded) {
    for skipped in embedded.gallery().skipped() {
        note(&format!("skipped {skipped}"));
    }
}

/// Prints warnings about the images, and a warning if the model was trained on them.
pub(super) fn warnings(embedded: &Embedded) {
    for warning in embedded.gallery().warnings().into_iter().chain(embedded.subject().warning()) {
        note(&format!("warning: {warning}"));
    }
}

/// Prints a warning if the labels are probably inverted.
pub(super) fn inverted(evaluation: &Evaluation) {
    if let Some(warning) = evaluation.warning() {
        note(&format!("warning: {warning}"));
    }
}

/// Prints warnings about the images, and one for each model that was trained on them.
pub(super) fn warnings_of_two(embedded: [&Embedded; 2]) {
    let warnings = embedded[0].gallery().warnings().into_iter();
    let of_models = ["A", "B"].into_iter().zip(embedded);
    let of_models =
        of_models.filter_map(|(letter, it)| Some(format!("{letter}: {}", it.subject().warning()?)));
    for warning in warnings.chain(of_models) {
        note(&format!("warning: {warning}"));
    }
}

/// Returns the origin of a report of one model, or of two on the same images, as names and values; the models' digests
/// come first.
pub(super) fn origin(models: &[&Embedded], bootstrap: Bootstrap) -> Vec<(&'static str, String)> {
    let names: &[[&'static str; 2]] = match models {
        [_] => &[["Model", "Training of the model"]],
        _ => &[["Model A", "Training of A"], ["Model B", "Training of B"]],
    };
    let each = || names.iter().zip(models);
    let mut origin: Vec<_> =
        each().map(|([name, _], it)| (*name, it.model().digest.clone())).collect();
    origin.extend(of_run(models[0].gallery().digest(), bootstrap));
    origin.extend(each().filter_map(|([_, name], it)| {
        let provenance = it.card().published_provenance()?;
        Some((*name, serde_json::to_string_pretty(&provenance).unwrap_or_default()))
    }));
    origin
}

/// Returns the origin of a report of a list of changes, as names and values.
pub(super) fn origin_of_changes(
    MeasuredChanges { model, digest, .. }: &MeasuredChanges,
    bootstrap: Bootstrap,
) -> Vec<(&'static str, String)> {
    let mut origin = vec![("Model", model.digest.clone())];
    origin.extend(of_run(digest, bootstrap));
    let provenance = model.card.published_provenance();
    let training = provenance.map(|value| serde_json::to_string_pretty(&value).unwrap_or_default());
    origin.extend(training.map(|training| ("Training of the model", training)));
    origin
}

/// Returns the origin of any report: the images, the command, and the program.
fn of_run(images: &str, Bootstrap { resamples, seed }: Bootstrap) -> [(&'static str, String); 5] {
    [
        ("Images", images.to_owned()),
        ("Command", arguments().collect::<Vec<_>>().join(" ")),
        ("Resampling", format!("{resamples} resamples, seed {seed}")),
        ("Trainer", build()),
        ("Written", now()),
    ]
}

/// Writes a report into a folder. Returns a line with its location.
pub(super) fn write_report(folder: &Path, files: Files) -> anyhow::Result<String> {
    draft::folder(folder, files)
        .with_context(|| format!("the report cannot be written into {}", folder.display()))?;
    Ok(format!("Report: {}\n", folder.join("index.html").display()))
}
