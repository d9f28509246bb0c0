//! `siamese-trainer train`: trains a model on images and writes its file.

mod config_options;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{bail, ensure};
use siamese_core::model::{Align, Card, Length, OnnxModel, Options, Preprocessor, Source};
use siamese_core::output::{Destination, note};
use siamese_core::preprocessing::{Limits, Pixels};

use super::{AlignOptions, Statements, evaluate, file_stem, megabytes, messages};
use crate::config::{Compute, Config, LossKind, Record};
use crate::data::{Collection, Gallery, HoldOut, inspect};
use crate::draft;
use crate::evaluate::Embedded;
use crate::export::{export, on_cpu};
use crate::learn::{RunFolder, train};
use config_options::{ConfigFile, ConfigOptions};

/// The largest number of real images that an export is compared on.
const MAX_COMPARED: usize = 64;

/// Trains a model on a folder of images, or on a list of pairs or triplets
#[derive(Clone, Debug, clap::Args)]
pub struct Train {
    /// The images: a folder `DIR/IDENTITY/IMAGE`, or a CSV list with the columns a,b,same or
    /// anchor,positive,negative or before,after,changed
    #[arg(long, visible_alias = "pairs", value_name = "DIR|FILE.csv")]
    data: PathBuf,
    /// The model file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    options: ConfigOptions,
    #[command(flatten)]
    align: AlignOptions,
    #[command(flatten)]
    hold_out: HoldOut,
    /// The device to train on; a resumed run uses its earlier device by default
    #[arg(long, value_enum)]
    device: Option<Compute>,
    /// Stop after N measurements without a lower EER on the held-out identities, and keep the best
    /// weights
    #[arg(long, value_name = "N")]
    patience: Option<u32>,
    /// Skip files that cannot be read as images, and list them, instead of stopping
    #[arg(long)]
    skip_unreadable: bool,
    /// Train even if some files are in both the training set and the hold-out set
    #[arg(long)]
    allow_duplicates: bool,
    /// The model's name; the default is the file name of --out without its extension
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    statements: Statements,
    /// The run folder, for the configuration and the checkpoints; the default is `OUT.run`
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Continue the run in the run folder, with its configuration
    #[arg(long, conflicts_with_all = ["network", "config", "loss", "margin", "seed", "steps", "epochs", "rate", "patience"])]
    resume: bool,
}

/// A run before its first step.
struct PreparedRun {
    folder: RunFolder,
    record: Record,
    device: Compute,
    align: Option<Align>,
    training: Gallery,
    held_out: Option<Gallery>,
}

impl Train {
    /// Trains a model and exports it. Returns the output.
    ///
    /// # Errors
    ///
    /// If the configuration, the data or a file cannot be used. The error is one line and says what to do.
    pub fn run(&self) -> anyhow::Result<String> {
        let start = Instant::now();
        draft::check(&self.out)?;
        let PreparedRun { folder, record, device, align, training, held_out } = self.prepare()?;
        let device = device.device()?;
        let trained =
            train(&record.config, &training, held_out.as_ref(), &device, &folder, self.resume)?;

        let images = sample(held_out.as_ref().unwrap_or(&training));
        let exported = export(&trained.network, self.card(&record, align, trained.kept), &images)?;
        draft::model(&self.out, &exported.onnx, &on_cpu())?;
        let mut output = String::new();
        writeln!(
            output,
            "{}: {:.1} MB, {} parameters, {} s; at most {:.1e} from the trained network on {} images",
            self.out.display(),
            megabytes(exported.onnx.len()),
            trained.network.parameters(),
            start.elapsed().as_secs(),
            exported.difference,
            exported.compared
        )?;
        if let Some(held_out) = held_out {
            // The training succeeded even if the report fails.
            let line = match self.report(exported.onnx, held_out, &record.data.name, folder.path())
            {
                Ok(page) => format!("Report on the held-out identities: {}", page.display()),
                Err(error) => format!("No report on the held-out identities: {error:#}"),
            };
            writeln!(output, "{line}")?;
        }
        Ok(output)
    }

    /// Returns the path of the model file.
    pub(super) fn out(&self) -> &Path {
        &self.out
    }

    /// Returns the path of the run folder. Nothing is created beside a device.
    fn run_folder(&self) -> anyhow::Result<PathBuf> {
        match &self.run {
            Some(run) => Ok(run.clone()),
            None if matches!(Destination::of(&self.out)?, Destination::File(_)) => {
                Ok(self.out.with_extension("run"))
            }
            None => bail!(
                "{} is not a regular file: name the run folder with --run DIR",
                self.out.display()
            ),
        }
    }

