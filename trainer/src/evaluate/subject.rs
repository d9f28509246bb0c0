//! Names of what is evaluated.

use serde_json::Value;

use super::Acquaintance;
use crate::statistics::Unit;

/// What was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The tower's name.
    pub tower: String,
    /// The digest of the tower's file.
    pub digest: String,
    /// The name of the pictures.
    pub data: String,
    /// What varies as a whole.
    pub unit: Unit,
    /// The identities' names; of components each the name of its first picture.
    pub identities: Vec<String>,
    /// The names of each identity's pictures.
    pub pictures: Vec<Vec<String>>,
    /// Whether the tower was trained on them.
    pub acquaintance: Acquaintance,
    /// Files that were left out, each with the reason.
    pub skipped: Vec<String>,
    /// What the tower states of its training.
    pub provenance: Option<Value>,
}

impl Subject {
    /// A plain warning, if the tower was trained on what it is measured on.
    pub fn warning(&self) -> Option<String> {
        self.acquaintance.warning(self.unit)
    }

    /// How the pictures relate to the training, where it is known.
    pub fn split(&self) -> Option<&'static str> {
        self.acquaintance.split(self.unit)
    }
}
