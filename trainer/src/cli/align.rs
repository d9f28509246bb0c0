//! The options that find and align faces.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use siamese_core::model::{Align, OnnxModel, Options};
use siamese_core::preprocessing::{Alignment, Preprocessing};

/// Whether faces are found and aligned before they become the input.
#[derive(Clone, Debug, Default, Args)]
pub struct AlignOptions {
    /// Find and align the face in each image, with the detector of this model, such as models/faces.onnx
    #[arg(long, value_name = "MODEL")]
    align: Option<PathBuf>,
    /// Where the eyes, the nose and the mouth of an aligned face lie in the input: four points, the eye on the left of the
    /// image first; the default is those of the model of --align, scaled to the input
    #[arg(long, value_name = "X,Y X,Y X,Y X,Y", requires = "align")]
    points: Option<Alignment>,
}

impl AlignOptions {
    /// Returns whether whole images are used.
    pub(super) fn is_off(&self) -> bool {
        self.align.is_none()
    }

    /// Reads the detector of the model that `--align` names.
    pub(super) fn read(&self, preprocessing: &Preprocessing) -> anyhow::Result<Option<Align>> {
        let Some(path) = &self.align else { return Ok(None) };
        let model = OnnxModel::load(path, &Options::default())?;
        let card = model.card();
        let Some(align) = card.align.clone() else {
            bail!("{} does not align faces; name a model that does", path.display());
        };
        let part = |ours: u32, theirs: u32| f64::from(ours) / f64::from(theirs);
        let points = self.points.unwrap_or_else(|| {
            align.points.scaled(
                part(preprocessing.width, card.preprocessing.width),
                part(preprocessing.height, card.preprocessing.height),
            )
        });
        Ok(Some(Align { points, ..align }))
    }
}
