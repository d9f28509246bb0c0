//! The report page: one HTML file without external resources.

use std::fmt::Write as _;

use siamese_core::score::Verdict;
use siamese_drawing::escape;

use super::charts::{self, worst};
use super::html::{Page, explained, percent, range, rate, small};
use super::retrieval::{retrieval_note, retrieval_rates};
use super::text::{chosen_for, held_out};
use crate::evaluate::{Evaluation, OfIdentity, Operating, TABLE_FMRS};
use crate::statistics::{Comparison, Estimate, Interval, Promise, Unit, Unseen};

/// The number of identities in the table of the hardest.
const HARDEST: usize = 12;

/// Returns `index.html`; `thumbnail` returns the data URI of an image.
pub(super) fn page(evaluation: &Evaluation, thumbnail: &dyn Fn([u32; 2]) -> String) -> String {
    let subject = &evaluation.subject;
    let mut page = Page::new(&format!("{} on {}", subject.model, subject.data));
    page.line(&format!("<p class=\"quiet\">{}", escape(&evaluation.headline())));
    if let Some(warning) = subject.warning() {
        page.warning(&warning);
    }
    if !subject.skipped.is_empty() {
        let skipped = subject.skipped.len();
        page.line(&format!("<p class=\"warning\">{skipped} unreadable files were skipped."));
    }
    page.tiles(evaluation);
    page.curves(evaluation);
    page.operating(evaluation);
    if let Some(unseen) = &evaluation.unseen {
        page.unseen(unseen);
    }
    page.probability(evaluation);
    if let Some(familiar) = evaluation.familiar {
        page.line(&format!("<h2>Familiarity</h2>\n<p>{familiar}. The server warns of each image that is unlike them."));
    }
    if let Some(training) = charts::training(&evaluation.history) {
        page.line("<h2>Training</h2>\n<p>The training loss. The dashed line is the loss of a network that has learned nothing.");
        page.charts([training]);
    }
    let hardest = hardest(evaluation);
    if let Some(map) = &evaluation.map {
        let indices: Vec<usize> = hardest
            .iter()
            .filter_map(|hard| subject.identities.iter().position(|name| *name == hard.name))
            .collect();
        page.line(&format!(
            "<h2>Map of the images</h2>\n<p>{} images, one colour per identity. Images that the model finds similar are \
             close together. A flat map cannot show all distances exactly: its error (stress) is {:.2}, and above 0.3 \
             it says little. The names are those of the hardest identities.",
            map.images.len(),
            map.plane.stress
        ));
        let drawing = charts::map(evaluation, map, &indices, thumbnail);
        page.line(&drawing.inline());
    }
    if !hardest.is_empty() {
        page.hardest(&hardest);
    }
    page.worst(evaluation, thumbnail);
    page.finish(&evaluation.origin)
}

impl Page {
    fn tiles(&mut self, evaluation: &Evaluation) {
        let Evaluation { measures, band, rates, .. } = evaluation;
        let range = |band: Option<Interval>| {
            band.map(|interval| range(interval, 100.0, " %")).unwrap_or_default()
        };
        self.line("<div class=\"tiles\">");
        self.tile("EER", &percent(measures.eer), &range(band.as_ref().map(|band| band.eer)));
        let auc = band.as_ref().map(|band| format!("{:.4} – {:.4}", band.auc.low, band.auc.high));
        self.tile("AUC", &format!("{:.4}", measures.auc), &auc.unwrap_or_default());
        for fmr in TABLE_FMRS {
            let index = evaluation.grid_index(fmr);
            let is_measurable = evaluation.smallest_fmr() <= fmr;
            let interval = range(band.as_ref().map(|band| band.fnmr_at[index]));
            let note =
                if is_measurable { interval } else { "too few pairs to measure this".to_owned() };
            let name = format!("FNMR at FMR {}\u{a0}%", 100.0 * fmr);
            self.tile(&name, &percent(measures.fnmr_at[index]), &note);
        }
        for (name, Estimate { value, interval }) in
            evaluation.retrieval.iter().flat_map(retrieval_rates)
        {
            self.tile(name, &percent(value), &range(interval));
        }
        let errors = format!("{} / {}", percent(rates.fmr), percent(rates.fnmr));
        let threshold = evaluation.threshold.get();
        let note = format!("at the threshold {threshold:.4} {}", evaluation.threshold_source);
        self.tile("FMR / FNMR", &errors, &note);
        let cllr = evaluation.probability.cllr;
        let note = format!("bits; best possible {:.3}", cllr.minimum);
        self.tile("Cllr", &format!("{:.3}", cllr.stated), &note);
        if let Some(one_shot) = &evaluation.one_shot {
            let name = format!("{}-way {}-shot error", one_shot.ways, one_shot.shots);
            let note = format!(
                "± {} over {} episodes",
                percent(one_shot.standard_error),
                one_shot.episodes
            );
            self.tile(&name, &percent(one_shot.error), &note);
        }
        self.line("</div>");
        self.line(&format!("<p class=\"quiet\"><small>{}.</small>", retrieval_note(evaluation)));
        if band.is_some() {
            let unit = evaluation.comparisons.unit().plural();
            self.line(&format!(
                "<p class=\"quiet\"><small>Small numbers are 95 % intervals from resampling the {unit}.</small>"
            ));
        }
    }

