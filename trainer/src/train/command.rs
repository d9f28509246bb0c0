//! `siamese-trainer train`: from pictures to a tower's file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use siamese_core::model::{Card, Length};
use siamese_core::picture::Pixels;

use super::check::{check, check_listed};
use crate::config::{Config, Length as RunLength};
use crate::data::{Collection, Gallery, HoldOut, Listing, inspect};
use crate::evaluate::{Chosen, Evaluate, Pictures};
use crate::export::export;
use crate::learn::{Compute, RunFolder, history, run};
use crate::loss::LossKind;
use crate::provenance::Record;

/// How many real pictures an export is compared on at most.
const COMPARED: usize = 64;

/// Trains a tower from a folder of pictures, or from a list of pairs or triplets
#[derive(Clone, Debug, clap::Args)]
pub struct Train {
    /// The pictures: `DIR/IDENTITY/PICTURE`, or a list in CSV with the columns a,b,same or
    /// anchor,positive,negative or before,after,changed
    #[arg(long, visible_alias = "pairs", value_name = "DIR|FILE.csv")]
    data: PathBuf,
    /// The tower's file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    choices: Choices,
    #[command(flatten)]
    hold_out: HoldOut,
    /// What training runs on; a run that is resumed goes on where it was
    #[arg(long, value_enum)]
    device: Option<Compute>,
    /// Stop after so many measurements without a lower EER on the identities held out, and keep the
    /// best weights
    #[arg(long, value_name = "N")]
    patience: Option<u32>,
    /// Leave out files that can't be read as pictures, instead of refusing
    #[arg(long)]
    skip_unreadable: bool,
    /// Train although some files are both trained on and held out
    #[arg(long)]
    allow_duplicates: bool,
    /// What the tower is called; the file's stem if not given
    #[arg(long)]
    name: Option<String>,
    /// The run's folder: its choices, its checkpoints; `OUT.run` if not given
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Go on with the run in the run's folder, with the choices made then
    #[arg(long, conflicts_with_all = ["network", "config", "loss", "margin", "seed", "steps", "epochs", "rate", "patience"])]
    resume: bool,
}

/// What differs from the network's own recipe.
#[derive(Clone, Debug, clap::Args)]
struct Choices {
    /// The network, with the recipe that suits it
    #[arg(long, value_enum, default_value = "compact")]
    network: Recipe,
    /// Every choice from a file; with an earlier run's `run.toml`, the identities it held out too
    #[arg(long, value_name = "FILE", conflicts_with = "network")]
    config: Option<PathBuf>,
    /// The loss
    #[arg(long, value_enum)]
    loss: Option<LossKind>,
    /// How far different pairs are pushed apart (contrastive), or the lead of the same over the
    /// different (triplet)
    #[arg(long)]
    margin: Option<f64>,
    /// What all chance is drawn from
    #[arg(long)]
    seed: Option<u64>,
    /// How many steps
    #[arg(long)]
    steps: Option<u32>,
    /// How many times as many draws as there are pictures
    #[arg(long, conflicts_with = "steps")]
    epochs: Option<u32>,
    /// The largest learning rate
    #[arg(long)]
    rate: Option<f64>,
}

/// The networks that have a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Recipe {
    /// Three reflection-padded convolutions, 40 million parameters, 5 coordinates; pairs drawn half
    /// and half, Adam 5e-4, 64 pairs a step, 100 epochs
    Seed,
    /// Below half a million parameters, 64 unit coordinates; all pairs of balanced batches, with a
    /// classifier over the training identities beside the contrastive loss
    Compact,
    /// Gabor wavelets of fixed shape and one linear layer in closed form, without a step: for few
    /// identities, in seconds
    Wavelet,
}

