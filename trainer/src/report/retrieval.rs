//! The names and the notes of retrieval.

use crate::evaluate::Evaluation;
use crate::statistics::{Estimate, Retrieval};

/// Returns the results with their names.
pub(super) fn retrieval_rates(
    retrieval: &Retrieval,
) -> impl Iterator<Item = (&'static str, Estimate)> {
    Retrieval::NAMES.into_iter().zip(retrieval.estimates())
}

/// Describes what the results were measured on, or why there are none.
pub(super) fn retrieval_note(evaluation: &Evaluation) -> String {
    match &evaluation.retrieval {
        Some(Retrieval { queries, left_out: 0, .. }) => {
            format!("Recall and mAP: each of {queries} images ranks all others")
        }
        Some(Retrieval { queries, left_out, .. }) => format!(
            "Recall and mAP: each of {queries} images ranks all others; {left_out} images are no queries, because their \
             identity has no other image"
        ),
        None => "Recall and mAP are left out: a list compares only its own pairs, so there is no ranking of all images"
            .to_owned(),
    }
}
