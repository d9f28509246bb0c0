//! Settings: the compiled-in defaults, then a file, then the environment, then the command line.
//!
//! Only this module reads the environment, except for the searches for ONNX Runtime's library and for the system's
//! certificates. Properties of a model (its input, normalisation, threshold) are in the model's file, not here.

mod access;
mod image;
mod listen;
mod model;
mod models;
mod server;
mod telemetry;
mod variables;

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::Path;

use config::{Config, ConfigError, File, FileFormat};
use serde::Deserialize;
use siamese_core::model::{Cuda, Device, Options};
use thiserror::Error;

pub use access::{Auth, Cors, Origin, TlsSettings};
pub use image::{Decode, ImageSettings};
pub use listen::{InvalidListen, Listen};
pub use model::{CHANGES_MODEL, CacheSettings, DEFAULT_MODEL, Health, ModelSettings};
pub use models::{InvalidName, ModelName, NamedModel};
pub use server::{OverloadStatus, Server};
pub use telemetry::{InvalidVariable, Log, TraceSettings};

use variables::Variable;

/// The file that documents all settings, compiled in.
const DEFAULTS: &str = include_str!("../../../config/default.toml");

/// All settings. Unknown keys and invalid values are errors that name the key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Addresses, limits and timeouts.
    pub server: Server,
    /// TLS.
    pub tls: TlsSettings,
    /// The API keys.
    pub auth: Auth,
    /// The permitted origins of browsers.
    pub cors: Cors,
    /// The model, and how models run.
    pub model: ModelSettings,
    /// The models to serve; empty for the one of `model.file`, or for those that come with the program.
    #[serde(default)]
    pub models: Vec<NamedModel>,
    /// Settings for a model on a GPU.
    pub cuda: Cuda,
    /// The limits of an image.
    pub image: ImageSettings,
    /// The cache of embeddings.
    pub cache: CacheSettings,
    /// The self-test.
    pub health: Health,
    /// The log.
    pub log: Log,
    /// Traces of requests.
    pub traces: TraceSettings,
}

/// The values from the command line. They have the highest priority.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--listen`
    pub listen: Option<Listen>,
    /// `--model`
    pub models: Vec<NamedModel>,
    /// `--device`
    pub device: Option<Device>,
}

/// Why the settings can't be used. One line that names the key.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// An unknown key or an invalid value.
    #[error("the settings are invalid")]
    Invalid(#[from] ConfigError),
    /// Only one of the certificate and the key is set.
    #[error("tls.certificate and tls.key must be set together")]
    HalfTls,
    /// A number that is too large for any machine.
    #[error("{key} must be at most {most}")]
    TooMany {
        /// The setting.
        key: &'static str,
        /// The largest permitted value.
        most: usize,
    },
    /// An environment variable is invalid.
    #[error("{name} is invalid")]
    Variable {
        /// Its name.
        name: Cow<'static, str>,
        /// Why it is invalid.
        #[source]
        why: InvalidVariable,
    },
    /// A variable with an unknown key or an invalid value.
    #[error("{name} is invalid")]
    Setting {
        /// Its name.
        name: String,
        /// Why it is invalid.
        #[source]
        why: Box<ConfigError>,
    },
    /// A variable that has the words of a setting, with other underscores.
    #[error("{name} is not a setting; did you mean {meant}?")]
    Misspelt {
        /// Its name.
        name: String,
        /// The name of the setting's variable.
        meant: String,
    },
    /// A variable that is nothing like a setting.
    #[error(
        "{0} is not a setting; a setting is SIAMESE_SECTION__KEY, such as SIAMESE_SERVER__LISTEN"
    )]
    NoSetting(String),
    /// No model is set, and the default model was not found. Holds its path.
    #[error(
        "no model is set, and {0} was found neither beside the program nor below the working directory; set one by --model"
    )]
    NoModel(String),
    /// Two sources of models.
    #[error("model.file and [[models]] exclude each other: name all models in [[models]]")]
    TwoLists,
    /// Two models have one name.
    #[error(
        "two models have the name {0}; give each its own by --model NAME=FILE, or in [[models]]"
    )]
    SameName(ModelName),
}

impl Settings {
    /// Reads the settings from all sources, including the process's environment.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, SettingsError> {
        let variables = variables::settings(std::env::vars_os())?;
        let mut settings = Self::assemble(file, &variables, overrides)?;
        settings.traces.find_collector(|name| std::env::var_os(name))?;
        Ok(settings)
    }

    fn assemble(
        file: Option<&Path>,
        variables: &[Variable],
        overrides: &Overrides,
    ) -> Result<Self, SettingsError> {
        let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml));
        }
        let mut settings: Self = variables::apply(&builder, variables)?;
        if let Some(listen) = &overrides.listen {
            settings.server.listen = listen.clone();
        }
        if !overrides.models.is_empty() {
            settings.models.clone_from(&overrides.models);
            settings.model.file = None;
        }
        if let Some(device) = overrides.device {
            settings.model.device = device;
        }
        if settings.tls.certificate.is_some() != settings.tls.key.is_some() {
            return Err(SettingsError::HalfTls);
        }
        if !settings.models.is_empty() && settings.model.file.is_some() {
            return Err(SettingsError::TwoLists);
        }
        settings.check()?;
        Ok(settings)
    }

    /// Refuses numbers that are too large for any machine: allocating for them would end the process.
    fn check(&self) -> Result<(), SettingsError> {
        /// Connections, requests and images.
        const MANY: usize = 1 << 20;
        let Self { server, model, image, .. } = self;
        for (key, value, most) in [
            ("server.max_connections", server.max_connections.get(), MANY),
            ("server.max_in_flight", server.max_in_flight.get(), MANY),
            ("server.max_receiving", server.max_receiving.get(), MANY),
            ("server.max_images", server.max_images.get(), MANY),
            ("server.max_pairs", server.max_pairs.get(), MANY),
            ("model.queue", model.queue.get(), MANY),
            ("model.bulk_queue", model.bulk_queue.get(), MANY),
            ("model.sessions", model.sessions, 1024),
            ("model.threads", model.threads, 1024),
            ("model.max_batch", model.max_batch, 4096),
            ("image.queue", image.queue.get(), MANY),
            ("image.decodes", image.decodes, 1024),
        ] {
            if most < value {
                return Err(SettingsError::TooMany { key, most });
            }
        }
        Ok(())
    }

    /// The options of the model's sessions without tuning.
    pub fn options(&self) -> Options {
        let Options { max_batch, .. } = Options::default();
        Options {
            device: self.model.device,
            threads: NonZeroUsize::new(self.model.threads),
            max_batch: NonZeroUsize::new(self.model.max_batch).unwrap_or(max_batch),
            cuda: self.cuda,
        }
    }
}

#[cfg(test)]
mod tests;
