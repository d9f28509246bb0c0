//! Settings: compiled-in defaults, then a file, then the environment, then the command line.
//!
//! Only this file and the search for ONNX Runtime's library read the environment. What belongs to a
//! tower (its input, normalisation, threshold) travels in the tower's file, not here.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::HeaderValue;
use config::{Config, ConfigError, Environment, File, FileFormat};
use serde::Deserialize;
use thiserror::Error;

use crate::keys::{Fixed, Keys, KeysError};
use crate::model::{Cuda, Device, Options};
use crate::picture::Limits;
use crate::score::Threshold;
use crate::stop::Times;
use crate::traces::{Endpoint, InvalidEndpoint, Ratio};
use crate::warm_up::Wishes;

/// The file that documents every setting; compiled in.
const DEFAULTS: &str = include_str!("../config/default.toml");

/// The variable by which platforms tell all their programs of a collector.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The tower that is served where none is named.
const SHIPPED: &str = "models/faces.onnx";

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

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where else `/livez`, `/readyz` and `/metrics` are served; `/metrics` is then served there only.
    pub admin_listen: Option<SocketAddr>,
    /// Connections at once; more wait to be accepted.
    pub max_connections: NonZeroUsize,
    /// How long a connection may idle, or leave an answer unread, in milliseconds.
    pub idle_timeout_ms: NonZeroU64,
    /// How long a request's head may take to arrive over HTTP/1.1, in milliseconds; looked at so often, so up to twice.
    pub head_timeout_ms: NonZeroU64,
    /// Requests of one HTTP/2 connection at once.
    pub http2_max_streams: NonZeroU32,
    /// How often an HTTP/2 client is asked whether it is still there, in milliseconds; 0 for never.
    pub http2_ping_interval_ms: u64,
    /// How long it may take to say so, in milliseconds.
    pub http2_ping_timeout_ms: NonZeroU64,
    /// The most bytes of a body.
    pub max_body_bytes: usize,
    /// The most bytes of all bodies together.
    pub max_bodies_bytes: usize,
    /// How long a body may take to arrive, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long a request may take, in milliseconds.
    pub deadline_ms: u64,
    /// Requests worked on at once.
    pub max_in_flight: NonZeroUsize,
    /// The status of an overload's refusal.
    pub overload_status: OverloadStatus,
    /// The most pictures of one request to `/embed`.
    pub max_pictures: NonZeroUsize,
    /// How long all is still served after SIGTERM while `/readyz` says no, in milliseconds; 0 for not at all.
    pub lame_duck_ms: u64,
    /// How long what is in flight may go on after that, in milliseconds.
    pub drain_ms: u64,
}

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Keys, of which each request must bear one.
    pub keys: Option<Fixed>,
    /// A file of more keys.
    pub keys_file: Option<PathBuf>,
}

/// `[cors]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// The sites; none by default.
    pub origins: Vec<Origin>,
}

/// A site as a browser names it, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin(HeaderValue);

/// `[tls]`
///
/// Invariant, held by [`Settings::load`]: there is a key where there is a certificate, and none where there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate with the chain it was signed by, as PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, as PEM.
    pub key: Option<PathBuf>,
    /// How long a client may take to shake hands, in milliseconds.
    pub handshake_timeout_ms: NonZeroU64,
}

/// 503, or 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub struct OverloadStatus(u16);

/// `[tower]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerSettings {
    /// The tower's file.
    pub path: Option<PathBuf>,
    /// Where it runs.
    pub device: Device,
    /// Sessions side by side; 0 means as many as are found to be fastest.
    pub sessions: usize,
    /// Threads of one run; 0 means as many as are found to be fastest.
    pub threads: usize,
    /// The most pictures in one run; 0 means as many as are found to pay.
    pub largest_batch: usize,
    /// Pictures that may be prepared for it, wait for it and run in it.
    pub queue: NonZeroUsize,
    /// The threshold in place of the tower's own.
    pub threshold: Option<Threshold>,
    /// How often to look whether the tower's file is another, in milliseconds; 0 is never.
    pub watch_ms: u64,
}

