//! The table of results.

use std::fmt::Write as _;

use crate::FOLDS;
use crate::plan::Recipe;
use crate::runs::{Runs, mean};

/// Makes a table with one row per recipe: its mean EER for each seed, that of each fold, its loss and its time.
pub(crate) fn table(recipes: &[Recipe], runs: &Runs) -> String {
    let mut text = String::from(
        "| recipe | mean EER, each seed | fold 0 | 1 | 2 | 3 | last loss | seconds per fold |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for recipe in recipes {
        let means = runs.means(recipe.name, recipe.seeds, FOLDS);
        if means.is_empty() {
            continue;
        }
        let means: Vec<_> = means.into_iter().map(percent).collect();
        let folds: Vec<_> = (0..FOLDS)
            .map(|fold| {
                let of_fold = runs.of(recipe.name).filter(|run| run.fold == fold);
                percent(mean(of_fold.map(|run| run.eer)))
            })
            .collect();
        let losses: Vec<f64> = runs.of(recipe.name).filter_map(|run| run.loss).collect();
        let loss =
            if losses.is_empty() { "–".to_owned() } else { format!("{:.3}", mean(losses)) };
        let seconds = mean(runs.of(recipe.name).map(|run| run.seconds));
        let (name, means, folds) = (recipe.name, means.join(", "), folds.join(" | "));
        let _ = writeln!(text, "| {name} | {means} | {folds} | {loss} | {seconds:.0} |");
    }
    text
}

fn percent(rate: f64) -> String {
    format!("{:.2} %", 100.0 * rate)
}
