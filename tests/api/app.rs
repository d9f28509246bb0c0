//! The service without a socket, and the pictures and forms that tests send it.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::BodyExt;
use serde_json::Value;
use siamese::engine::batch::Batcher;
use siamese::engine::deployment::Deployment;
use siamese::engine::{Engine, Event};
use siamese::http::{Metrics, Service, router};
use siamese::ops::settings::{Overrides, Settings};
use siamese_core::model::{Description, Device, OnnxTower, Options, Tower};
use tower::ServiceExt;

use crate::patience::{eventually, within};

/// Two pictures of one person, and one of another; none was trained on.
pub(crate) const SAME: [&str; 2] = ["s5_1.jpg", "s5_2.jpg"];
pub(crate) const OTHER: &str = "s1_1.jpg";

/// Longer than any answer takes, of many large pictures on a busy machine.
const LONGEST: Duration = Duration::from_mins(3);

/// The service of one tower.
pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) service: Arc<Service>,
    pub(crate) tower: Arc<Description>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Milliseconds of a setting that can't be 0.
pub(crate) fn milliseconds(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).expect("not 0")
}

/// Bytes, or a number, of a setting that can't be 0.
pub(crate) fn at_most(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("not 0")
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn shipped() -> PathBuf {
    root().join("models/faces.onnx")
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

pub(crate) fn face(name: &str) -> Vec<u8> {
    let path = root().join("samples").join(name);
    std::fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

pub(crate) fn load(path: &Path) -> OnnxTower {
    let options = Options { device: Device::Cpu, ..Options::default() };
    OnnxTower::load(path, &options).unwrap_or_else(|err| panic!("{err}"))
}

/// The shipped tower, loaded once for all tests.
pub(crate) fn shared() -> &'static (Batcher, Arc<Description>) {
    static SHARED: OnceLock<(Batcher, Arc<Description>)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let tower = load(&shipped());
        let description = tower.description().clone();
        (Batcher::start(vec![tower], at_most(256), 32, |_| ()), description)
    })
}

/// The default settings, changed; the self-test runs only where a test asks for it.
fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::load(None, &Overrides::default()).expect("default settings");
    settings.health.self_test_interval_ms = milliseconds(3_600_000);
    change(&mut settings);
    settings
}

impl App {
    /// The shipped tower under the default settings.
    pub(crate) fn start() -> Self {
        Self::with(|_| ())
    }

    /// The shipped tower under changed settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (batcher, description) = shared();
        let metrics = Arc::new(Metrics::new());
        Self::build(batcher.clone(), description.clone(), metrics, settings(change))
    }

    /// Another tower.
    pub(crate) fn of(tower: OnnxTower) -> Self {
        let description = tower.description().clone();
        Self::run_by(tower, description, 256)
    }

    /// A tower that runs in place of the one described, with so many places for pictures.
    pub(crate) fn run_by(tower: impl Tower, description: Arc<Description>, places: usize) -> Self {
        Self::run_with(tower, description, places, |_| ())
    }

    /// The same, under changed settings.
    pub(crate) fn run_with(
        tower: impl Tower,
        description: Arc<Description>,
        places: usize,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let metrics = Arc::new(Metrics::new());
        let observer = metrics.observer();
        let observe = move |event| observer(Event::Run(event));
        let batcher = Batcher::start(vec![tower], at_most(places), 32, observe);
        Self::build(batcher, description, metrics, settings(change))
    }

    fn build(
        batcher: Batcher,
        tower: Arc<Description>,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        let deployment = Deployment::new(tower.clone(), batcher, &settings);
        let keys = Arc::new(settings.auth.load().expect("keys"));
        let program = env!("CARGO_BIN_EXE_siamese").into();
        let engine = Engine::new(settings, deployment, metrics.observer(), program);
        let service = Arc::new(Service::new(Arc::new(engine), metrics));
        Self { router: router(service.clone(), keys), service, tower }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let what = format!("an answer to {} {}", request.method(), request.uri());
        let answer = async {
            let response = self.router.clone().oneshot(request).await.expect("infallible");
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
            Answer { status: parts.status, headers: parts.headers, body }
        };
        within(LONGEST, &what, answer).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// Waits until a line of its metrics is this.
    pub(crate) async fn until_told(&self, line: &str) {
        let is_told = async || {
            let told = String::from_utf8(self.get("/metrics").await.ok().body).expect("text");
            told.lines().any(|it| it == line)
        };
        eventually(line, is_told).await;
    }

    pub(crate) async fn post(&self, path: &str, media: &str, body: impl Into<Body>) -> Answer {
        self.send(post(path, media).body(body.into()).expect("a request")).await
    }

    pub(crate) async fn json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, "application/json", body.to_string()).await
    }

    /// Compares two pictures of one person.
    pub(crate) async fn compare(&self) -> Answer {
        self.form("/compare", &[("a", &face(SAME[0])), ("b", &face(SAME[1]))]).await
    }

    pub(crate) async fn form(&self, path: &str, parts: &[(&str, &[u8])]) -> Answer {
        let (media, body) = form(parts);
        self.post(path, &media, body).await
    }
}

pub(crate) fn post(path: &str, media: &str) -> axum::http::request::Builder {
    Request::builder().method(Method::POST).uri(path).header(header::CONTENT_TYPE, media)
}

/// A form's media type and body.
pub(crate) fn form(parts: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "between-the-parts";
    let mut body = Vec::new();
    for (name, bytes) in parts {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|err| panic!("{err}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    /// Checks that it is a problem of this status and code, and gives its culprit.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Option<String> {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(
            (self.status.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{problem}"
        );
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().is_some_and(|it| !it.is_empty()));
        problem["field"].as_str().map(str::to_owned)
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}
