//! The report page of a list of changes: one HTML file without external resources.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use siamese_core::changes::AlignmentKind;
use siamese_drawing::escape;

use super::super::html::{Page, explained, percent, range, rate};
use super::curve::curve;
use super::words::sentences;
use crate::data::Corners;
use crate::evaluate::changes::{
    AtThreshold, ChangeEvaluation, MeasuredPair, Pictures, WithInterval,
};
use crate::statistics::{Interval, Unit};

/// Returns `index.html`. `pictures` are those of the worst pairs, by their index.
pub(super) fn page(evaluation: &ChangeEvaluation, pictures: &BTreeMap<usize, Pictures>) -> String {
    let changes = &evaluation.changes;
    let mut page = Page::new(&format!("{} on {}", changes.model.card.name, changes.data));
    page.line(&format!("<p class=\"quiet\">{}.", escape(&evaluation.headline())));
    if let Some(warning) = changes.training().warning(Unit::Component) {
        page.warning(&warning);
    }
    if !changes.skipped.is_empty() {
        let skipped = changes.skipped.len();
        page.line(&format!(
            "<p class=\"warning\">{skipped} pairs could not be compared, and were skipped."
        ));
    }
    page.change_tiles(evaluation);
    page.line(&format!("<p>{}.", escape(&sentences(evaluation).join(". "))));
    page.line(
        "<h2>Cells</h2>\n<p>A cell is the square for which the model computes one distance. The curve shows both errors \
         at every threshold. It is better the closer it comes to the lower left corner.",
    );
    page.charts([curve(evaluation)]);
    page.thresholds(evaluation);
    page.worst_changes(evaluation, pictures);
    page.finish(&evaluation.origin)
}

impl Page {
    fn change_tiles(&mut self, evaluation: &ChangeEvaluation) {
        let ChangeEvaluation { measures, band, .. } = evaluation;
        let numbers = |interval: Option<Interval>| {
            interval.map(|interval| range(interval, 1.0, "")).unwrap_or_default()
        };
        let percents = |interval: Option<Interval>| {
            interval.map(|interval| range(interval, 100.0, " %")).unwrap_or_default()
        };
        self.line("<div class=\"tiles\">");
        let auc = band.as_ref().map(|band| band.auc);
        self.tile("AUC", &format!("{:.4}", measures.auc), &numbers(auc));
        let eer = band.as_ref().map(|band| band.eer);
        self.tile("EER", &percent(measures.eer), &percents(eer));
        let of_changes = [("Recall", evaluation.recall), ("Precision", evaluation.precision)];
        for (name, figure) in of_changes {
            if let Some(WithInterval { value, interval }) = figure {
                self.tile(name, &percent(value), &percents(interval));
            }
        }
        if let Some(WithInterval { value, interval }) = evaluation.false_per_unchanged {
            let note = format!("in an unchanged pair {}", numbers(interval));
            self.tile("False regions", &format!("{value:.3}"), note.trim_end());
        }
        self.line("</div>");
        self.line(
            "<p class=\"quiet\"><small>AUC and EER are those of cells. Recall is the share of changes that are found, and \
             precision the share of regions that are right. The intervals resample the components of the list.</small>",
        );
    }

    fn thresholds(&mut self, evaluation: &ChangeEvaluation) {
        self.line(&format!(
            "<h2>Thresholds</h2>\n<p>The threshold in use among others. A change is found if a cell of a region lies in \
             its box. A region is false if none of its cells is within 8 pixels of a box.\n\
             <div class=\"scroll\"><table><tr><th>threshold<th>missed cells<th>false alarms<th>{}<th>{}<th>false regions \
             in an unchanged pair",
            explained("Recall"),
            explained("Precision"),
        ));
        for point in &evaluation.points {
            let AtThreshold { threshold, cells, detection } = point;
            let is_in_force = *threshold == evaluation.threshold;
            let of_cells = evaluation.cells_interval().filter(|_| is_in_force);
            let or_none = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
            let regions = detection.false_per_unchanged();
            let value = threshold.get();
            self.line(&format!(
                "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}",
                if is_in_force { format!("<b>{value:.4}</b>") } else { format!("{value:.4}") },
                rate(cells.fmr, of_cells.map(|rates| rates.fmr)),
                rate(cells.fnmr, of_cells.map(|rates| rates.fnmr)),
                or_none(detection.recall()),
                or_none(detection.precision()),
                regions.map_or_else(|| "–".to_owned(), |regions| format!("{regions:.3}")),
            ));
        }
        self.line("</table></div>");
    }

    fn worst_changes(
        &mut self,
        evaluation: &ChangeEvaluation,
        pictures: &BTreeMap<usize, Pictures>,
    ) {
        let headings = [
            ("The most missed changes", "No change is missed."),
            ("The most false regions", "No region is false."),
        ];
        for ((heading, none), worst) in headings.into_iter().zip(evaluation.worst()) {
            self.line(&format!("<h2>{heading}</h2>"));
            if worst.is_empty() {
                self.line(&format!("<p>{none}"));
                continue;
            }
            self.line(
                "<p>The first image, moved onto the second and in its light; the second image; and the distances as \
                 colours, with the regions in red. The boxes of the truth are green.",
            );
            for index in worst {
                if let Some(pictures) = pictures.get(&index) {
                    self.worst_change(evaluation, &evaluation.changes.pairs[index], pictures);
                }
            }
        }
    }

    fn worst_change(
        &mut self,
        evaluation: &ChangeEvaluation,
        pair: &MeasuredPair,
        Pictures { before, after, heat_map, size }: &Pictures,
    ) {
        let detection = pair.detection(evaluation.threshold);
        let boxes = pair.truth.boxes();
        let drawings: String = [(before, &[][..]), (after, boxes), (heat_map, boxes)]
            .into_iter()
            .map(|(uri, boxes)| drawing(uri, *size, boxes))
            .collect();
        let [before, after] = pair.pair.names().map(escape);
        let mut words = format!(
            "<b>{} of {} found</b>, {} of {} regions false",
            detection.found, detection.boxes, detection.false_regions, detection.regions
        );
        if pair.alignment.kind != AlignmentKind::None {
            let [x, y] = [0, 1].map(|axis| pair.alignment.matrix[axis][2]);
            let _ = write!(words, ", aligned by {} ({x:.1}, {y:.1})", pair.alignment.kind);
        }
        self.line(&format!(
            "<figure class=\"changes\"><div>{drawings}</div><figcaption>{words}<br>{before}<br>{after}</figcaption>\
             </figure>"
        ));
    }
}

/// Draws boxes over a picture of a photograph of `size` (columns and rows).
fn drawing(uri: &str, [width, height]: [u32; 2], boxes: &[Corners]) -> String {
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\"><image href=\"{uri}\" width=\"{width}\" height=\"{height}\" \
         preserveAspectRatio=\"none\"/>"
    );
    for [left, top, right, bottom] in boxes {
        let _ = write!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            right - left,
            bottom - top
        );
    }
    svg + "</svg>"
}
