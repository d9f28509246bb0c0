//! Settings: compiled-in defaults, then a file, then the environment, then the command line.
//!
//! Only this module, and the searches for ONNX Runtime's library and for the system's certificates, read the environment.
//! What belongs to a tower (its input, normalisation, threshold) travels in the tower's file, not here.

mod access;
mod picture;
mod server;
mod telemetry;
mod tower;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat};
use serde::Deserialize;
use siamese_core::model::{Cuda, Device, Options};
use thiserror::Error;

pub use access::{Auth, Cors, Origin, TlsSettings};
pub use picture::PictureSettings;
pub use server::{OverloadStatus, Server};
pub use telemetry::{InvalidVariable, Log, TraceSettings};
pub use tower::{CacheSettings, Health, TowerSettings};

use tower::SHIPPED;

/// The file that documents every setting; compiled in.
const DEFAULTS: &str = include_str!("../../../config/default.toml");

/// All settings. Unknown keys and bad values are refused by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Listening, limits and time.
    pub server: Server,
    /// Encrypted connections.
    pub tls: TlsSettings,
    /// Who may ask.
    pub auth: Auth,
    /// Which other sites' pages may ask.
    pub cors: Cors,
    /// Which tower runs, and how.
    pub tower: TowerSettings,
    /// What matters only where a GPU runs the tower.
    pub cuda: Cuda,
    /// Limits of a picture.
    pub picture: PictureSettings,
    /// Embeddings of pictures seen before.
    pub cache: CacheSettings,
    /// The self-test.
    pub health: Health,
    /// The log.
    pub log: Log,
    /// Requests as spans.
    pub traces: TraceSettings,
}

/// What the command line sets; it wins over all else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--tower`
    pub tower: Option<PathBuf>,
    /// `--device`
    pub device: Option<Device>,
}

/// Why there are no settings. One line that names the key.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// A key or value that can't be.
    #[error("the settings are wrong")]
    Invalid(#[from] ConfigError),
    /// One of the two without the other.
    #[error("tls.certificate and tls.key are set together, or neither is")]
    HalfTls,
    /// A number that no machine has use for.
    #[error("{key} is {most} at most")]
    TooMany {
        /// The setting.
        key: &'static str,
        /// The most that it can be.
        most: usize,
    },
    /// A platform's variable that says nothing.
    #[error("{name} is wrong")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        why: InvalidVariable,
    },
    /// No tower was named, and the shipped one is nowhere.
    #[error(
        "no tower is named, and {SHIPPED} is neither below the working directory nor beside the program; name one by --tower"
    )]
    NoTower,
}

impl Settings {
    /// Reads the settings from all their places, the process's environment among them.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, SettingsError> {
        let mut settings = Self::assemble(file, environment(), overrides)?;
        settings.traces.find_collector(|name| std::env::var_os(name))?;
        Ok(settings)
    }

    fn assemble(
        file: Option<&Path>,
        environment: Environment,
        overrides: &Overrides,
    ) -> Result<Self, SettingsError> {
        let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml));
        }
        let mut settings: Self = builder.add_source(environment).build()?.try_deserialize()?;
        if let Some(listen) = overrides.listen {
            settings.server.listen = listen;
        }
        if let Some(tower) = &overrides.tower {
            settings.tower.path = Some(tower.clone());
        }
        if let Some(device) = overrides.device {
            settings.tower.device = device;
        }
        if settings.tls.certificate.is_some() != settings.tls.key.is_some() {
            return Err(SettingsError::HalfTls);
        }
        settings.check()?;
        Ok(settings)
    }

    /// Refuses numbers beyond what any machine has use for: to make room for so many would take the process along.
    fn check(&self) -> Result<(), SettingsError> {
        /// Connections, requests and pictures.
        const MANY: usize = 1 << 20;
        let Self { server, tower, picture, .. } = self;
        for (key, value, most) in [
            ("server.max_connections", server.max_connections.get(), MANY),
            ("server.max_in_flight", server.max_in_flight.get(), MANY),
            ("server.max_receiving", server.max_receiving.get(), MANY),
            ("server.max_pictures", server.max_pictures.get(), MANY),
            ("server.max_pairs", server.max_pairs.get(), MANY),
            ("tower.queue", tower.queue.get(), MANY),
            ("tower.bulk_queue", tower.bulk_queue.get(), MANY),
            ("tower.sessions", tower.sessions, 1024),
            ("tower.threads", tower.threads, 1024),
            ("tower.largest_batch", tower.largest_batch, 4096),
            ("picture.queue", picture.queue.get(), MANY),
            ("picture.decodes", picture.decodes, 1024),
        ] {
            if most < value {
                return Err(SettingsError::TooMany { key, most });
            }
        }
        Ok(())
    }

    /// Where the tower is to be run, and how where nothing is tried.
    pub fn options(&self) -> Options {
        let Options { largest_batch, .. } = Options::default();
        Options {
            device: self.tower.device,
            threads: NonZeroUsize::new(self.tower.threads),
            largest_batch: NonZeroUsize::new(self.tower.largest_batch).unwrap_or(largest_batch),
            cuda: self.cuda,
        }
    }
}

