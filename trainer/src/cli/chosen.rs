//! Which pictures to look at, and through which tower.

use std::path::PathBuf;

use clap::Args;
use siamese_core::model::{OnnxTower, Options};

use crate::data::{Collection, DataError, Fold, Gallery, HoldOut};
use crate::evaluate::Embedded;
use crate::statistics::Unit;

/// A tower, and pictures that are compared.
#[derive(Clone, Debug, Args)]
pub struct Chosen {
    /// The tower's ONNX file
    #[arg(long, value_name = "TOWER")]
    pub tower: PathBuf,
    /// What it looks at.
    #[command(flatten)]
    pub pictures: Pictures,
}

/// Pictures that are compared.
#[derive(Clone, Debug, Args)]
pub struct Pictures {
    /// The pictures, as DIR/IDENTITY/PICTURE, or a list of pairs in CSV
    #[arg(long, visible_alias = "pairs", value_name = "DIR|FILE.csv")]
    pub data: PathBuf,
    /// Look at these identities alone; `@FILE` reads them from a file, one a line
    #[arg(long, visible_alias = "hold-out", value_name = "NAME,...|@FILE", value_delimiter = ',')]
    pub identities: Vec<String>,
    /// Look at every N-th identity alone, beginning with the K-th (from 0): `0/4`. Of a list, look at
    /// every N-th component, which is pictures that pairs connect
    #[arg(long, visible_alias = "hold-out-fold", value_name = "K/N")]
    pub fold: Option<Fold>,
    /// Leave out files that are no pictures, and list them, instead of stopping
    #[arg(long)]
    pub skip_unreadable: bool,
}

impl Chosen {
    /// Loads the tower, prepares the pictures as it wants them, and has it embed them.
    pub(super) fn embed(&self, options: &Options) -> anyhow::Result<Embedded> {
        let pictures = self.pictures.collection()?;
        let mut tower = OnnxTower::load(&self.tower, options)?;
        let gallery = self.pictures.load(&pictures, &tower)?;
        Ok(Embedded::by(&mut tower, gallery, pictures.name())?)
    }
}

impl Pictures {
    /// Prepares pictures as a tower wants them.
    pub(super) fn load(
        &self,
        pictures: &Collection,
        tower: &OnnxTower,
    ) -> Result<Gallery, DataError> {
        Gallery::load(pictures, &tower.card().preparation, self.skip_unreadable)
    }

    /// The pictures of the identities asked for; where none are, those that a list holds out, or else
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
