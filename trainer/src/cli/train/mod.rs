//! `siamese-trainer train`: from images to a model's file.

mod choices;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{bail, ensure};
use siamese_core::model::{Card, Length, OnnxModel, Options};
use siamese_core::preprocessing::Pixels;

use super::{Statements, evaluate, file_stem, megabytes};
use crate::config::{Compute, Config, LossKind, Record};
use crate::data::{Collection, Gallery, HoldOut, inspect};
use crate::draft;
use crate::evaluate::Embedded;
use crate::export::{export, on_cpu};
use crate::learn::{RunFolder, train};
use choices::{Choices, Earlier};

/// How many real images an export is compared on at most.
const COMPARED: usize = 64;

/// Trains a model from a folder of images, or from a list of pairs or triplets
#[derive(Clone, Debug, clap::Args)]
pub struct Train {
    /// The images: `DIR/IDENTITY/IMAGE`, or a list in CSV with the columns a,b,same or
    /// anchor,positive,negative or before,after,changed
    #[arg(long, visible_alias = "pairs", value_name = "DIR|FILE.csv")]
    data: PathBuf,
    /// The model's file to write
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
    /// Leave out files that can't be read as images, instead of refusing
    #[arg(long)]
    skip_unreadable: bool,
    /// Train although some files are both trained on and held out
    #[arg(long)]
    allow_duplicates: bool,
    /// What the model is called; the file's stem if not given
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    statements: Statements,
    /// The run's folder: its choices, its checkpoints; `OUT.run` if not given
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Go on with the run in the run's folder, with the choices made then
    #[arg(long, conflicts_with_all = ["network", "config", "loss", "margin", "seed", "steps", "epochs", "rate", "patience"])]
    resume: bool,
}

/// A run before its first step.
struct Begun {
    folder: RunFolder,
    record: Record,
    device: Compute,
    training: Gallery,
    held_out: Option<Gallery>,
}

impl Train {
    /// Trains, exports, and says what came of it.
    ///
    /// # Errors
    ///
    /// If choices, data or files won't do: one line each, with the way out.
    pub fn run(&self) -> anyhow::Result<String> {
        let start = Instant::now();
        draft::check(&self.out)?;
        let Begun { folder, record, device, training, held_out } = self.begin()?;
        let device = device.device()?;
        let trained =
            train(&record.config, &training, held_out.as_ref(), &device, &folder, self.resume)?;

        let images = sample(held_out.as_ref().unwrap_or(&training));
        let exported = export(&trained.network, self.card(&record, trained.kept), &images)?;
        draft::model(&self.out, &exported.onnx, &on_cpu())?;
        let mut said = String::new();
        writeln!(
            said,
            "{}: {:.1} MB, {} parameters, {} s; within {:.1e} of the trained network on {} images",
            self.out.display(),
            megabytes(exported.onnx.len()),
            trained.network.parameters(),
            start.elapsed().as_secs(),
            exported.difference,
            exported.compared
        )?;
        if let Some(held_out) = held_out {
            // A report that can't be is no reason to call the training failed.
            let line = match self.report(held_out, &record.data.name, folder.path()) {
                Ok(page) => format!("On the identities held out: {}", page.display()),
                Err(error) => format!("No report on the identities held out: {error:#}"),
            };
            writeln!(said, "{line}")?;
        }
        Ok(said)
    }