/// `[picture]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSettings {
    /// The most pixels.
    pub max_pixels: u64,
    /// The most memory of a decode.
    pub max_memory_bytes: u64,
    /// Pictures of about one size that are decoded at once; 0 means one a core.
    pub decodes: usize,
    /// The most pixels of pictures of about one size that are decoded at once.
    pub max_pixels_in_flight: u64,
}

/// `[cache]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// Memory for it; 0 is off.
    pub max_bytes: u64,
}

/// `[health]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// How often the self-test runs, in milliseconds.
    pub self_test_interval_ms: u64,
    /// How old its last success may be, in milliseconds.
    pub self_test_max_age_ms: u64,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
}

/// `[traces]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceSettings {
    /// The collector; nothing is sent where there is none.
    pub endpoint: Option<Endpoint>,
    /// The share of requests without a parent that are traced.
    pub ratio: Ratio,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a terminal.
    Text,
    /// For machines.
    Json,
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
    /// The standard variable names no collector.
    #[error("{COLLECTOR} is wrong")]
    Collector(#[source] InvalidEndpoint),
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
        settings.traces.default_to(std::env::var(COLLECTOR).ok())?;
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
        Ok(settings)
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

impl Server {
    /// How long a body may take to arrive.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    /// How long a connection may idle.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms.get())
    }

    /// How long a request's head may take to arrive.
    pub fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms.get())
    }

    /// How often an HTTP/2 client is asked whether it is still there; `None` for never.
    pub fn http2_ping_interval(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.http2_ping_interval_ms)).filter(|it| !it.is_zero())
    }

    /// How long it may take to say so.
    pub fn http2_ping_timeout(&self) -> Duration {
        Duration::from_millis(self.http2_ping_timeout_ms.get())
    }

    /// How long a request may take.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// How long a stop may take.
    pub fn stop(&self) -> Times {
        Times {
            lame_duck: Duration::from_millis(self.lame_duck_ms),
            drain: Duration::from_millis(self.drain_ms),
        }
    }
}

impl Auth {
    /// The keys, those of the file too.
    pub fn load(&self) -> Result<Keys, KeysError> {
        Keys::load(self.keys.as_ref(), self.keys_file.as_deref())
    }
}

impl TlsSettings {
    /// The certificate's file and its key's; `None` where there is no TLS.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        Some((self.certificate.as_deref()?, self.key.as_deref()?))
    }

    /// How long a client may take to shake hands.
    pub fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms.get())
    }
}

impl TraceSettings {
    /// Takes the standard variable's collector, where the settings name none.
    fn default_to(&mut self, collector: Option<String>) -> Result<(), SettingsError> {
        if let (None, Some(collector)) = (&self.endpoint, collector.filter(|it| !it.is_empty())) {
            self.endpoint = Some(collector.try_into().map_err(SettingsError::Collector)?);
        }
        Ok(())
    }
}

impl TowerSettings {
    /// The tower's file: the one named, else the one shipped.
    pub fn file(&self) -> Result<PathBuf, SettingsError> {
        if let Some(named) = &self.path {
            return Ok(named.clone());
        }
        let exe = std::env::current_exe().ok();
        // Beside an installed program, or at the root of the checkout that `target/PROFILE/` stands in.
        let beside = exe.iter().flat_map(|exe| exe.ancestors().skip(1).take(3));
        std::iter::once(Path::new(""))
            .chain(beside)
            .map(|folder| folder.join(SHIPPED))
            .find(|path| path.is_file())
            .ok_or(SettingsError::NoTower)
    }

    /// How often to look whether the file is another, if at all.
    pub fn watch(&self) -> Option<Duration> {
        Some(self.watch_ms).filter(|it| 0 < *it).map(Duration::from_millis)
    }

    /// What a server does not have to find out.
    pub fn wishes(&self) -> Wishes {
        Wishes {
            sessions: NonZeroUsize::new(self.sessions),
            threads: NonZeroUsize::new(self.threads),
            largest_batch: NonZeroUsize::new(self.largest_batch),
        }
    }
}

impl PictureSettings {
    /// What a picture may cost.
    pub fn limits(&self) -> Limits {
        Limits { max_pixels: self.max_pixels, max_memory: self.max_memory_bytes }
    }

