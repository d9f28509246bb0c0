//! `siamese-trainer train`: trains a model on images and writes its file.

mod cells;
mod choose;
mod config_options;
mod images;
mod prepare;
mod sides;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use siamese_core::model::{Align, Card, Length, OnnxModel, Options, Source};
use siamese_core::output::check_folder;
use siamese_core::preprocessing::Pixels;

use super::changes::Changes;
use super::inputs::Identities;
use super::{AlignOptions, Statements, evaluate, file_stem, megabytes, messages};
use crate::backbone::{Backbone, LoadedBackbone};
use crate::config::{Compute, Config, LossKind, Record};
use crate::data::{Collection, Gallery, HoldOut};
use crate::draft;
use crate::evaluate::Embedded;
use crate::export::{export, on_backbone, on_cells, on_cpu};
use crate::learn::train;
use crate::network::NetworkConfig;
use crate::statistics::Bootstrap;
use choose::Open;
use config_options::{ConfigFile, ConfigOptions};
use images::Reader;
use prepare::PreparedRun;
use sides::Sides;

/// The largest number of real images that an export is compared on.
const MAX_COMPARED: usize = 64;

/// Trains a model on a folder of images, or on a list of images, pairs or triplets
#[derive(Clone, Debug, clap::Args)]
pub struct Train {
    /// The images: a folder `DIR/IDENTITY/IMAGE`, or a CSV list with the columns path,label or a,b,same or
    /// anchor,positive,negative or before,after,changed
    #[arg(long, visible_alias = "pairs", value_name = "DIR|FILE.csv")]
    data: PathBuf,
    /// What an identity is in a folder
    #[arg(long, value_enum, default_value = "folders")]
    identities: Identities,
    /// The model file to write
    #[arg(
        long,
        value_name = "FILE",
        required = false,
        required_unless_present = "print_config",
        default_value_if("print_config", "true", "model.onnx")
    )]
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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
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
    #[arg(long, conflicts_with_all = ["network", "config", "loss", "margin", "seed", "steps", "epochs", "rate", "colour", "input", "pooling", "choose_input", "patience"])]
    resume: bool,
    /// Also write loss, EER and learning rate into this folder, as an event file of `TensorBoard`
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
}

impl Train {
    /// Trains a model and exports it. Returns the output.
    ///
    /// # Errors
    ///
    /// If the configuration, the data or a file cannot be used. The error is one line and says what to do.
    pub fn run(&self) -> anyhow::Result<String> {
        let start = Instant::now();
        if self.options.print_config {
            return self.printed();
        }
        draft::check(&self.out)?;
        self.tensorboard.as_deref().map_or(Ok(()), check_folder)?;
        let PreparedRun { folder, record, device, align, backbone, files, sides } =
            self.prepare()?;
        let device = device.device()?;
        let config = &record.config;
        let trained = train(
            config,
            sides.training(),
            sides.held_out(),
            &device,
            &folder,
            self.resume,
            self.tensorboard.as_deref(),
        )?;

        let card = self.card(&record, backbone.as_ref(), align.clone(), trained.kept);
        let (training_files, held_out_files) = &files;
        let reader = self.reader(config, align);
        let exported = match (&sides, &backbone) {
            (Sides::Images(images), None) => {
                export(&trained.network, card, &sample(images.measured()))?
            }
            (Sides::Images(images), Some(backbone)) => {
                let pixels =
                    reader.some_pixels(held_out_files.as_ref().unwrap_or(training_files))?;
                let pooling = config.backbone.as_ref().and_then(|backbone| backbone.pooling);
                let inputs = images.measured();
                on_backbone(backbone, pooling, &trained.network, card, inputs, &pixels)?
            }
            (Sides::Cells(cells), backbone) => {
                let backbone = backbone.as_ref().context("cells are learned on a backbone")?;
                let (stages, shape) = (backbone.cells()?, config.shape());
                on_cells(stages, &trained.network, card, shape, &cells.sample)?
            }
        };
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
        if let Some(files) = held_out_files {
            // The training succeeded even if the report fails.
            let (what, report) = match sides {
                Sides::Cells(_) => {
                    ("pairs", self.report_changes(exported.onnx, files, folder.path()))
                }
                Sides::Images(images) => {
                    let held_out = match images.held_out {
                        Some(pixels) if backbone.is_none() => Ok(pixels),
                        _ => reader.pixels(files),
                    };
                    let report = held_out.and_then(|held_out| {
                        self.report(exported.onnx, held_out, &record.data.name, folder.path())
                    });
                    ("identities", report)
                }
            };
            let line = match report {
                Ok(page) => format!("Report on the held-out {what}: {}", page.display()),
                Err(error) => format!("No report on the held-out {what}: {error:#}"),
            };
            writeln!(output, "{line}")?;
        }
        Ok(output)
    }