    /// Reads what there is to read, refuses what won't do, and writes down what the run is about to do.
    fn begin(&self) -> anyhow::Result<Begun> {
        let path = self.run.clone().unwrap_or_else(|| self.out.with_extension("run"));
        let resumed = self.resume.then(|| RunFolder::open(&path)).transpose()?;
        let saved: Option<Record> = resumed.as_ref().map(RunFolder::read_record).transpose()?;
        let device = self.device.or(saved.as_ref().map(|it| it.device)).unwrap_or_default();
        device.check()?;
        let earlier = self.choices.earlier()?;
        let data = Collection::open(&self.data)?;
        let config = match (&saved, &earlier) {
            (Some(saved), _) => saved.config.clone(),
            (None, earlier) => self.config(earlier.as_ref(), &data),
        };
        config.check()?;
        if let Some(listing) = data.listing() {
            config.check_listed(listing)?;
        }
        let earlier = match &earlier {
            Some(Earlier::Run(record)) => Some(record.as_ref()),
            _ => None,
        };
        let (training, held_out) = self.hold_out(earlier.or(saved.as_ref()), &data).split(&data)?;
        let training = self.load(&training, &config)?;
        let held_out = held_out.map(|it| self.load(&it, &config)).transpose()?;
        if config.watch.patience.is_some() && held_out.is_none() {
            bail!(
                "--patience measures identities held out: name them with --hold-out or --hold-out-fold"
            );
        }
        let shape = config.preprocessing().shape();
        let sides = [Some(&training), held_out.as_ref()].into_iter().flatten();
        let mut warnings: Vec<String> = sides.flat_map(Gallery::warnings).collect();
        warnings.extend(inspect(&training, held_out.as_ref(), shape, self.allow_duplicates)?);

        let mut record = Record::new(config, data.name().to_owned(), &training, held_out.as_ref());
        record.device = device;
        let is_of_these =
            |other: &Record| other.data == record.data && other.held_out == record.held_out;
        ensure!(
            saved.as_ref().is_none_or(is_of_these),
            "the run in {} was begun on other images: give the same --data and the same identities to hold out",
            path.display()
        );
        if !earlier.is_none_or(is_of_these) {
            let others = "these are other images than those of the run whose choices are taken";
            warnings.push(others.to_owned());
        }
        for warning in warnings {
            eprintln!("warning: {warning}");
        }
        let folder = match resumed {
            Some(folder) => folder,
            None => RunFolder::create(&path)?,
        };
        let record = saved.unwrap_or(record);
        folder.write_record(&record)?;
        folder.write_list("training.sha256", &training)?;
        if let Some(held_out) = &held_out {
            folder.write_list("held-out.sha256", held_out)?;
        }
        Ok(Begun { folder, record, device, training, held_out })
    }

    /// Writes what the model is worth on those held out into the run's folder; gives the page's place.
    fn report(&self, held_out: Gallery, data: &str, run: &Path) -> anyhow::Result<PathBuf> {
        let mut model = OnnxModel::load(&self.out, &Options::default())?;
        let embedded = Embedded::by(&mut model, held_out, data)?;
        let folder = run.join("report");
        evaluate::report(&embedded, &folder, Some(run))?;
        Ok(folder.join("index.html"))
    }

    /// The choices, with the patience.
    fn config(&self, earlier: Option<&Earlier>, data: &Collection) -> Config {
        let mut config = self.choices.config(earlier.map(Earlier::config), data.listing());
        config.watch.patience = self.patience.or(config.watch.patience);
        config
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

    fn load(&self, images: &Collection, config: &Config) -> anyhow::Result<Gallery> {
        let gallery = Gallery::load(images, &config.preprocessing(), self.skip_unreadable)?;
        for skipped in gallery.skipped() {
            eprintln!("left out: {skipped}");
        }
        Ok(gallery)
    }

    fn card(&self, record: &Record, steps: u32) -> Card {
        let config = &record.config;
        self.statements.on(Card {
            name: self.name.clone().unwrap_or_else(|| file_stem(&self.out)),
            purpose: None,
            limits: None,
            preprocessing: config.preprocessing(),
            length: if config.network.unit() { Length::Unit } else { Length::AsIs },
            // Only the contrastive loss pushes distances up to its margin.
            margin: (config.loss.kind == LossKind::Contrastive && 0 < steps)
                .then_some(config.loss.margin),
            threshold: None,
            calibration: None,
            provenance: Some(record.provenance(steps)),
            weights: None,
            golden: None,
        })
    }
}

/// Images spread over a gallery.
fn sample(gallery: &Gallery) -> Vec<&Pixels> {
    let samples = gallery.samples();
    let step = samples.len().div_ceil(COMPARED);
    samples.iter().step_by(step).map(|it| &it.pixels).collect()
}
