//! The unit of resampling.

use serde::Serialize;

/// The unit that is resampled and held out as a whole, because its pairs are not independent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// An identity: all its images are compared with each other and with all other images.
    #[default]
    Identity,
    /// A component: a group of images that listed pairs connect. Only the listed pairs are compared.
    Component,
}

impl Unit {
    /// Returns the plural noun.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Identity => "identities",
            Self::Component => "components",
        }
    }
}