    /// Returns the configuration that would run, as TOML.
    fn printed(&self) -> anyhow::Result<String> {
        let file = self.options.file()?;
        let data = messages::open(&self.data, self.identities)?;
        let backbone = self.options.backbone(file.as_ref().map(ConfigFile::config))?;
        let config = self.config(file.as_ref(), &data, backbone.as_ref())?;
        check(&config, &data, backbone.as_ref())?;
        let mut printed = toml::to_string(&config)?;
        let Open { size, pooling } = self.is_input_open();
        let open = [
            (self.options.leaves_head_open(), "the sizes of the head and its training"),
            (size, "the side of the input"),
            (pooling, "the pooling"),
        ];
        let open: Vec<_> = open.iter().filter(|(is_open, _)| *is_open).map(|(_, it)| *it).collect();
        if matches!(config.network, NetworkConfig::Head(_)) && !open.is_empty() {
            let what = open.join(", ");
            let comment = format!(
                "# Without --config, these are chosen by measurement on the images: {what}.\n"
            );
            printed.insert_str(0, &comment);
        }
        Ok(printed)
    }

    /// Returns the path of the model file.
    pub(super) fn out(&self) -> &Path {
        &self.out
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

    /// Writes a report on held-out pairs into the run folder. Returns the path of its page.
    fn report_changes(
        &self,
        onnx: Vec<u8>,
        held_out: &Collection,
        run: &Path,
    ) -> anyhow::Result<PathBuf> {
        let mut model = OnnxModel::open(&Source::of(&self.out, onnx)?, &Options::default())?;
        let folder = run.join("report");
        let changes = Changes::listed(held_out, self.skip_unreadable)
            .context("the list does not tell where pairs have changed")?;
        let bootstrap = Bootstrap { resamples: 1000, seed: 0 };
        changes.evaluate(&mut model, None, bootstrap, Some(&folder))?;
        Ok(folder.join("index.html"))
    }

    /// Returns the configuration of the run.
    fn config(
        &self,
        file: Option<&ConfigFile>,
        data: &Collection,
        backbone: Option<&Backbone>,
    ) -> anyhow::Result<Config> {
        let file = file.map(ConfigFile::config);
        let mut config = self.options.config(file, data, backbone)?;
        config.watch.patience = self.patience.or(config.watch.patience);
        Ok(config)
    }

    /// Returns what is chosen by measurement if there is a backbone. The places of landmarks belong to a size of the input.
    fn is_input_open(&self) -> Open {
        Open {
            size: self.options.leaves_input_open() && self.align.is_off(),
            pooling: self.options.leaves_pooling_open(),
        }
    }

    fn reader<'a>(&self, config: &'a Config, align: Option<Align>) -> Reader<'a> {
        let (skip_unreadable, allow_duplicates) = (self.skip_unreadable, self.allow_duplicates);
        Reader { config, align, skip_unreadable, allow_duplicates }
    }

    fn card(
        &self,
        record: &Record,
        backbone: Option<&LoadedBackbone>,
        align: Option<Align>,
        steps: u32,
    ) -> Card {
        let config = &record.config;
        let mut provenance = record.provenance(steps);
        if let Some(backbone) = backbone {
            provenance["backbone"] = backbone.backbone.origin().clone();
            let pooling = config.backbone.as_ref().and_then(|backbone| backbone.pooling);
            provenance["backbone"]["pooling"] = serde_json::json!(pooling);
        }
        self.statements.on(Card {
            name: self.name.clone().unwrap_or_else(|| file_stem(&self.out)),
            purpose: None,
            limits: None,
            preprocessing: config.preprocessing(),
            reduction: None,
            align,
            length: if config.network.unit() { Length::Unit } else { Length::AsIs },
            // Only the contrastive loss pushes distances up to the margin.
            margin: (config.loss.kind == LossKind::Contrastive && 0 < steps)
                .then_some(config.loss.margin),
            threshold: None,
            calibration: None,
            changes: None,
            familiarity: None,
            provenance: Some(provenance),
            weights: None,
            golden: None,
        })
    }
}

/// Checks that a configuration suits the images and the backbone.
fn check(config: &Config, data: &Collection, backbone: Option<&Backbone>) -> anyhow::Result<()> {
    config.check()?;
    if let Some(listing) = data.listing() {
        config.check_listed(listing)?;
    }
    backbone.map_or(Ok(()), |backbone| backbone.check(&config.preprocessing()))
}

/// Returns up to [`MAX_COMPARED`] images, spread evenly over a gallery.
fn sample(gallery: &Gallery) -> Vec<&Pixels> {
    let samples = gallery.samples();
    let step = samples.len().div_ceil(MAX_COMPARED);
    samples.iter().step_by(step).map(|sample| &sample.pixels).collect()
}
