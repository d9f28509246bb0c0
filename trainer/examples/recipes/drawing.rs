//! A drawing of the EERs: one row per recipe, one dot per fold and seed, and a bar at the mean.

use siamese_drawing::{Svg, number};

use crate::FOLDS;
use crate::plan::Recipe;
use crate::runs::{Run, Runs, mean};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 270.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 66.0;
const ROW: f64 = 26.0;
/// The target, and the EER of a large face network, in percent.
const LINES: [(f64, &str, &str); 2] =
    [(3.3, "3.3, the target", "note end"), (4.9, "4.9, MobileFaceNet", "note")];

/// Draws all recipes that were measured.
pub(crate) fn folds(recipes: &[Recipe], runs: &Runs) -> String {
    let measured: Vec<_> = recipes
        .iter()
        .filter(|recipe| !runs.means(recipe.name, recipe.seeds, FOLDS).is_empty())
        .collect();
    let most = measured
        .iter()
        .flat_map(|recipe| runs.of(recipe.name))
        .map(|run| run.eer)
        .fold(0.0, f64::max);
    let high = ((100.0 * most / 2.0).ceil() * 2.0).max(2.0);
    let across = |percent: f64| LEFT + (RIGHT - LEFT) * percent / high;
    let bottom = measured.iter().fold(TOP, |bottom, _| bottom + ROW);

    let title = "Equal error rates on identities unseen in training, in percent";
    let mut svg = Svg::new(WIDTH, bottom + 44.0, title);
    svg.text("title", (16.0, 26.0), title);
    let mut at = LEFT;
    for fold in 0..FOLDS {
        svg.dot(fold, (at, 43.0), 4.0);
        svg.text("", (at + 9.0, 47.5), &format!("fold {fold}"));
        at += 76.0;
    }
    for tick in (0_u32..).map(|number| f64::from(2 * number)).take_while(|tick| *tick <= high) {
        let at = across(tick);
        svg.line("grid", (at, TOP), (at, bottom));
        svg.text("tick middle", (at, bottom + 17.0), &number(tick, 0));
    }
    for (percent, label, class) in LINES {
        let at = across(percent);
        svg.line("guide", (at, TOP), (at, bottom));
        svg.text(class, (at, bottom + 33.0), label);
    }
    let mut middle = TOP + ROW / 2.0;
    for recipe in measured {
        svg.text("end", (LEFT - 12.0, middle + 4.5), recipe.name);
        for Run { fold, eer, .. } in runs.of(recipe.name) {
            svg.dot(*fold, (across(100.0 * eer), middle), 4.0);
        }
        let at = across(100.0 * mean(runs.of(recipe.name).map(|run| run.eer)));
        svg.line("bar", (at, middle - 9.0), (at, middle + 9.0));
        middle += ROW;
    }
    svg.finish()
}
