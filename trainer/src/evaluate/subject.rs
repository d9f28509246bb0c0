//! The names of an evaluated model and its images.

use serde_json::Value;

use super::TrainingOverlap;
use crate::statistics::Unit;

/// The names of an evaluated model and its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The model's name.
    pub model: String,
    /// The digest of the model's file.
    pub digest: String,
    /// The name of the data.
    pub data: String,
    /// The unit of resampling.
    pub unit: Unit,
    /// The names of the identities; a component has the name of its first image.
    pub identities: Vec<String>,
    /// The names of each identity's images.
    pub images: Vec<Vec<String>>,
    /// Whether the model was trained on the identities.
    pub training: TrainingOverlap,
    /// The skipped files, each with the reason.
    pub skipped: Vec<String>,
    /// The provenance in the model's card, as it is published.
    pub provenance: Option<Value>,
}

impl Subject {
    /// Returns a warning if the model was trained on these identities.
    pub fn warning(&self) -> Option<String> {
        self.training.warning(self.unit)
    }

    /// Describes how the images relate to the training data, if known.
    pub fn split(&self) -> Option<&'static str> {
        self.training.split(self.unit)
    }
}
