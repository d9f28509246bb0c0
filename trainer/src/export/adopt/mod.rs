//! A foreign network as a model: its inputs are checked, other preprocessings are tried, and it gets a card. External
//! weights become part of the file.
//!
//! Each image is decoded once, and embedded once under each preprocessing.

mod error;
mod fitted;
mod network;
mod outputs;
mod probe;
mod stability;
mod trial;
mod usage;

use siamese_core::model::{Card, Length, Options};

use super::golden_pairs;
use crate::data::Collection;
use crate::evaluate::{Embedded, embedding_bar};
pub use error::{AdoptError, Unsuitable};
use fitted::Fitted;
pub use network::Network;
use outputs::Outputs;
pub use probe::InputOptions;
pub use trial::{Trial, TrialResult};
pub use usage::Usage;

/// The number of real images of the stability check.
const STABILITY_IMAGES: usize = 9;

/// The options of an adoption.
#[derive(Clone, Debug)]
pub struct AdoptRequest {
    /// The model's name.
    pub name: String,
    /// The requested usage.
    pub usage: Usage,
    /// The number of images of the trial of other preprocessings; 0 for no trial.
    pub try_on: usize,
    /// Whether to use a preprocessing that is significantly better.
    pub use_best: bool,
    /// Whether to skip files that cannot be read as images.
    pub skip_unreadable: bool,
}

/// A network with a card, and its embeddings of the images.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// The card, with golden pairs and without a threshold.
    pub card: Card,
    /// All images with their embeddings.
    pub embedded: Embedded,
    /// The result of the trial; `None` without a trial.
    pub trial: Option<TrialResult>,
}

/// Checks and tries a network on images, and makes its card.
pub fn adopt(
    network: &Network,
    images: &Collection,
    request: &AdoptRequest,
    options: &Options,
) -> Result<Adopted, AdoptError> {
    let mut usage = request.usage.clone();
    let requested = [usage.preprocessing.fit];
    let fits = if 0 < request.try_on { usage.fits() } else { &requested };
    let gallery = Fitted::read(images, &usage, fits, request.skip_unreadable)?;

    let as_is = Usage { length: Length::AsIs, ..usage.clone() };
    let mut model = network.model(&network.card(&request.name, &as_is), options)?;
    let few = gallery.spread(STABILITY_IMAGES);
    let few = few.samples().iter().take(STABILITY_IMAGES);
    let few: Vec<_> = few.map(|sample| sample.pixels.scaled(&usage.preprocessing)).collect();
    stability::check(&mut model, &few)?;

    let mut outputs = Outputs::of(&mut model);
    let mut trial = None;
    if 0 < request.try_on {
        let (few, aspects) = (gallery.spread(request.try_on), usage::aspects(network.element()));
        let result = trial::try_others(&mut outputs, &few, &usage, aspects)?;
        if let Some((better, _)) = result.better.as_ref().filter(|_| request.use_best) {
            usage = better.usage.clone();
        }
        trial = Some(result);
    }
    let bar = embedding_bar(gallery.samples().len());
    let embeddings = outputs.under(&usage, &gallery, &bar)?;
    bar.finish_and_clear();

    let mut card = network.card(&request.name, &usage);
    let mut model = network.model(&card, options)?;
    card.golden = Some(golden_pairs(&mut model, &card)?);
    let gallery = gallery.map(|fitted| fitted.scaled(&usage.preprocessing));
    let embedded = Embedded::new(model.description().clone(), gallery, images.name(), embeddings);
    Ok(Adopted { card, embedded, trial })
}