    /// How many pictures of up to so many pixels are decoded at once: at least one.
    pub fn decodes(&self, pixels: u64) -> usize {
        let most = match self.decodes {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            decodes => decodes,
        };
        let room = self.max_pixels_in_flight / pixels.max(1);
        usize::try_from(room).unwrap_or(most).clamp(1, most)
    }
}

impl Health {
    /// How often the self-test runs.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.self_test_interval_ms)
    }

    /// How old its last success may be.
    pub fn max_age(&self) -> Duration {
        Duration::from_millis(self.self_test_max_age_ms)
    }
}

impl Origin {
    /// What stands in the header `Origin`, or `*`.
    pub fn value(&self) -> &HeaderValue {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "an origin is https://host, https://host:port, or * for all";
        let site = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        // Browsers send it in lower case; another would never be met.
        let host =
            |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-._:[]".contains(&it);
        let sane = site.is_some_and(|it| !it.is_empty() && it.bytes().all(host));
        if !sane && text != "*" {
            return Err(WRONG);
        }
        text.try_into().map(Self).map_err(|_| WRONG)
    }
}

impl TryFrom<u16> for OverloadStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            429 | 503 => Ok(Self(status)),
            _ => Err("overload_status is 503 or 429"),
        }
    }
}

impl From<OverloadStatus> for u16 {
    fn from(status: OverloadStatus) -> Self {
        status.0
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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
            .map_err(|err| crate::telemetry::causes(&err))
    }

    #[test]
    fn later_places_win() {
        let file = "[server]\nlisten = \"127.0.0.1:1\"\ndeadline_ms = 5\n[tower]\nthreshold = 0.5";
        let variables = [("SIAMESE_SERVER__LISTEN", "127.0.0.1:2"), ("SIAMESE_TOWER__QUEUE", "9")];
        let overrides = Overrides { listen: "127.0.0.1:3".parse().ok(), ..Overrides::default() };

        let settings = settings(file, &variables, &overrides).expect("settings");

        assert_eq!(settings.server.listen.port(), 3);
        assert_eq!(settings.server.deadline_ms, 5);
        assert_eq!(settings.tower.queue.get(), 9);
        assert_eq!(settings.tower.threshold.map(Threshold::get), Some(0.5));
        assert_eq!(settings.server.max_in_flight.get(), 512);
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
            assert_eq!(settings.picture.decodes(pixels), decodes, "{pixels}");
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
        refused("[tower]\nthreshold = -1.0", &[], "threshold");
        refused("[tower]\ndevice = \"tpu\"", &[], "device");
        refused("[cuda]\nconvolution_search = \"thorough\"", &[], "convolution_search");
        refused("[cuda]\ndevice_id = -1", &[], "device_id");
        refused("", &[("SIAMESE_SERVER__DEADLINE_MS", "soon")], "deadline_ms");
        refused("", &[("SIAMESE_DEADLINE", "1")], "deadline");
        refused("[traces]\nendpoint = \"https://collector\"", &[], "endpoint");
        refused("[traces]\nratio = 1.1", &[], "ratio");
    }

    #[test]
    fn a_collector_is_the_settings_or_else_the_platforms() {
        let collector = |file, variable: Option<&str>| {
            let mut traces = settings(file, &[], &Overrides::default()).expect("settings").traces;
            let outcome = traces.default_to(variable.map(str::to_owned));
            outcome.map(|()| traces.endpoint.map(|it| it.to_string()))
        };
        let (ours, theirs) = ("[traces]\nendpoint = \"http://ours:1\"", Some("http://theirs:2"));
        let found = |it| collector(it, theirs).expect("settings");
        assert_eq!(found(ours).as_deref(), Some("http://ours:1/v1/traces"));
        assert_eq!(found("").as_deref(), Some("http://theirs:2/v1/traces"));
        assert_eq!(collector("", Some("")).expect("settings"), None);
        assert_eq!(collector("", None).expect("settings"), None);
        let said = collector("", Some("https://theirs")).expect_err("no settings").to_string();
        assert!(said.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{said}");
    }
}