    fn curves(&mut self, evaluation: &Evaluation) {
        let [same, different] = match evaluation.comparisons.unit() {
            Unit::Identity => ["an identity is not recognised", "two identities are confused"],
            Unit::Component => ["it sees a difference that is none", "it misses a difference"],
        };
        self.line(&format!(
            "<h2>Distances and errors</h2>\n<p>The model calls a pair same if its distance is at most the threshold. {} \
             is the share of different pairs that it calls same: {different}. {} is the share of same pairs that it calls \
             different: {same}. A larger threshold gives a higher FMR and a lower FNMR.",
            explained("FMR"),
            explained("FNMR"),
        ));
        if let Some(margin) = evaluation.margin {
            self.line(&format!(
                "<p>The margin, {margin}, is the distance up to which training pushed different pairs apart."
            ));
        }
        self.line(
            "<p>The DET and ROC curves show both errors at every threshold. A better model is closer to the lower left \
             corner of the DET and to the upper left corner of the ROC.",
        );
        self.charts([
            charts::histogram(evaluation, "Distances"),
            charts::det(&[evaluation]),
            charts::roc(&[evaluation]),
        ]);
    }

    fn operating(&mut self, evaluation: &Evaluation) {
        self.line(&format!(
            "<h2>Operating points</h2>\n<p>Thresholds to choose from, with the errors of each.\n\
             <div class=\"scroll\"><table><tr><th>chosen for<th>threshold<th>{}<th>{}",
            explained("FMR"),
            explained("FNMR"),
        ));
        for Operating { aim, threshold, threshold_interval, rates, rates_interval } in
            &evaluation.operating
        {
            let chosen = threshold_interval
                .map(|interval| range(interval, 1.0, ""))
                .map(|text| small(&text))
                .unwrap_or_default();
            self.line(&format!(
                "<tr><td>{aim}<td>{:.4}{chosen}<td>{}<td>{}",
                threshold.get(),
                rate(rates.fmr, rates_interval.map(|interval| interval.fmr)),
                rate(rates.fnmr, rates_interval.map(|interval| interval.fnmr)),
            ));
        }
        self.line("</table></div>");
        let pairs = evaluation.different_pairs();
        let mut note = format!(
            "{pairs} different pairs are too few to measure an FMR below {} (rule of 3)",
            siamese_drawing::percent(evaluation.smallest_fmr())
        );
        if let Some(effective) = evaluation.effective_different_pairs() {
            let _ = write!(
                note,
                ". Pairs that share {} are not independent: these have the information of about {effective:.0} \
                 independent ones, so FMRs below {} are uncertain",
                match evaluation.comparisons.unit() {
                    Unit::Identity => "an identity",
                    Unit::Component => "images",
                },
                percent(3.0 / effective.max(3.0))
            );
        }
        self.line(&format!("<p class=\"quiet\">{note}."));
    }

    fn unseen(&mut self, unseen: &Unseen) {
        self.line(&format!(
            "<h2>Errors on other {}</h2>\n<p>{} ({}). The column “promised” is the {} on the {} that a threshold was \
             chosen on; the columns to its right are the errors on the others.\n\
             <div class=\"split\"><div>{}</div><div class=\"scroll\"><table><tr><th>chosen \
             for<th>promised<th>{}<th>{}{}",
            unseen.unit.plural(),
            match unseen.unit {
                Unit::Identity => {
                    "Each pair is judged by a threshold that was chosen without its two identities"
                }
                Unit::Component => {
                    "Each pair is judged by a threshold that was chosen without its component"
                }
            },
            held_out(unseen),
            explained("FMR"),
            unseen.unit.plural(),
            charts::promises(unseen).inline(),
            explained("FMR"),
            explained("FNMR"),
            if unseen.unit == Unit::Identity { "<th>worst identity" } else { "" }
        ));
        for promise in &unseen.promises {
            let Promise { promised, realised, fmr_interval, fnmr_interval, worst_fmr, .. } =
                promise;
            self.line(&format!(
                "<tr><td>{}<td>{}<td>{}<td>{}{}",
                chosen_for(promise),
                percent(promised.fmr),
                rate(realised.fmr, *fmr_interval),
                rate(realised.fnmr, *fnmr_interval),
                worst_fmr.map(|fmr| format!("<td>{}", percent(fmr))).unwrap_or_default(),
            ));
        }
        self.line("</table></div></div>");
    }

