//! The comparison of two models as HTML and JSON.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};
use siamese_core::score::{Distance, Verdict};
use siamese_drawing::escape;

use super::charts::{self, pick};
use super::html::{Page, explained, small};
use super::record;
use crate::evaluate::{ContestedPair, SideBySide, Tally};
use crate::statistics::Difference;

/// `report.json` of two models.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    a: record::Record,
    b: record::Record,
    differences: Option<Vec<Differing>>,
    judged_differently: Judged,
}

#[derive(Debug, Serialize)]
struct Differing {
    figure: String,
    #[serde(flatten)]
    difference: Difference,
}

#[derive(Debug, Serialize)]
struct Judged {
    pairs: usize,
    same: Tally,
    different: Tally,
    most_striking: Vec<Value>,
}

impl Record {
    pub(super) fn of(found: &SideBySide) -> Self {
        let [first, second] = found.evaluations.each_ref();
        let contested = &found.contested;
        let pair = |contested: &ContestedPair| {
            let [a, b] = [0, 1].map(|side| {
                first.image_name(contested.pair.identities[side], contested.pair.images[side])
            });
            let letter = if contested.right == 0 { "a" } else { "b" };
            json!({
                "images": [a, b],
                "same": contested.pair.is_same,
                "distances": contested.distances.map(Distance::get),
                "right": letter,
            })
        };
        let differences = found
            .rows()
            .into_iter()
            .map(|row| Some(Differing { figure: row.name.clone(), difference: row.difference? }));
        Self {
            a: record::Record::of(first),
            b: record::Record::of(second),
            differences: differences.collect(),
            judged_differently: Judged {
                pairs: contested.pairs.len(),
                same: contested.same,
                different: contested.different,
                most_striking: [0, 1]
                    .into_iter()
                    .flat_map(|model| striking(found, model))
                    .map(|contested| pair(&contested))
                    .collect(),
            },
        }
    }
}

/// Returns `index.html`; `thumbnail` returns the data URI of an image.
pub(super) fn page(found: &SideBySide, thumbnail: &dyn Fn([u32; 2]) -> String) -> String {
    let [a, b] = found.evaluations.each_ref();
    let mut page =
        Page::new(&format!("{} and {} on {}", a.subject.model, b.subject.model, a.subject.data));
    page.line(&format!("<p class=\"quiet\">{}", escape(&found.headline())));
    for (letter, it) in ["A", "B"].iter().zip(&found.evaluations) {
        page.line(&format!(
            "<p><strong>{letter}</strong>: {}, <span class=\"quiet\">threshold {:.4} {}{}</span>",
            escape(&it.subject.model),
            it.threshold.get(),
            it.threshold_source,
            it.subject.split().map(|split| format!(", {split}")).unwrap_or_default()
        ));
    }
    for (letter, it) in ["A", "B"].iter().zip(&found.evaluations) {
        if let Some(warning) = it.subject.warning() {
            page.warning(&format!("{letter}: {warning}"));
        }
    }
    if !a.subject.skipped.is_empty() {
        page.warning(&format!("{} unreadable files were skipped", a.subject.skipped.len()));
    }
    page.differences(found);
    page.line(&format!(
        "<h2>Distances and errors</h2>\n<p>{} is the share of different pairs that a model calls same. {} is the share of \
         same pairs that it calls different. A better model is closer to the lower left corner of the DET curve and to \
         the upper left corner of the ROC curve.\n<div class=\"split\"><section>",
        explained("FMR"),
        explained("FNMR"),
    ));
    for (letter, it) in ["A", "B"].iter().zip(&found.evaluations) {
        let title = format!("Distances of {letter}: {}", it.subject.model);
        page.line(&charts::histogram(it, &title).inline());
    }
    page.line("</section><section>");
    page.line(&charts::det(&[a, b]).inline());
    page.line(&charts::roc(&[a, b]).inline());
    page.line("</section></div>");
    page.contested(found, thumbnail);
    page.finish(&found.origin)
}

