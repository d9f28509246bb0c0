//! Names of what is evaluated.

use serde_json::Value;

use super::Acquaintance;
use crate::statistics::Unit;

/// What was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The model's name.
    pub model: String,
    /// The digest of the model's file.
    pub digest: String,
    /// The name of the images.
    pub data: String,
    /// What varies as a whole.
    pub unit: Unit,
    /// The identities' names; of components each the name of its first image.
    pub identities: Vec<String>,
    /// The names of each identity's images.
    pub images: Vec<Vec<String>>,
    /// Whether the model was trained on them.
    pub acquaintance: Acquaintance,
    /// Files that were left out, each with the reason.
    pub skipped: Vec<String>,
    /// What the model states of its training.
    pub provenance: Option<Value>,
}

impl Subject {
    /// A plain warning, if the model was trained on what it is measured on.
    pub fn warning(&self) -> Option<String> {
        self.acquaintance.warning(self.unit)
    }

    /// How the images relate to the training, where it is known.
    pub fn split(&self) -> Option<&'static str> {
        self.acquaintance.split(self.unit)
    }
}