/// `SIAMESE_SECTION__KEY`
fn environment() -> Environment {
    Environment::with_prefix("SIAMESE")
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("cors.origins")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use axum::http::HeaderValue;
    use siamese_core::picture::Limits;
    use siamese_core::score::Threshold;

    use super::*;

    fn with(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        environment().source(Some(variables))
    }

    fn settings(
        file: &str,
        variables: &[(&str, &str)],
        overrides: &Overrides,
    ) -> Result<Settings, String> {
        let mut written = tempfile::NamedTempFile::new().expect("a file");
        written.write_all(file.as_bytes()).expect("written");
        Settings::assemble(Some(written.path()), with(variables), overrides)
            .map_err(|err| siamese_core::causes(&err))
    }

    #[test]
    fn later_places_win() {
        let file = "[server]\nlisten = \"127.0.0.1:1\"\ndeadline_ms = 5\n[tower]\nthreshold = 0.5";
        let variables = [("SIAMESE_SERVER__LISTEN", "127.0.0.1:2"), ("SIAMESE_TOWER__QUEUE", "9")];
        let overrides = Overrides { listen: "127.0.0.1:3".parse().ok(), ..Overrides::default() };

        let settings = settings(file, &variables, &overrides).expect("settings");

        assert_eq!(settings.server.listen.port(), 3);
        assert_eq!(settings.server.deadline_ms.get(), 5);
        assert_eq!(settings.tower.queue.get(), 9);
        assert_eq!(settings.tower.threshold.map(Threshold::get), Some(0.5));
        assert_eq!(settings.server.max_in_flight.get(), 1024);
    }

    #[test]
    fn origins_in_the_environment_have_commas_between_them() {
        let variables = [("SIAMESE_CORS__ORIGINS", "https://one.example,http://localhost:3000")];
        let settings = settings("", &variables, &Overrides::default()).expect("settings");
        let origins = settings.cors.origins.iter().map(|it| it.value().clone());
        let origins: Vec<HeaderValue> = origins.collect();
        assert_eq!(origins, ["https://one.example", "http://localhost:3000"]);
    }

    #[test]
    fn an_idle_connection_outlives_a_proxys_patience() {
        let settings = settings("", &[], &Overrides::default()).expect("settings");
        assert!(Duration::from_mins(1) < settings.server.idle_timeout());
    }

    #[test]
    fn a_picture_may_cost_the_same_everywhere() {
        let settings = settings("", &[], &Overrides::default()).expect("settings");
        assert_eq!(settings.picture.limits(), Limits::default());
    }

    #[test]
    fn the_larger_pictures_are_the_fewer_are_decoded_at_once() {
        let file = "[picture]\ndecodes = 4\nmax_pixels_in_flight = 100";
        let settings = settings(file, &[], &Overrides::default()).expect("settings");
        for (pixels, decodes) in [(0, 4), (10, 4), (40, 2), (100, 1), (1000, 1)] {
            assert_eq!(settings.picture.decodes(pixels).get(), decodes, "{pixels}");
        }
    }

    #[track_caller]
    fn refused(file: &str, variables: &[(&str, &str)], with: &str) {
        let said = settings(file, variables, &Overrides::default()).expect_err("no settings");
        assert!(said.contains(with), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        refused("[server]\nlissten = 1", &[], "lissten");
        refused("[sever]", &[], "sever");
        refused("[server]\nlisten = \"nowhere\"", &[], "listen");
        refused("[server]\nidle_timeout_ms = 0", &[], "idle_timeout_ms");
        refused("[server]\noverload_status = 200", &[], "overload_status");
        refused("[auth]\nkeys = []", &[], "auth.keys");
        refused("[auth]\nkeys = [\"short\"]", &[], "key 1: a key has at least 16 characters");
        refused("", &[("SIAMESE_AUTH__KEYS", "")], "auth.keys");
        refused("", &[("SIAMESE_AUTH__KEYS", "0123456789012345")], "a key is no number");
        refused("[cors]\norigins = [\"ours.example\"]", &[], "an origin is https://host");
        refused("", &[("SIAMESE_CORS__ORIGINS", "https://x/y")], "an origin is https://host");
        refused("[tls]\nkey = \"key.pem\"", &[], "tls.certificate");
        refused("[tower]\nqueue = 0", &[], "queue");
        refused("[tower]\nsessions = 1025", &[], "tower.sessions is 1024 at most");
        refused("[server]\nmax_in_flight = 9223372036854775807", &[], "server.max_in_flight");
        refused("[tower]\nthreshold = -1.0", &[], "threshold");
        refused("[tower]\ndevice = \"tpu\"", &[], "device");
        refused("[cuda]\nconvolution_search = \"thorough\"", &[], "convolution_search");
        refused("[cuda]\ndevice_id = -1", &[], "device_id");
        refused("", &[("SIAMESE_SERVER__DEADLINE_MS", "soon")], "deadline_ms");
        refused("", &[("SIAMESE_DEADLINE", "1")], "deadline");
        refused("[traces]\nendpoint = \"grpc://collector\"", &[], "endpoint");
        refused("[traces]\ncollector = 1", &[], "collector");
        refused("[traces]\nratio = 1.1", &[], "ratio");
    }

    #[test]
    fn a_limit_of_nothing_is_refused_by_name() {
        const SERVER: [&str; 14] = [
            "max_connections",
            "idle_timeout_ms",
            "head_timeout_ms",
            "answer_timeout_ms",
            "max_answers_bytes",
            "max_receiving",
            "http2_max_streams",
            "http2_ping_timeout_ms",
            "max_body_bytes",
            "max_bodies_bytes",
            "body_timeout_ms",
            "deadline_ms",
            "max_in_flight",
            "max_pairs",
        ];
        for key in SERVER {
            refused(&format!("[server]\n{key} = 0"), &[], key);
        }
        for key in ["self_test_interval_ms", "self_test_max_age_ms"] {
            refused(&format!("[health]\n{key} = 0"), &[], key);
        }
        refused("[tls]\nhandshake_timeout_ms = 0", &[], "handshake_timeout_ms");
    }

    #[test]
    fn nothing_turns_off_what_can_be_off() {
        let file = "[server]\nhttp2_ping_interval_ms = 0\nlame_duck_ms = 0\ndrain_ms = 0\n\
             [tower]\nwatch_ms = 0\n[cache]\nmax_bytes = 0";
        let settings = settings(file, &[], &Overrides::default()).expect("settings");
        assert_eq!(settings.server.http2_ping_interval(), None);
        assert_eq!(settings.tower.watch(), None);
    }
}