impl Train {
    /// Trains, exports, and says what came of it.
    ///
    /// # Errors
    ///
    /// If choices, data or files won't do: one line each, with the way out.
    pub fn run(&self) -> anyhow::Result<String> {
        let start = Instant::now();
        let path = self.run.clone().unwrap_or_else(|| self.out.with_extension("run"));
        let (folder, saved) = if self.resume {
            let folder = RunFolder::open(&path)?;
            let saved: Record = folder.read_record()?;
            (Some(folder), Some(saved))
        } else {
            (None, None)
        };
        let device = self.device.or(saved.as_ref().map(|it| it.device)).unwrap_or_default();
        device.check()?;
        let earlier = match &self.choices.config {
            Some(file) => Some(read_config(file)?),
            None => None,
        };
        let data = Collection::open(&self.data)?;
        let config = match (&saved, &earlier) {
            (Some(saved), _) => saved.config.clone(),
            (None, earlier) => self.config(earlier.as_ref().map(Earlier::config), data.listing()),
        };
        check(&config)?;
        if let Some(listing) = data.listing() {
            check_listed(&config, listing)?;
        }
        let repeated = match &earlier {
            Some(Earlier::Run(record)) => Some(record.as_ref()),
            _ => saved.as_ref(),
        };
        let (training, held_out) = self.hold_out(repeated, &data).split(&data)?;
        let training = self.load(&training, &config)?;
        let held_out = held_out.map(|it| self.load(&it, &config)).transpose()?;
        if config.watch.patience.is_some() && held_out.is_none() {
            bail!(
                "--patience measures identities held out: name them with --hold-out or --hold-out-fold"
            );
        }

        let shape = config.preparation().shape();
        let about_lists = training.warnings().into_iter();
        for warning in about_lists.chain(held_out.iter().flat_map(Gallery::warnings)) {
            eprintln!("warning: {warning}");
        }
        for warning in inspect(&training, held_out.as_ref(), shape, self.allow_duplicates)? {
            eprintln!("warning: {warning}");
        }

        let mut record = Record::new(config, data.name().to_owned(), &training, held_out.as_ref());
        record.device = device;
        if let Some(saved) = &saved {
            ensure!(
                saved.data == record.data && saved.held_out == record.held_out,
                "the run in {} was begun on other pictures: give the same --data and the same identities to hold out",
                path.display()
            );
        }
        if let Some(Earlier::Run(earlier)) = &earlier
            && (earlier.data != record.data || earlier.held_out != record.held_out)
        {
            eprintln!(
                "warning: these are other pictures than those of the run whose choices are taken"
            );
        }
        let folder = match folder {
            Some(folder) => folder,
            None => RunFolder::create(&path)?,
        };
        let record = saved.unwrap_or(record);
        folder.write_record(&record)?;
        folder.write_list("training.sha256", &training)?;
        if let Some(held_out) = &held_out {
            folder.write_list("held-out.sha256", held_out)?;
        }
        let config = &record.config;
        let outcome =
            run(config, &training, held_out.as_ref(), &device.device()?, &folder, self.resume)?;

        let pictures = sample(held_out.as_ref().unwrap_or(&training));
        let card = self.card(&record, outcome.kept);
        let exported = export(&outcome.network, card, &pictures, &self.out)?;
        let mut said = String::new();
        writeln!(
            said,
            "{}: {:.1} MB, {} parameters, {} s; within {:.1e} of the trained network on {} pictures",
            self.out.display(),
            megabytes(exported.bytes),
            outcome.network.parameters(),
            start.elapsed().as_secs(),
            exported.difference,
            exported.compared
        )?;
        if held_out.is_some() {
            writeln!(said, "{}", self.report(&path, record.held_out.clone()))?;
        }
        Ok(said)
    }

    /// Writes what the tower is worth on those held out into the run's folder, and says where. A
    /// report that can't be is no reason to call the training failed.
    fn report(&self, run: &Path, held_out: Vec<String>) -> String {
        let pictures = Pictures {
            data: self.data.clone(),
            identities: held_out,
            fold: None,
            skip_unreadable: self.skip_unreadable,
        };
        let folder = run.join("report");
        let mut evaluate =
            Evaluate::report(Chosen { tower: self.out.clone(), pictures }, folder.clone());
        // A tower made without a step has no history.
        evaluate.run = (!history::read(run).is_empty()).then(|| run.to_owned());
        match evaluate.run() {
            Ok(_) => {
                format!("On the identities held out: {}", folder.join("index.html").display())
            }
            Err(error) => format!("No report on the identities held out: {error:#}"),
        }
    }

