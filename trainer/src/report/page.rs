//! The report for people: one page that needs nothing beside it.

use std::fmt::Write as _;

use siamese_core::score::Verdict;
use siamese_drawing::escape;

use super::charts::{self, worst};
use super::html::{Page, percent, range, rate, small};
use super::text::{chosen_for, left_out};
use crate::evaluate::{Evaluation, OfIdentity, Operating, TABLE_FMRS};
use crate::statistics::{Comparison, Interval, Promise, Unit, Unseen};

/// Identities in the table of the hardest.
const HARDEST: usize = 12;

/// `index.html`; `thumbnail` gives the data URI of an identity's picture.
pub(super) fn page(evaluation: &Evaluation, thumbnail: &dyn Fn([u32; 2]) -> String) -> String {
    let subject = &evaluation.subject;
    let mut page = Page::new(&format!("{} on {}", subject.tower, subject.data));
    page.line(&format!("<p class=\"quiet\">{}", escape(&evaluation.headline())));
    if let Some(warning) = subject.warning() {
        page.warning(&warning);
    }
    if !subject.skipped.is_empty() {
        let skipped = subject.skipped.len();
        page.line(&format!("<p class=\"warning\">{skipped} unreadable files were left out."));
    }
    page.tiles(evaluation);
    page.told_apart(evaluation);
    page.operating(evaluation);
    if let Some(unseen) = &evaluation.unseen {
        page.unseen(unseen);
    }
    page.probability(evaluation);
    if let Some(training) = charts::training(&evaluation.history) {
        page.line("<h2>Training</h2>\n<p>The loss that training made less, beside what a network pays that has learned nothing.");
        page.charts([training]);
    }
    let hardest = hardest(evaluation);
    if let Some(on_paper) = &evaluation.map {
        let places: Vec<usize> = hardest
            .iter()
            .filter_map(|it| subject.identities.iter().position(|name| *name == it.name))
            .collect();
        page.line(&format!(
            "<h2>Where the tower sees them</h2>\n<p>{} pictures, one colour an identity, as far apart as \
             the tower finds them, as well as a plane can show it (stress {:.2}; above 0.3 little is to be \
             read from it). Named are the hardest.",
            on_paper.pictures.len(),
            on_paper.plane.stress
        ));
        let drawing = charts::map(evaluation, on_paper, &places, thumbnail);
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
        let range = |it: Option<Interval>| it.map(|it| range(it, 100.0, " %")).unwrap_or_default();
        self.line("<div class=\"tiles\">");
        self.tile("EER", &percent(measures.eer), &range(band.as_ref().map(|it| it.eer)));
        let auc = band.as_ref().map(|it| format!("{:.4} – {:.4}", it.auc.low, it.auc.high));
        self.tile("AUC", &format!("{:.4}", measures.auc), &auc.unwrap_or_default());
        for fmr in TABLE_FMRS {
            let at = evaluation.grid_place(fmr);
            let told = evaluation.smallest_fmr() <= fmr;
            let interval = range(band.as_ref().map(|it| it.fnmr_at[at]));
            let note = if told { interval } else { "more than these pairs can tell".to_owned() };
            let name = format!("FNMR at FMR {}\u{a0}%", 100.0 * fmr);
            self.tile(&name, &percent(measures.fnmr_at[at]), &note);
        }
        let errors = format!("{} / {}", percent(rates.fmr), percent(rates.fnmr));
        let threshold = evaluation.threshold.get();
        let note = format!("at the threshold {threshold:.4} {}", evaluation.threshold_source);
        self.tile("FMR / FNMR", &errors, &note);
        let cllr = evaluation.probability.cllr;
        let note = format!("bits; {:.3} at best", cllr.minimum);
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
        if band.is_some() {
            let unit = evaluation.comparisons.unit().plural();
            self.line(&format!("<p class=\"quiet\"><small>Ranges hold 95 % of what resampling the {unit} gives.</small>"));
        }
    }

    fn told_apart(&mut self, evaluation: &Evaluation) {
        self.line(
            "<h2>How well they are told apart</h2>\n<p>A pair is called same if its distance is at most the \
             threshold. FMR: strangers let in. FNMR: people sent away.",
        );
        self.charts([
            charts::histogram(evaluation, "Distances"),
            charts::det(&[evaluation]),
            charts::roc(&[evaluation]),
        ]);
    }

    fn operating(&mut self, evaluation: &Evaluation) {
        self.line(
            "<h2>Operating points</h2>\n<div class=\"scroll\"><table><tr><th>threshold<th>distance<th>FMR<th>FNMR",
        );
        for Operating { aim, threshold, threshold_interval, rates, rates_interval } in
            &evaluation.operating
        {
            let chosen = threshold_interval
                .map(|it| range(it, 1.0, ""))
                .map(|it| small(&it))
                .unwrap_or_default();
            self.line(&format!(
                "<tr><td>{aim}<td>{:.4}{chosen}<td>{}<td>{}",
                threshold.get(),
                rate(rates.fmr, rates_interval.map(|it| it.fmr)),
                rate(rates.fnmr, rates_interval.map(|it| it.fnmr)),
            ));
        }
        self.line("</table></div>");
        let pairs = evaluation.different_pairs();
        let mut note = format!(
            "{pairs} different pairs can't tell an FMR below {} (rule of 3)",
            percent(evaluation.smallest_fmr())
        );
        if let Some(effective) = evaluation.effective_different_pairs() {
            let _ = write!(
                note,
                ", and as pairs that share {} vary together they are worth about {effective:.0} \
                 independent ones: take FMRs below {} with care",
                match evaluation.comparisons.unit() {
                    Unit::Identity => "a person",
                    Unit::Component => "pictures",
                },
                percent(3.0 / effective.max(3.0))
            );
        }
        self.line(&format!("<p class=\"quiet\">{note}."));
    }

    fn unseen(&mut self, unseen: &Unseen) {
        self.line(&format!(
            "<h2>How far that holds for others</h2>\n<p>{}: {}. Each pair is judged once, by a choice that has \
             seen {}.\n<div class=\"split\"><div>{}</div><div class=\"scroll\"><table><tr><th>chosen \
             for<th>promised<th>FMR<th>FNMR{}",
            match unseen.unit {
                Unit::Identity => "Thresholds chosen on some people, and what they do to people they were not chosen on",
                Unit::Component => "Thresholds chosen on some pairs, and what they do to pairs of other pictures",
            },
            left_out(unseen),
            match unseen.unit {
                Unit::Identity => "neither of its people",
                Unit::Component => "none of the pictures that it is connected with",
            },
            charts::promises(unseen).inline(),
            if unseen.unit == Unit::Identity { "<th>worst FMR" } else { "" }
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
                worst_fmr.map(|it| format!("<td>{}", percent(it))).unwrap_or_default(),
            ));
        }
        self.line("</table></div></div>");
    }

    fn probability(&mut self, evaluation: &Evaluation) {
        let check = &evaluation.probability;
        let whose = if check.is_the_towers {
            "The tower's probabilities"
        } else {
            "The tower states no probabilities: these are fitted to these very pairs, which flatters. They"
        };
        let mut words = format!(
            "<h2>What its probabilities are worth</h2>\n<p>{whose} cost {:.3} bits a pair at equal priors (Cllr; 0 is \
             perfect, 1 says nothing). The best falling curve would cost {:.3}; the rest, {:.3}, is the calibration's.",
            check.cllr.stated,
            check.cllr.minimum,
            check.cllr.stated - check.cllr.minimum
        );
        if let Some(Unseen { unit, cllr, .. }) = &evaluation.unseen {
            let _ = write!(
                words,
                " On {} not fitted to, a logistic curve costs {:.3}, and isotonic steps cost {:.3}.",
                unit.plural(),
                cllr.logistic,
                cllr.isotonic
            );
        }
        self.line(&words);
        self.line(&format!(
            "<div class=\"split\"><div>{}</div><div class=\"scroll\"><table><tr><th>stated<th>seen<th>same \
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
            "<h2>The hardest identities</h2>\n<p>At the threshold in force.\n<div class=\"scroll\"><table>\
             <tr><th>identity<th>pictures<th>FNMR<th>FMR against the others",
        );
        for it in hardest.iter().take(HARDEST) {
            let own = it.fnmr.map_or_else(|| "–".to_owned(), percent);
            let name = escape(&it.name);
            self.line(&format!(
                "<tr><td>{name}<td>{}<td>{own}<td>{}",
                it.pictures,
                percent(it.fmr)
            ));
        }
        self.line("</table></div>");
    }

    fn worst(&mut self, evaluation: &Evaluation, thumbnail: &dyn Fn([u32; 2]) -> String) {
        let headings = ["Different, but closest", "Same, but farthest apart"];
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
        let [left, right] = [0, 1].map(|at| [pair.identities[at], pair.pictures[at]]);
        let called = if called_same { "called same" } else { "called different" };
        let frame = if is_wrong { "wrong" } else { "" };
        let word = if is_wrong { "error" } else { "" };
        let caption =
            format!("<b>{:.3}</b> <span class=\"{word}\">{called}</span>", pair.distance.get());
        let shown = |it: [u32; 2]| (thumbnail(it), evaluation.picture_name(it[0], it[1]));
        self.pair(frame, [shown(left), shown(right)], &caption);
    }
}

/// Identities by their greater error, the hardest first.
fn hardest(evaluation: &Evaluation) -> Vec<OfIdentity> {
    let mut identities = evaluation.by_identity();
    let error = |it: &OfIdentity| it.fnmr.unwrap_or_default().max(it.fmr);
    identities.sort_by(|a, b| error(b).total_cmp(&error(a)));
    identities
}
