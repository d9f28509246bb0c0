//! What every page of a report is made of.

use std::fmt::Write as _;

use siamese_drawing::{STYLE, Svg, escape, variables};

use crate::statistics::Interval;

const LAYOUT: &str = "\
*{box-sizing:border-box}body{font:16px/1.55 system-ui,'Segoe UI','DejaVu Sans',sans-serif;\
color:var(--ink);background:var(--ground);max-width:1180px;margin:0 auto;padding:1.2rem 1rem 4rem}\
h1{font-size:1.7rem;line-height:1.2;margin:.6rem 0 .2rem}h2{font-size:1.2rem;margin:2.6rem 0 .4rem}\
p{max-width:46rem;margin:.4rem 0}.quiet,figcaption,small{color:var(--quiet)}small{font-size:.8rem}\
.warning{border-left:4px solid var(--alarm);padding-left:.8rem}\
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
figcaption{font-size:.78rem;line-height:1.35;margin-top:.3rem;overflow-wrap:anywhere}\
figcaption b{color:var(--ink);font-size:.95rem}figcaption .error{color:var(--alarm);font-weight:600}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;font-size:.85rem}\
dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap;font-family:ui-monospace,monospace}\
@media(max-width:520px){dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}}";

/// A page in the making.
pub(super) struct Page(String);

impl Page {
    /// An empty page under its title.
    pub(super) fn new(title: &str) -> Self {
        let title = escape(title);
        Self(format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>{}{LAYOUT}{STYLE}</style>\n<h1>{title}</h1>\n",
            variables()
        ))
    }

    /// Markup, and the end of its line.
    pub(super) fn line(&mut self, line: &str) {
        writeln!(self.0, "{line}").expect("a String takes all");
    }

    /// A paragraph that must not be overlooked.
    pub(super) fn warning(&mut self, warning: &str) {
        self.line(&format!("<p class=\"warning\"><strong>{}.</strong>", escape(warning)));
    }

    /// Drawings beside each other.
    pub(super) fn charts(&mut self, charts: impl IntoIterator<Item = Svg>) {
        self.line("<div class=\"charts\">");
        for chart in charts {
            self.line(&format!("<div>{}</div>", chart.inline()));
        }
        self.line("</div>");
    }

    /// A figure to be seen first, within a `tiles` box.
    pub(super) fn tile(&mut self, name: &str, value: &str, note: &str) {
        self.line(&format!("<div>{name}<b>{value}</b><small>{note}</small></div>"));
    }

    /// Two pictures, as data URIs and names, within a `pairs` box; `caption` is markup.
    pub(super) fn pair(&mut self, class: &str, pictures: [(String, &str); 2], caption: &str) {
        let [(left, left_name), (right, right_name)] =
            pictures.map(|(uri, name)| (uri, escape(name)));
        self.line(&format!(
            "<figure class=\"{class}\"><div><img src=\"{left}\" alt=\"{left_name}\"><img src=\"{right}\" \
             alt=\"{right_name}\"></div><figcaption>{caption}<br>{left_name}<br>{right_name}</figcaption>\
             </figure>"
        ));
    }

    /// Where all this comes from, and the page is done.
    pub(super) fn finish(mut self, origin: &[(&'static str, String)]) -> String {
        self.line("<h2>Where this comes from</h2>\n<dl>");
        for (name, value) in origin {
            self.line(&format!("<dt>{name}<dd>{}", escape_lines(value)));
        }
        self.line("</dl>");
        self.0
    }
}

/// A rate.
pub(super) fn percent(rate: f64) -> String {
    format!("{:.2} %", 100.0 * rate)
}

/// From an interval's low end to its high one: as many hundredths as its factor makes of it, or to
/// four digits what has no unit.
pub(super) fn range(Interval { low, high }: Interval, factor: f64, unit: &str) -> String {
    let digits = if unit.is_empty() { 4 } else { 2 };
    format!("{:.digits$} – {:.digits$}{unit}", factor * low, factor * high)
}

/// A rate above its interval, where there is one.
pub(super) fn rate(value: f64, interval: Option<Interval>) -> String {
    let interval = interval.map(|it| small(&range(it, 100.0, " %"))).unwrap_or_default();
    format!("{}{interval}", percent(value))
}

/// In small letters.
pub(super) fn small(text: &str) -> String {
    format!("<small>{text}</small>")
}

fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}