impl Page {
    fn differences(&mut self, found: &SideBySide) {
        self.line(&format!(
            "<h2>Which is better</h2>\n<p><strong>{}.</strong>\n<div class=\"scroll\"><table><tr><th>result<th>A<th>B\
             <th>B − A<th>p",
            found.conclusion()
        ));
        for row in found.rows() {
            let [a, b] = row.values.map(|value| row.value(value));
            let interval = row.interval().map(|interval| small(&interval)).unwrap_or_default();
            let p_value = row.p_value().unwrap_or_default();
            self.line(&format!(
                "<tr><td>{}<td>{a}<td>{b}<td>{}{interval}<td>{p_value}",
                explained(&row.name),
                row.change()
            ));
        }
        self.line("</table></div>");
        let unit = found.evaluations[0].comparisons.unit();
        if found.differences.is_some() {
            self.line(
                &format!(
                    "<p class=\"quiet\"><small>Small numbers are 95 % intervals of the difference, from resampling the \
                     {}. Both models use the same resamples, so effects that are the same for both cancel out. p is the \
                     probability of such a difference by chance; below 0.05 it is significant.</small>",
                    unit.plural()
                ),
            );
        }
    }

    fn contested(&mut self, found: &SideBySide, thumbnail: &dyn Fn([u32; 2]) -> String) {
        let contested = &found.contested;
        self.line(&format!(
            "<h2>Different verdicts</h2>\n<p>The verdicts differ on {} of {} pairs, each model at its own threshold.\n<div \
             class=\"scroll\"><table><tr><th>pairs<th>total<th>only A right<th>only B right<th>both wrong",
            contested.pairs.len(),
            contested.total()
        ));
        for (name, tally) in [("same", contested.same), ("different", contested.different)] {
            let Tally { pairs, only_a_right, only_b_right, both_wrong } = tally;
            self.line(&format!(
                "<tr><td>{name}<td>{pairs}<td>{only_a_right}<td>{only_b_right}<td>{both_wrong}"
            ));
        }
        self.line("</table></div>");
        for (model, letter) in ["A", "B"].into_iter().enumerate() {
            let pairs = striking(found, model);
            if pairs.is_empty() {
                continue;
            }
            self.line(&format!(
                "<h2>Only {letter} is right</h2>\n<p>The clearest pairs: the two distances, each divided by its \
                 threshold, differ most. Images are preprocessed for A.\n<div class=\"pairs\">"
            ));
            for it in &pairs {
                self.contested_pair(found, it, thumbnail);
            }
            self.line("</div>");
        }
    }

    fn contested_pair(
        &mut self,
        found: &SideBySide,
        it: &ContestedPair,
        thumbnail: &dyn Fn([u32; 2]) -> String,
    ) {
        let kind = if it.pair.is_same { "same" } else { "different" };
        let mut caption = format!("<b>{kind}</b>");
        for (model, letter) in ["A", "B"].into_iter().enumerate() {
            let threshold = found.evaluations[model].threshold;
            let is_same = threshold.judge(it.distances[model]) == Verdict::Same;
            let word = if model == it.right { "" } else { "error" };
            let _ = write!(
                caption,
                "<br>{letter} <span class=\"{word}\">called {}</span>: {:.3} {} {:.3}",
                if is_same { "same" } else { "different" },
                it.distances[model].get(),
                if is_same { "≤" } else { "&gt;" },
                threshold.get()
            );
        }
        let shown = |side: usize| {
            let [identity, image] = [it.pair.identities[side], it.pair.images[side]];
            (thumbnail([identity, image]), found.evaluations[0].image_name(identity, image))
        };
        self.pair("", [shown(0), shown(1)], &caption);
    }
}

fn striking(found: &SideBySide, model: usize) -> Vec<ContestedPair> {
    pick(found.contested.correct_only_by(model), |contested| &contested.pair)
}
