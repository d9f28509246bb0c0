//! The options that select a model and the images to compare.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use siamese_core::model::{OnnxModel, Options, Preprocessor};
use siamese_core::output::note;
use siamese_core::preprocessing::{Limits, Pixels};

use super::messages;
use crate::data::{Collection, DataError, Fold, Gallery, HoldOut};
use crate::evaluate::Embedded;

/// The name of [`Identities::EachImage`] on the command line.
const EACH_IMAGE: &str = "each-image";

/// What an identity is in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Identities {
    /// Each folder that contains images; in a list, each label
    #[default]
    Folders,
    /// Each image, at any depth: its other images are variants that the trainer makes (crop, scale, JPEG,
    /// colour, overlay, turn), so the model learns to find copies
    #[value(name = EACH_IMAGE)]
    EachImage,
}

/// A model, and the images to compare.
#[derive(Clone, Debug, Args)]
pub struct ModelAndImages {
    /// The model's ONNX file
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// The images to compare.
    #[command(flatten)]
    pub images: Images,
}

/// The images to compare.
#[derive(Clone, Debug, Args)]
pub struct Images {
    /// The images: a folder DIR/IDENTITY/IMAGE, or a CSV list of images with labels, of pairs, or of changes
    #[arg(long, visible_alias = "pairs", value_name = "DIR|FILE.csv")]
    pub data: PathBuf,
    /// Use only these identities; `@FILE` reads them from a file, one per line. With `each-image` as the
    /// first name, each image of the folder is an identity, and variants of it are its other images
    #[arg(long, visible_alias = "hold-out", value_name = "NAME,...|@FILE", value_delimiter = ',')]
    pub identities: Vec<String>,
    /// Use only every N-th identity, starting with the K-th (counted from 0): `0/4`. In a list, use every
    /// N-th component: a group of images that pairs connect
    #[arg(long, visible_alias = "hold-out-fold", value_name = "K/N")]
    pub fold: Option<Fold>,
    /// Skip files that cannot be read as images, and list them, instead of stopping
    #[arg(long)]
    pub skip_unreadable: bool,
}

impl ModelAndImages {
    /// Loads the model, preprocesses the selected images for it, and embeds them.
    pub(super) fn embed(&self, options: &Options) -> anyhow::Result<Embedded> {
        self.embed_all(&self.images.collection()?, options)
    }

    /// Loads the model, preprocesses these images for it, and embeds them.
    pub(super) fn embed_all(
        &self,
        images: &Collection,
        options: &Options,
    ) -> anyhow::Result<Embedded> {
        let mut model = OnnxModel::load(&self.model, options)?;
        let gallery = self.images.load(images, &model)?;
        Ok(Embedded::by(&mut model, gallery, images.name())?)
    }
}

impl Images {
    /// Reads and preprocesses the images for a model.
    pub(super) fn load(
        &self,
        images: &Collection,
        model: &OnnxModel,
    ) -> Result<Gallery, DataError> {
        let preprocessor = &model.description().preprocessor;
        let limits = Limits::default();
        Gallery::read(images, self.skip_unreadable, |upload| {
            preprocessor.preprocess(upload, &limits)
        })
    }

    /// Returns the images of the selected identities. Without a selection, it returns those that a list or
    /// the folders hold out, or all.
    pub(super) fn collection(&self) -> Result<Collection, DataError> {
        let selected = self.both_sides()?.1;
        let n_selected = selected.identities().len();
        let measured = selected.measurable();
        if measured.identities().len() < n_selected {
            note(&format!(
                "note: {} of {n_selected} images are measured, spread evenly",
                measured.identities().len()
            ));
        }
        Ok(measured)
    }

    /// Returns the inputs of a model for some images of the identities that are not selected; of all identities if all are.
    pub(super) fn some_others(
        &self,
        model: &OnnxModel,
        most: usize,
    ) -> anyhow::Result<Vec<Pixels>> {
        let (others, selected) = self.both_sides()?;
        let images = others.unwrap_or(selected);
        let read = some_pixels(&images, &model.description().preprocessor, most)?;
        Ok(read.into_iter().map(|(_, pixels)| pixels).collect())
    }

    /// Returns the images that are not selected, if there are any, and the selected ones.
    fn both_sides(&self) -> Result<(Option<Collection>, Collection), DataError> {
        let (identities, names) = match &self.identities[..] {
            [first, names @ ..] if first == EACH_IMAGE => (Identities::EachImage, names),
            names => (Identities::Folders, names),
        };
        let all = messages::open(&self.data, identities)?;
        let selection = HoldOut { names: names.to_vec(), fold: self.fold };
        Ok(match selection.indices(&all)? {
            Some(indices) => {
                let (others, selected) = all.partition(|identity| indices.contains(&identity));
                ((0 < others.n_images()).then_some(others), selected)
            }
            None => (None, all),
        })
    }
}

/// Parses height and width in pixels, or one side of a square.
pub(super) fn size(text: &str) -> Result<[u32; 2], String> {
    let (height, width) = text.split_once('x').unwrap_or((text, text));
    match (height.parse(), width.parse()) {
        (Ok(height), Ok(width)) => Ok([height, width]),
        _ => Err("give one side, such as 112, or height and width, such as 112x96".to_owned()),
    }
}

/// Reads at most `most` images, spread evenly, with their names. Leaves out files that cannot be read as images.
pub(super) fn some_pixels(
    images: &Collection,
    preprocessor: &Preprocessor,
    most: usize,
) -> anyhow::Result<Vec<(String, Pixels)>> {
    let limits = Limits::default();
    let step = images.n_images().div_ceil(most).max(1);
    let all = images.identities().iter().flat_map(|identity| &identity.images);
    let mut read = Vec::new();
    for image in all.step_by(step) {
        let upload = image.upload(images.root()).context(image.name.clone())?;
        if let Ok(pixels) = preprocessor.preprocess(&upload, &limits) {
            read.push((image.name.clone(), pixels));
        }
    }
    Ok(read)
}