    fn probability(&mut self, evaluation: &Evaluation) {
        let check = &evaluation.probability;
        let source = if check.from_model {
            "The probabilities come from the model."
        } else {
            "The model has no probabilities. These were fitted to the same pairs, so the result is too good."
        };
        let mut words = format!(
            "<h2>Quality of the probabilities</h2>\n<p>{source} They cost {:.3} bits per pair at equal priors ({}: 0 is \
             perfect, 1 is no information). The best possible curve for these distances costs {:.3}; the calibration \
             adds {:.3}.",
            check.cllr.stated,
            explained("Cllr"),
            check.cllr.minimum,
            check.cllr.stated - check.cllr.minimum
        );
        if let Some(Unseen { unit, cllr, .. }) = &evaluation.unseen {
            let _ = write!(
                words,
                " On {} that were not used for the fit, a logistic curve costs {:.3}, and isotonic steps cost {:.3}.",
                unit.plural(),
                cllr.logistic,
                cllr.isotonic
            );
        }
        self.line(&words);
        self.line(&format!(
            "<div class=\"split\"><div>{}</div><div class=\"scroll\"><table><tr><th>stated<th>observed<th>same \
             pairs<th>different pairs",
            charts::reliability(check, evaluation.comparisons.unit()).inline()
        ));
        for bin in &check.bins {
            let seen = rate(bin.seen, bin.interval);
            let stated = percent(bin.stated);
            self.line(&format!("<tr><td>{stated}<td>{seen}<td>{}<td>{}", bin.same, bin.different));
        }
        self.line("</table></div></div>");
    }

    fn hardest(&mut self, hardest: &[OfIdentity]) {
        self.line(
            "<h2>The hardest identities</h2>\n<p>The identities with the largest errors at the threshold in use.\n\
             <div class=\"scroll\"><table><tr><th>identity<th>images<th>FNMR<th>FMR with other identities",
        );
        for it in hardest.iter().take(HARDEST) {
            let own = it.fnmr.map_or_else(|| "–".to_owned(), percent);
            let name = escape(&it.name);
            self.line(&format!("<tr><td>{name}<td>{}<td>{own}<td>{}", it.images, percent(it.fmr)));
        }
        self.line("</table></div>");
    }

    fn worst(&mut self, evaluation: &Evaluation, thumbnail: &dyn Fn([u32; 2]) -> String) {
        let headings = ["The closest different pairs", "The farthest same pairs"];
        for (heading, pairs) in headings.into_iter().zip(worst(evaluation)) {
            self.line(&format!("<h2>{heading}</h2>\n<div class=\"pairs\">"));
            for pair in &pairs {
                self.worst_pair(evaluation, pair, thumbnail);
            }
            self.line("</div>");
        }
    }

    fn worst_pair(
        &mut self,
        evaluation: &Evaluation,
        pair: &Comparison,
        thumbnail: &dyn Fn([u32; 2]) -> String,
    ) {
        let called_same = evaluation.threshold.judge(pair.distance) == Verdict::Same;
        let is_wrong = called_same != pair.is_same;
        let [left, right] = [0, 1].map(|side| [pair.identities[side], pair.images[side]]);
        let called = if called_same { "called same" } else { "called different" };
        let frame = if is_wrong { "wrong" } else { "" };
        let word = if is_wrong { "error" } else { "" };
        let caption =
            format!("<b>{:.3}</b> <span class=\"{word}\">{called}</span>", pair.distance.get());
        let shown = |image: [u32; 2]| (thumbnail(image), evaluation.image_name(image[0], image[1]));
        self.pair(frame, [shown(left), shown(right)], &caption);
    }
}

/// Returns the identities by their larger error, the hardest first.
fn hardest(evaluation: &Evaluation) -> Vec<OfIdentity> {
    let mut identities = evaluation.by_identity();
    let error = |identity: &OfIdentity| identity.fnmr.unwrap_or_default().max(identity.fmr);
    identities.sort_by(|a, b| error(b).total_cmp(&error(a)));
    identities
}