    /// Who is held out: those named, or else those of the run that is repeated, if they are here.
    fn hold_out(&self, repeated: Option<&Record>, data: &Collection) -> HoldOut {
        let is_here = |name: &String| data.identities().iter().any(|it| it.name == *name);
        match repeated.map(|it| &it.held_out).filter(|it| it.iter().all(is_here)) {
            Some(names) if self.hold_out.is_nobody() => {
                HoldOut { names: names.clone(), fold: None }
            }
            _ => self.hold_out.clone(),
        }
    }

    /// The recipe, or the choices of a file, with those made on the command line.
    fn config(&self, earlier: Option<&Config>, listing: Option<&Listing>) -> Config {
        let choices = &self.choices;
        let mut config = match (earlier, choices.network) {
            (Some(config), _) => config.clone(),
            (None, Recipe::Seed) => Config::seed(),
            (None, Recipe::Compact) => Config::compact(),
            (None, Recipe::Wavelet) => Config::wavelet(),
        };
        if let (None, Some(listing)) = (earlier, listing) {
            config.suit_to_list(choices.loss.is_none() && !listing.triplets().is_empty());
        }
        if let Some(loss) = choices.loss {
            config.choose_loss(loss);
        }
        config.loss.margin = choices.margin.unwrap_or(config.loss.margin);
        config.seed = choices.seed.unwrap_or(config.seed);
        config.optimizer.rate = choices.rate.unwrap_or(config.optimizer.rate);
        let length = choices.steps.map(RunLength::Steps);
        config.length = length.or(choices.epochs.map(RunLength::Epochs)).unwrap_or(config.length);
        config.watch.patience = self.patience.or(config.watch.patience);
        config
    }

    fn load(&self, pictures: &Collection, config: &Config) -> anyhow::Result<Gallery> {
        let gallery = Gallery::load(pictures, &config.preparation(), self.skip_unreadable)?;
        for skipped in gallery.skipped() {
            eprintln!("left out: {skipped}");
        }
        Ok(gallery)
    }

    fn card(&self, record: &Record, steps: u32) -> Card {
        let config = &record.config;
        let stem = || self.out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Card {
            name: self.name.clone().unwrap_or_else(stem),
            preparation: config.preparation(),
            length: if config.network.unit() { Length::Unit } else { Length::AsIs },
            // Only the contrastive loss pushes distances up to its margin.
            margin: (config.loss.kind == LossKind::Contrastive && 0 < steps)
                .then_some(config.loss.margin),
            threshold: None,
            calibration: None,
            provenance: Some(record.provenance(steps)),
            weights: None,
            golden: None,
        }
    }
}

/// What a file of choices holds.
enum Earlier {
    /// Choices alone.
    Config(Box<Config>),
    /// A whole run's record.
    Run(Box<Record>),
}

impl Earlier {
    fn config(&self) -> &Config {
        match self {
            Self::Config(config) => config,
            Self::Run(record) => &record.config,
        }
    }
}

/// Reads choices, bare or as a run's record.
fn read_config(file: &Path) -> anyhow::Result<Earlier> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    match toml::from_str::<Record>(&text) {
        Ok(record) => Ok(Earlier::Run(Box::new(record))),
        Err(_) => toml::from_str(&text)
            .map(|it| Earlier::Config(Box::new(it)))
            .with_context(|| format!("{} holds no choices of a run", file.display())),
    }
}

/// Pictures spread over a gallery.
fn sample(gallery: &Gallery) -> Vec<&Pixels> {
    let samples = gallery.samples();
    let step = samples.len().div_ceil(COMPARED);
    samples.iter().step_by(step).map(|it| &it.pixels).collect()
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
