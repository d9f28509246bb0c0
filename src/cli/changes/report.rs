//! A page with the differences of two folders.

use std::fmt::Write as _;

use siamese_core::score::Threshold;

use super::folders::{FileResult, OfName, Outcomes, Views};
use crate::cli::images::page::{END, add_figure, escaped, start};
use crate::cli::images::read;

/// The page: changed files first, with their images, then those that could not be compared, then the others.
pub(super) fn page(outcomes: &Outcomes, threshold: Threshold) -> String {
    let mut page = start("What has changed");
    let (all, unchanged) = (outcomes.len(), outcomes.unchanged());
    let class = if unchanged == all { "good" } else { "bad" };
    let threshold = threshold.get();
    let _ = writeln!(
        page,
        "<p><strong class=\"{class}\">{} of {all} files</strong> differ or could not be compared. \
         A cell is changed if its distance is greater than {threshold:.4}.</p>",
        all - unchanged
    );
    for file in outcomes.files() {
        if let FileResult::Changed { greatest, regions, views: Some(views) } = &file.result {
            changed(&mut page, file, *greatest, *regions, views);
        }
    }
    for OfName { name, result } in outcomes.files() {
        let why = match result {
            FileResult::Added => "Only the second folder has this file.",
            FileResult::Removed => "Only the first folder has this file.",
            FileResult::Failed { error } => error,
            FileResult::Changed { .. } | FileResult::Unchanged { .. } => continue,
        };
        let (name, why) = (escaped(name), escaped(why));
        let _ = writeln!(page, "<section><h2>{name}</h2><p class=\"bad\">{why}</p></section>");
    }
    if 0 < unchanged {
        page.push_str("<section><h2>Unchanged</h2><ul>\n");
        for OfName { name, result } in outcomes.files() {
            if let FileResult::Unchanged { greatest } = result {
                let _ = writeln!(page, "<li>{} ({greatest:.4})</li>", escaped(name));
            }
        }
        page.push_str("</ul></section>\n");
    }
    page + END
}

fn changed(page: &mut String, file: &OfName, greatest: f64, regions: usize, views: &Views) {
    let name = escaped(&file.name);
    let _ = writeln!(
        page,
        "<section><h2>{name}</h2><p>Regions: {regions}; greatest distance {greatest:.4}</p><div class=\"views\">"
    );
    let bytes = |path| read(path).unwrap_or_default();
    let images = [
        ("Before", bytes(&views.before)),
        ("After", bytes(&views.after)),
        ("Changed", views.heat_map.clone()),
    ];
    for (caption, image) in images {
        add_figure(page, &image, &format!("{caption}: {}", file.name), caption);
    }
    page.push_str("</div></section>\n");
}
