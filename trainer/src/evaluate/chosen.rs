//! Which pictures to look at, and through which tower.

use std::path::PathBuf;

use clap::Args;

use crate::data::{DataError, Fold, Folder, HoldOut};

/// A tower, and pictures of identities.
#[derive(Clone, Debug, Args)]
pub struct Chosen {
    /// The tower's ONNX file
    #[arg(long, value_name = "TOWER")]
    pub tower: PathBuf,
    /// What it looks at.
    #[command(flatten)]
    pub pictures: Pictures,
}

/// Pictures of identities.
#[derive(Clone, Debug, Args)]
pub struct Pictures {
    /// The pictures, as DIR/IDENTITY/PICTURE
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Look at these identities alone; `@FILE` reads them from a file, one a line
    #[arg(long, visible_alias = "hold-out", value_name = "NAME,...|@FILE", value_delimiter = ',')]
    pub identities: Vec<String>,
    /// Look at every N-th identity alone, beginning with the K-th (from 0): `0/4`
    #[arg(long, visible_alias = "hold-out-fold", value_name = "K/N")]
    pub fold: Option<Fold>,
    /// Leave out files that are no pictures, and list them, instead of stopping
    #[arg(long)]
    pub skip_unreadable: bool,
}

impl Pictures {
    /// The folder of the data, with the identities asked for; all of them where none are.
    pub fn folder(&self) -> Result<Folder, DataError> {
        let folder = Folder::scan(&self.data)?;
        let wanted = HoldOut { names: self.identities.clone(), fold: self.fold };
        if wanted.is_nobody() {
            return Ok(folder);
        }
        let places = wanted.places(&folder)?;
        let (_, chosen) = folder.partition(|at| places.contains(&at));
        Ok(chosen)
    }

    /// Whether identities were named, rather than all taken.
    pub fn is_part(&self) -> bool {
        !self.identities.is_empty() || self.fold.is_some()
    }
}
