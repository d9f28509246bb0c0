//! What varies as a whole.

use serde::Serialize;

/// What is resampled and left out as a whole, as its pairs vary together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Somebody, or a thing: all its images are compared with each other and with all others.
    #[default]
    Identity,
    /// Images that listed pairs connect: nothing else is compared, and nothing across.
    Component,
}

impl Unit {
    /// Several of them.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Identity => "identities",
            Self::Component => "components",
        }
    }
}
