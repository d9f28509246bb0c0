//! What commands say beside their figures: warnings, where a report comes from, and where it is.

use std::path::Path;

use anyhow::Context;

use crate::config::{build, now};
use crate::draft;
use crate::evaluate::Embedded;
use crate::report::Files;
use crate::statistics::Bootstrap;

/// Lists the files that were left out.
pub(super) fn skipped(embedded: &Embedded) {
    for skipped in embedded.gallery().skipped() {
        eprintln!("skipped {skipped}");
    }
}

/// Warns of the images, and of a model that was trained on them.
pub(super) fn warnings(embedded: &Embedded) {
    for warning in embedded.gallery().warnings().into_iter().chain(embedded.subject().warning()) {
        eprintln!("warning: {warning}");
    }
}

/// Warns of the images, and of either model that was trained on them.
pub(super) fn warnings_of_two(embedded: [&Embedded; 2]) {
    let warnings = embedded[0].gallery().warnings().into_iter();
    let of_models = ["A", "B"].into_iter().zip(embedded);
    let of_models =
        of_models.filter_map(|(letter, it)| Some(format!("{letter}: {}", it.subject().warning()?)));
    for warning in warnings.chain(of_models) {
        eprintln!("warning: {warning}");
    }
}

/// Where a report of one model, or of two on the same images, comes from: names and values, the models' digests first.
pub(super) fn origin(models: &[&Embedded], bootstrap: Bootstrap) -> Vec<(&'static str, String)> {
    let names: &[[&'static str; 2]] = match models {
        [_] => &[["Model", "The model's training"]],
        _ => &[["Model A", "A's training"], ["Model B", "B's training"]],
    };
    let each = || names.iter().zip(models);
    let mut origin: Vec<_> =
        each().map(|([name, _], it)| (*name, it.model().digest.clone())).collect();
    let Bootstrap { resamples, seed } = bootstrap;
    origin.extend([
        ("Images", models[0].gallery().digest().to_owned()),
        ("Command", std::env::args().collect::<Vec<_>>().join(" ")),
        ("Resampling", format!("{resamples} resamples, seed {seed}")),
        ("Trainer", build()),
        ("Written", now()),
    ]);
    origin.extend(each().filter_map(|([_, name], it)| {
        let provenance = it.card().provenance.as_ref()?;
        Some((*name, serde_json::to_string_pretty(provenance).unwrap_or_default()))
    }));
    origin
}

/// Writes a report into a folder; gives the line that says where it is.
pub(super) fn written(folder: &Path, files: Files) -> anyhow::Result<String> {
    draft::folder(folder, files)
        .with_context(|| format!("the report can't be written into {}", folder.display()))?;
    Ok(format!("Report: {}\n", folder.join("index.html").display()))
}
