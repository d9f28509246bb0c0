//! Somebody else's network as a model: probed, tried under other preprocessings, with its weights in one file and a card of
//! its own. Each image is decoded once, and embedded once under each preprocessing that is tried.

mod error;
mod fitted;
mod network;
mod outputs;
mod probe;
mod steady;
mod trial;
mod usage;

use siamese_core::model::{Card, Length, Options};

use super::golden_pairs;
use crate::data::Collection;
use crate::evaluate::{Embedded, embedding_bar};
pub use error::{AdoptError, NoModel};
use fitted::Fitted;
pub use network::Network;
use outputs::Outputs;
pub use probe::Said;
pub use trial::{Trial, Verdict};
use usage::FITS;
pub use usage::Usage;

/// How many real images the network is run on alone and together.
const STEADY: usize = 9;

/// What is asked of a network.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What the model is called.
    pub name: String,
    /// How its images are preprocessed, and what is done to its output.
    pub usage: Usage,
    /// How many images other preprocessings are tried on; 0 for no trial.
    pub try_on: usize,
    /// Whether one that is better beyond chance is taken.
    pub takes_best: bool,
    /// Whether files that are no images are left out.
    pub skip_unreadable: bool,
}

/// A network with a card, and what it makes of the images.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// What its use needs, golden pairs among it; no threshold.
    pub card: Card,
    /// All images.
    pub embedded: Embedded,
    /// What came of trying other preprocessings; `None` without a trial.
    pub verdict: Option<Verdict>,
}

/// Tries a network on images, and finds out what its card says.
pub fn adopt(
    network: &Network,
    images: &Collection,
    wanted: &Wanted,
    options: &Options,
) -> Result<Adopted, AdoptError> {
    let mut usage = wanted.usage.clone();
    let asked = [usage.preprocessing.fit];
    let fits = if 0 < wanted.try_on { &FITS[..] } else { &asked };
    let gallery = Fitted::read(images, &usage.preprocessing, fits, wanted.skip_unreadable)?;

    let as_is = Usage { length: Length::AsIs, ..usage.clone() };
    let mut model = network.model(&network.card(&wanted.name, &as_is), options)?;
    let few = gallery.spread(STEADY);
    let few = few.samples().iter().take(STEADY).map(|it| it.pixels.scaled(&usage.preprocessing));
    steady::check(&mut model, &few.collect::<Vec<_>>())?;

    let mut outputs = Outputs::of(&mut model);
    let mut verdict = None;
    if 0 < wanted.try_on {
        let found = trial::try_others(&mut outputs, &gallery.spread(wanted.try_on), &usage)?;
        if let Some((trial, _)) = found.better.as_ref().filter(|_| wanted.takes_best) {
            usage = trial.usage.clone();
        }
        verdict = Some(found);
    }
    let bar = embedding_bar(gallery.samples().len());
    let embeddings = outputs.under(&usage, &gallery, &bar)?;
    bar.finish_and_clear();

    let mut card = network.card(&wanted.name, &usage);
    let mut model = network.model(&card, options)?;
    card.golden = Some(golden_pairs(&mut model, &card)?);
    let gallery = gallery.map(|it| it.scaled(&usage.preprocessing));
    let embedded = Embedded::new(model.description().clone(), gallery, images.name(), embeddings);
    Ok(Adopted { card, embedded, verdict })
}
