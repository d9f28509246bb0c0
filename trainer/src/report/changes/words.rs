//! The results in words.

use super::super::html::percent;
use crate::evaluate::changes::{AtThreshold, ChangeEvaluation, Detection};
use crate::statistics::Interval;

/// States in sentences what the threshold in use finds, and how often it is wrong.
pub(super) fn sentences(evaluation: &ChangeEvaluation) -> Vec<String> {
    let AtThreshold { threshold, cells, detection } = evaluation.in_force();
    let Detection { boxes, found, regions, false_regions, .. } = *detection;
    let mut sentences = vec![format!(
        "At the threshold {:.4} {}, {} of the changed cells are missed, and {} of the unchanged cells are false alarms",
        threshold.get(),
        evaluation.threshold_source,
        percent(cells.fmr),
        percent(cells.fnmr),
    )];
    if 0 < boxes {
        sentences.push(format!("{found} of {boxes} changes are found"));
    }
    sentences.push(match regions {
        0 => "No region is found".to_owned(),
        _ => format!("{false_regions} of {regions} regions are false"),
    });
    sentences.extend(unchanged(detection));
    sentences
}

/// States what is found in unchanged pairs, if there are any.
fn unchanged(detection: &Detection) -> Option<String> {
    let Detection { unchanged_pairs, regions_in_unchanged, alarmed_pairs, .. } = *detection;
    let [part, whole] =
        [alarmed_pairs, unchanged_pairs].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    let Interval { low, high } = Interval::of_share(part, whole);
    (0 < unchanged_pairs).then(|| {
        format!(
            "{alarmed_pairs} of {unchanged_pairs} unchanged pairs have a false alarm ({} to {} by Wilson's interval), with \
             {regions_in_unchanged} regions",
            percent(low),
            percent(high),
        )
    })
}
