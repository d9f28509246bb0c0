//! The report for people: one page around the drawings.

use std::fmt::Write as _;

use super::svg::escape;
use crate::evaluate::{Evaluation, Table};

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\
body{font:15px/1.5 system-ui,'Segoe UI','DejaVu Sans',sans-serif;color:#1f2937;max-width:960px;\
margin:2rem auto;padding:0 1rem}pre{background:#f3f4f6;padding:1rem;overflow-x:auto}\
img{max-width:100%;height:auto}table{border-collapse:collapse}\
td,th{padding:.15rem .8rem;text-align:right;border-bottom:1px solid #e5e7eb}\
td:first-child,th:first-child{text-align:left}code{word-break:break-all}</style>\n";

/// Identities in the table of the hardest.
const HARDEST: usize = 20;

/// `index.html`, which shows the drawings that lie beside it.
pub(super) fn page(evaluation: &Evaluation) -> String {
    let subject = &evaluation.subject;
    let title = escape(&format!("{} on {}", subject.tower, subject.data));
    let mut page = format!("{HEAD}<title>{title}</title>\n<h1>{title}</h1>\n");
    let table = escape_lines(&Table(evaluation).to_string());
    push(
        &mut page,
        &format!("<pre>{table}</pre>\n<p>Tower <code>{}</code>", escape(&subject.digest)),
    );
    if let Some(warning) = subject.acquaintance.warning() {
        push(&mut page, &format!("<p><strong>Warning: {}.</strong>", escape(&warning)));
    }
    if !subject.skipped.is_empty() {
        push(&mut page, &format!("<p>{} unreadable files were skipped.", subject.skipped.len()));
    }
    for (file, words) in [
        ("distances.svg", "The distances of same and of different pairs"),
        ("roc.svg", "The ROC"),
        ("det.svg", "The DET curve"),
    ] {
        push(&mut page, &format!("<p><img src=\"{file}\" alt=\"{words}\">"));
    }
    let mut identities = evaluation.by_identity();
    identities.sort_by(|a, b| {
        b.fnmr.unwrap_or_default().max(b.fmr).total_cmp(&a.fnmr.unwrap_or_default().max(a.fmr))
    });
    page.push_str(
        "<h2>The hardest identities at the threshold</h2>\n<table><tr><th>identity<th>pictures\
         <th>FNMR<th>FMR against the others\n",
    );
    for it in identities.iter().take(HARDEST) {
        let own = it.fnmr.map_or_else(|| "–".to_owned(), |it| format!("{:.1} %", 100.0 * it));
        let name = escape(&it.name);
        let others = 100.0 * it.fmr;
        push(&mut page, &format!("<tr><td>{name}<td>{}<td>{own}<td>{others:.1} %", it.pictures));
    }
    page.push_str("</table>\n<p><img src=\"errors.svg\" alt=\"The worst pairs\">\n");
    page
}

fn push(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("a String takes all");
}

fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}
