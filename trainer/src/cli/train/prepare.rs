//! A run before its first step: the configuration and the images are read and checked.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use siamese_core::model::Align;
use siamese_core::output::{Destination, note};

use super::cells::Cells;
use super::choose::choose_head;
use super::config_options::ConfigFile;
use super::sides::Sides;
use super::{Train, check};
use crate::backbone::{Backbone, LoadedBackbone};
use crate::cli::messages;
use crate::config::{Compute, Config, Record};
use crate::data::{Collection, HoldOut};
use crate::learn::RunFolder;

/// A run before its first step.
pub(super) struct PreparedRun {
    pub(super) folder: RunFolder,
    pub(super) record: Record,
    pub(super) device: Compute,
    pub(super) align: Option<Align>,
    pub(super) backbone: Option<LoadedBackbone>,
    /// The files of both sides.
    pub(super) files: (Collection, Option<Collection>),
    pub(super) sides: Sides,
}

impl Train {
    /// Reads and checks the configuration and the images, and writes the record of the run.
    pub(super) fn prepare(&self) -> anyhow::Result<PreparedRun> {
        let path = self.run_folder()?;
        if !self.resume {
            RunFolder::check_empty(&path)?;
        }
        let resumed = self.resume.then(|| RunFolder::open(&path)).transpose()?;
        let saved: Option<Record> = resumed.as_ref().map(RunFolder::read_record).transpose()?;
        let device = self.device.or(saved.as_ref().map(|record| record.device)).unwrap_or_default();
        device.check()?;
        let file = self.options.file()?;
        let data = messages::open(&self.data, self.identities)?;
        let earlier_config = saved.as_ref().map(|record| &record.config);
        let earlier_config = earlier_config.or(file.as_ref().map(ConfigFile::config));
        let backbone = self.options.backbone(earlier_config)?;
        let mut config = match (&saved, &file) {
            (Some(saved), _) => saved.config.clone(),
            (None, file) => self.config(file.as_ref(), &data, backbone.as_ref())?,
        };
        check(&config, &data, backbone.as_ref())?;
        if let (Some(backbone), Some(configured)) = (&backbone, &config.backbone) {
            ensure!(
                backbone.digest() == configured.digest,
                "the backbone {} has changed since the run that the configuration comes from: start a new run with \
                 --backbone",
                backbone.name()
            );
        }
        let earlier = match &file {
            Some(ConfigFile::Run(record)) => Some(record.as_ref()),
            _ => None,
        };
        let files = self.hold_out(earlier.or(saved.as_ref()), &data).split(&data)?;
        let (training, held_out) = (&files.0, files.1.as_ref());
        let align = self.align.read(&config.preprocessing())?;
        if config.watch.patience.is_some() && held_out.is_none() {
            bail!(
                "--patience needs held-out identities: choose them with --hold-out or --hold-out-fold"
            );
        }
        let backbone = backbone.map(Backbone::load).transpose()?;
        let is_new = saved.is_none() && file.is_none();
        let choice = backbone.as_ref().filter(|_| is_new && !config.learns_cells());
        let choice = choice.and_then(|backbone| {
            let reader = self.reader(&config, align.clone());
            reader.choose_input(backbone, training, self.is_input_open())
        });
        if let (Some(choice), Some(backbone)) = (&choice, &backbone) {
            choice.apply_to(&mut config, &backbone.backbone);
        }
        let sides = self.read(&config, align.clone(), backbone.as_ref(), training, held_out)?;
        if let (Sides::Images(images), true, true) = (&sides, is_new, backbone.is_some()) {
            choose_head(&mut config, &images.training, self.options.leaves_head_open())?;
        }
        let mut record = Record::new(config, sides.data(data.name()), sides.held_out_names());
        record.device = device;
        record.measured_inputs = choice.map_or_else(Vec::new, |choice| choice.measured().to_vec());
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
        for warning in sides.warnings() {
            note(&format!("warning: {warning}"));
        }
        if !earlier.is_none_or(has_same_images) {
            note(
                "warning: the images differ from those of the run that the configuration comes from",
            );
        }
        let folder = match resumed {
            Some(folder) => folder,
            None => RunFolder::create(&path)?,
        };
        let record = saved.unwrap_or(record);
        folder.write_record(&record)?;
        sides.write_lists(&folder)?;
        Ok(PreparedRun { folder, record, device, align, backbone, files, sides })
    }

    /// Reads what the network learns from, on both sides of the split.
    fn read(
        &self,
        config: &Config,
        align: Option<Align>,
        backbone: Option<&LoadedBackbone>,
        training: &Collection,
        held_out: Option<&Collection>,
    ) -> anyhow::Result<Sides> {
        let (Some(backbone), true) = (backbone, config.learns_cells()) else {
            let images = self.reader(config, align).read(backbone, training, held_out)?;
            return Ok(Sides::Images(images));
        };
        ensure!(align.is_none(), "images are compared place by place, not by faces: omit --align");
        let cells = Cells::read(config, backbone, training, held_out, self.skip_unreadable)?;
        if !self.allow_duplicates {
            cells.check_apart()?;
        }
        Ok(Sides::Cells(cells))
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
}