    /// Reads and checks the configuration and the images, and writes the record of the run.
    fn prepare(&self) -> anyhow::Result<PreparedRun> {
        let path = self.run_folder()?;
        let resumed = self.resume.then(|| RunFolder::open(&path)).transpose()?;
        let saved: Option<Record> = resumed.as_ref().map(RunFolder::read_record).transpose()?;
        let device = self.device.or(saved.as_ref().map(|record| record.device)).unwrap_or_default();
        device.check()?;
        let file = self.options.file()?;
        let data = messages::open(&self.data)?;
        let config = match (&saved, &file) {
            (Some(saved), _) => saved.config.clone(),
            (None, file) => self.config(file.as_ref(), &data),
        };
        config.check()?;
        if let Some(listing) = data.listing() {
            config.check_listed(listing)?;
        }
        let earlier = match &file {
            Some(ConfigFile::Run(record)) => Some(record.as_ref()),
            _ => None,
        };
        let (training, held_out) = self.hold_out(earlier.or(saved.as_ref()), &data).split(&data)?;
        let align = self.align.read(&config.preprocessing())?;
        let preprocessor = Preprocessor::new(config.preprocessing(), align.clone())?;
        let training = self.load(&training, &preprocessor)?;
        let held_out = held_out.map(|images| self.load(&images, &preprocessor)).transpose()?;
        if config.watch.patience.is_some() && held_out.is_none() {
            bail!(
                "--patience needs held-out identities: choose them with --hold-out or --hold-out-fold"
            );
        }
        let shape = config.preprocessing().shape();
        let sides = [Some(&training), held_out.as_ref()].into_iter().flatten();
        let mut warnings: Vec<String> = sides.flat_map(Gallery::warnings).collect();
        warnings.extend(inspect(&training, held_out.as_ref(), shape, self.allow_duplicates)?);

        let mut record = Record::new(config, data.name().to_owned(), &training, held_out.as_ref());
        record.device = device;
        record.aligned = align.as_ref().map(|align| align.points.to_string());
        let has_same_images =
            |other: &Record| other.data == record.data && other.held_out == record.held_out;
        ensure!(
            saved.as_ref().is_none_or(has_same_images),
            "the run in {} started with other images: give the same --data and hold out the same identities",
            path.display()
        );
        ensure!(
            saved.as_ref().is_none_or(|saved| saved.aligned == record.aligned),
            "the run in {} prepared its images in another way: give the same --align and --points",
            path.display()
        );
        if !earlier.is_none_or(has_same_images) {
            let warning =
                "the images differ from those of the run that the configuration comes from";
            warnings.push(warning.to_owned());
        }
        for warning in warnings {
            note(&format!("warning: {warning}"));
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
        Ok(PreparedRun { folder, record, device, align, training, held_out })
    }

    /// Writes a report on the held-out identities into the run folder. Returns the path of its page.
    fn report(
        &self,
        onnx: Vec<u8>,
        held_out: Gallery,
        data: &str,
        run: &Path,
    ) -> anyhow::Result<PathBuf> {
        let mut model = OnnxModel::open(&Source::of(&self.out, onnx)?, &Options::default())?;
        let embedded = Embedded::by(&mut model, held_out, data)?;
        let folder = run.join("report");
        evaluate::report(&embedded, &folder, Some(run))?;
        Ok(folder.join("index.html"))
    }

    /// Returns the configuration of the run.
    fn config(&self, file: Option<&ConfigFile>, data: &Collection) -> Config {
        let mut config = self.options.config(file.map(ConfigFile::config), data.listing());
        config.watch.patience = self.patience.or(config.watch.patience);
        config
    }

    /// Returns the identities to hold out: those of the command line, or those of the repeated run if the data has them.
    fn hold_out(&self, repeated: Option<&Record>, data: &Collection) -> HoldOut {
        let exists =
            |name: &String| data.identities().iter().any(|identity| identity.name == *name);
        match repeated.map(|record| &record.held_out).filter(|names| names.iter().all(exists)) {
            Some(names) if self.hold_out.is_empty() => HoldOut { names: names.clone(), fold: None },
            _ => self.hold_out.clone(),
        }
    }

    fn load(&self, images: &Collection, preprocessor: &Preprocessor) -> anyhow::Result<Gallery> {
        let limits = Limits::default();
        let gallery = Gallery::read(images, self.skip_unreadable, |upload| {
            preprocessor.preprocess(upload, &limits)
        })?;
        for skipped in gallery.skipped() {
            note(&format!("skipped {skipped}"));
        }
        Ok(gallery)
    }

    fn card(&self, record: &Record, align: Option<Align>, steps: u32) -> Card {
        let config = &record.config;
        self.statements.on(Card {
            name: self.name.clone().unwrap_or_else(|| file_stem(&self.out)),
            purpose: None,
            limits: None,
            preprocessing: config.preprocessing(),
            align,
            length: if config.network.unit() { Length::Unit } else { Length::AsIs },
            // Only the contrastive loss pushes distances up to the margin.
            margin: (config.loss.kind == LossKind::Contrastive && 0 < steps)
                .then_some(config.loss.margin),
            threshold: None,
            calibration: None,
            familiarity: None,
            provenance: Some(record.provenance(steps)),
            weights: None,
            golden: None,
        })
    }
}

/// Returns up to [`MAX_COMPARED`] images, spread evenly over a gallery.
fn sample(gallery: &Gallery) -> Vec<&Pixels> {
    let samples = gallery.samples();
    let step = samples.len().div_ceil(MAX_COMPARED);
    samples.iter().step_by(step).map(|sample| &sample.pixels).collect()
}
