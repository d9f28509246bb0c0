//! Which images to look at, and through which model.

use std::path::PathBuf;

use clap::Args;
use siamese_core::model::{OnnxModel, Options};

use crate::data::{Collection, DataError, Fold, Gallery, HoldOut};
use crate::evaluate::Embedded;
use crate::statistics::Unit;

/// A model, and images that are compared.
#[derive(Clone, Debug, Args)]
pub struct Chosen {
    /// The model's ONNX file
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// What it looks at.
    #[command(flatten)]
    pub images: Images,
}

/// Images that are compared.
#[derive(Clone, Debug, Args)]
pub struct Images {
    /// The images, as DIR/IDENTITY/IMAGE, or a list of pairs in CSV
    #[arg(long, visible_alias = "pairs", value_name = "DIR|FILE.csv")]
    pub data: PathBuf,
    /// Look at these identities alone; `@FILE` reads them from a file, one a line
    #[arg(long, visible_alias = "hold-out", value_name = "NAME,...|@FILE", value_delimiter = ',')]
    pub identities: Vec<String>,
    /// Look at every N-th identity alone, beginning with the K-th (from 0): `0/4`. Of a list, look at
    /// every N-th component, which is images that pairs connect
    #[arg(long, visible_alias = "hold-out-fold", value_name = "K/N")]
    pub fold: Option<Fold>,
    /// Leave out files that are no images, and list them, instead of stopping
    #[arg(long)]
    pub skip_unreadable: bool,
}

impl Chosen {
    /// Loads the model, preprocesses the images as it wants them, and has it embed them.
    pub(super) fn embed(&self, options: &Options) -> anyhow::Result<Embedded> {
        let images = self.images.collection()?;
        let mut model = OnnxModel::load(&self.model, options)?;
        let gallery = self.images.load(&images, &model)?;
        Ok(Embedded::by(&mut model, gallery, images.name())?)
    }
}

impl Images {
    /// Prepares images as a model wants them.
    pub(super) fn load(
        &self,
        images: &Collection,
        model: &OnnxModel,
    ) -> Result<Gallery, DataError> {
        Gallery::load(images, &model.card().preprocessing, self.skip_unreadable)
    }

    /// The images of the identities asked for; where none are, those that a list holds out, or else
    /// all.
    pub(super) fn collection(&self) -> Result<Collection, DataError> {
        let all = Collection::open(&self.data)?;
        let wanted = HoldOut { names: self.identities.clone(), fold: self.fold };
        Ok(match wanted.places(&all)? {
            Some(places) => all.partition(|at| places.contains(&at)).1,
            None => all,
        })
    }

    /// Whether some were named or all taken, in words.
    pub(super) fn choice(&self, unit: Unit) -> &'static str {
        let is_part = !self.identities.is_empty() || self.fold.is_some();
        match (unit, is_part) {
            (Unit::Identity, true) => "chosen identities",
            (Unit::Identity, false) => "all identities",
            (Unit::Component, true) => "chosen pairs",
            (Unit::Component, false) => "listed pairs",
        }
    }
}
