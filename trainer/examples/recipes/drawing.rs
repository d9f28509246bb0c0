//! The EERs as a drawing: a row a recipe, a dot a fold and seed, a bar at the mean.

use std::fmt::Write as _;

use crate::FOLDS;
use crate::plan::Recipe;
use crate::runs::{Run, Runs, mean};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 270.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 66.0;
const ROW: f64 = 26.0;
/// What is to be reached, and what a large face network reaches, each in percent.
const LINES: [(f64, &str, &str); 2] =
    [(3.3, "3.3, the aim", "end"), (4.9, "4.9, MobileFaceNet", "start")];
const COLOURS: [&str; FOLDS] = ["#1d4ed8", "#0f766e", "#b91c1c", "#b45309"];

/// Draws all recipes that were measured.
pub(crate) fn folds(recipes: &[Recipe], runs: &Runs) -> String {
    let measured: Vec<_> =
        recipes.iter().filter(|it| !runs.means(it.name, it.seeds, FOLDS).is_empty()).collect();
    let most = measured.iter().flat_map(|it| runs.of(it.name)).map(|it| it.eer).fold(0.0, f64::max);
    let high = (100.0 * most / 2.0).ceil() * 2.0;
    let across = |percent: f64| LEFT + (RIGHT - LEFT) * percent / high.max(2.0);
    let bottom = measured.iter().fold(TOP, |bottom, _| bottom + ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"13\" fill=\"#1f2937\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"600\">Equal error rates on people \
         unseen in training, in percent</text>\n",
        height = bottom + 44.0
    );
    for (fold, colour) in COLOURS.iter().enumerate() {
        let at = LEFT + 76.0 * single(fold);
        let _ = writeln!(
            svg,
            "<circle cx=\"{at}\" cy=\"43\" r=\"4\" fill=\"{colour}\" fill-opacity=\".75\"/>\
             <text x=\"{}\" y=\"47.5\">fold {fold}</text>",
            at + 9.0
        );
    }
    let mut tick = 0.0;
    while tick <= high {
        let at = across(tick);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#e5e7eb\"/><text x=\"{at:.1}\" y=\"{}\" \
             text-anchor=\"middle\" fill=\"#6b7280\">{tick}</text>",
            bottom + 17.0
        );
        tick += 2.0;
    }
    for (percent, label, anchor) in LINES {
        let at = across(percent);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#6b7280\" stroke-dasharray=\"4 4\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"{anchor}\" fill=\"#6b7280\" \
             font-size=\"11\">{label}</text>",
            bottom + 33.0
        );
    }
    let mut middle = TOP + ROW / 2.0;
    for recipe in measured {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 12.0,
            middle + 4.5,
            recipe.name
        );
        for Run { fold, eer, .. } in runs.of(recipe.name) {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{middle}\" r=\"4\" fill=\"{}\" fill-opacity=\".75\"/>",
                across(100.0 * eer),
                COLOURS[*fold]
            );
        }
        let at = across(100.0 * mean(runs.of(recipe.name).map(|it| it.eer)));
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {}v18\" stroke=\"#111827\" stroke-width=\"2.5\"/>",
            middle - 9.0
        );
        middle += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

fn single(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
