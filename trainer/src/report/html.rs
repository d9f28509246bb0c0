//! The HTML elements of the report pages.

use std::fmt::Write as _;

use siamese_drawing::{STYLE, Svg, escape, variables};

use crate::statistics::Interval;

const LAYOUT: &str = "\
*{box-sizing:border-box}body{font:16px/1.55 system-ui,'Segoe UI','DejaVu Sans',sans-serif;\
color:var(--ink);background:var(--ground);max-width:1180px;margin:0 auto;padding:1.2rem 1rem 4rem}\
h1{font-size:1.7rem;line-height:1.2;margin:.6rem 0 .2rem}h2{font-size:1.2rem;margin:2.6rem 0 .4rem}\
p{max-width:46rem;margin:.4rem 0}.quiet,figcaption,small{color:var(--quiet)}small{font-size:.8rem}\
.warning{border-left:4px solid var(--alarm);padding-left:.8rem}\
abbr{text-decoration:underline dotted;text-underline-offset:.2em;cursor:help}\
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(126px,1fr));gap:.7rem;margin:1.2rem 0}\
.tiles div{background:var(--raised);border-radius:10px;padding:.7rem .9rem}\
.tiles b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums;line-height:1.3}\
.tiles small{display:block}\
.charts,.split{display:grid;gap:1rem 1.5rem;margin:1rem 0}\
.charts{grid-template-columns:repeat(auto-fill,minmax(min(100%,350px),1fr))}\
.split{grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr))}\
.charts>*,.split>*{min-width:0}svg{display:block;width:100%;height:auto}\
.split h3{font-size:1rem;margin:.4rem 0}.split section{min-width:0}.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.6rem 0}\
td,th{padding:.3rem .75rem .3rem 0;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}\
th{font-weight:600;color:var(--quiet);font-size:.85rem}td:first-child,th:first-child{text-align:left}\
td small{display:block;line-height:1.1}\
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:.9rem;margin:.8rem 0}\
.pairs figure{margin:0;padding:.5rem;border-radius:10px;background:var(--raised);border:2px solid transparent}\
.pairs figure.wrong{border-color:var(--alarm)}.pairs div{display:flex;gap:4px}\
.pairs img{width:50%;aspect-ratio:1;object-fit:contain;image-rendering:auto}\
.changes{margin:1rem 0;padding:.6rem;border-radius:10px;background:var(--raised)}\
.changes div{display:grid;grid-template-columns:repeat(3,1fr);gap:6px}\
.changes rect{fill:none;stroke:#16a34a;stroke-width:2;vector-effect:non-scaling-stroke}\
figcaption{font-size:.78rem;line-height:1.35;margin-top:.3rem;overflow-wrap:anywhere}\
figcaption b{color:var(--ink);font-size:.95rem}figcaption .error{color:var(--alarm);font-weight:600}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;font-size:.85rem}\
dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap;font-family:ui-monospace,monospace}\
@media(max-width:520px){dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}}";

/// The terms that the pages explain in a tooltip.
const TERMS: [(&str, &str); 10] = [
    ("FMR", "False match rate: the share of different pairs that are called same"),
    ("FNMR", "False non-match rate: the share of same pairs that are called different"),
    ("EER", "Equal error rate: FMR and FNMR at the threshold where they are equal"),
    (
        "AUC",
        "Area under the ROC curve: the probability that a same pair has a smaller distance than a different pair; 0.5 is \
         chance, 1 is perfect",
    ),
    ("Recall", "The share of changes that a region finds"),
    ("Precision", "The share of regions that belong to a change"),
    ("Recall@1", "The share of images whose nearest other image is of their identity"),
    ("Recall@5", "The share of images with another image of their identity among the nearest five"),
    (
        "mAP",
        "Mean average precision: each image ranks all others, and at each image of its identity counts the share of such \
         images so far",
    ),
    (
        "Cllr",
        "Cost of the stated probabilities in bits per pair: 0 is perfect, 1 is no information",
    ),
];

/// A page under construction.
pub(super) struct Page(String);

impl Page {
    /// Starts a page with a title.
    pub(super) fn new(title: &str) -> Self {
        let title = escape(title);
        Self(format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>{}{LAYOUT}{STYLE}</style>\n<h1>{title}</h1>\n",
            variables()
        ))
    }

    /// Adds a line of markup.
    pub(super) fn line(&mut self, line: &str) {
        writeln!(self.0, "{line}").expect("writing to a String cannot fail");
    }

    /// Adds a highlighted paragraph.
    pub(super) fn warning(&mut self, warning: &str) {
        self.line(&format!("<p class=\"warning\"><strong>{}.</strong>", escape(warning)));
    }

    /// Adds drawings in a grid.
    pub(super) fn charts(&mut self, charts: impl IntoIterator<Item = Svg>) {
        self.line("<div class=\"charts\">");
        for chart in charts {
            self.line(&format!("<div>{}</div>", chart.inline()));
        }
        self.line("</div>");
    }

    /// Adds a main result to a `tiles` box; terms in `name` are explained.
    pub(super) fn tile(&mut self, name: &str, value: &str, note: &str) {
        let name = explained(name);
        self.line(&format!("<div>{name}<b>{value}</b><small>{note}</small></div>"));
    }

    /// Adds two images, as data URIs and names, to a `pairs` box; `caption` is markup.
    pub(super) fn pair(&mut self, class: &str, images: [(String, &str); 2], caption: &str) {
        let [(left, left_name), (right, right_name)] =
            images.map(|(uri, name)| (uri, escape(name)));
        self.line(&format!(
            "<figure class=\"{class}\"><div><img src=\"{left}\" alt=\"{left_name}\"><img src=\"{right}\" \
             alt=\"{right_name}\"></div><figcaption>{caption}<br>{left_name}<br>{right_name}</figcaption>\
             </figure>"
        ));
    }

    /// Adds the origin of the results, and returns the page.
    pub(super) fn finish(mut self, origin: &[(&'static str, String)]) -> String {
        self.line("<h2>Origin of this report</h2>\n<dl>");
        for (name, value) in origin {
            self.line(&format!("<dt>{name}<dd>{}", escape_lines(value)));
        }
        self.line("</dl>");
        self.0
    }
}

/// Adds tooltips to the terms of a text.
pub(super) fn explained(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches([':', ',', '.', ';']);
        match TERMS.iter().find(|(term, _)| *term == bare) {
            Some((term, meaning)) => {
                format!("<abbr title=\"{meaning}\">{term}</abbr>{}", &word[bare.len()..])
            }
            None => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Formats a rate.
pub(super) fn percent(rate: f64) -> String {
    format!("{:.2} %", 100.0 * rate)
}

/// Formats an interval after multiplication by `factor`: with two decimals and a unit, or four decimals without one.
pub(super) fn range(Interval { low, high }: Interval, factor: f64, unit: &str) -> String {
    let digits = if unit.is_empty() { 4 } else { 2 };
    format!("{:.digits$} – {:.digits$}{unit}", factor * low, factor * high)
}

/// Formats a rate, with its interval below if there is one.
pub(super) fn rate(value: f64, interval: Option<Interval>) -> String {
    let interval =
        interval.map(|interval| small(&range(interval, 100.0, " %"))).unwrap_or_default();
    format!("{}{interval}", percent(value))
}

/// Formats small text.
pub(super) fn small(text: &str) -> String {
    format!("<small>{text}</small>")
}

/// Escapes each line of a text.
fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}
