//! The service without a socket, and the images and forms that the tests send.

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
use siamese::engine::deployment::{DeployError, Deployment};
use siamese::engine::models::{Models, Served};
use siamese::engine::{Engine, Event, ModelEvent};
use siamese::http::{Metrics, Service, router};
use siamese::ops::settings::{NamedModel, Overrides, Settings};
use siamese_core::file::FileStamps;
use siamese_core::model::{Description, Device, Model, OnnxModel, Options};
use tower::ServiceExt;

use crate::patience::{eventually, within};

/// Two images of one identity, and one of another. The model was not trained on any of them.
pub(crate) const SAME: [&str; 2] = ["s5_1.jpg", "s5_2.jpg"];
pub(crate) const OTHER: &str = "s1_1.jpg";

/// Longer than any response takes, even for many large images on a busy machine.
const LONGEST: Duration = Duration::from_mins(3);

/// The service with one model or several.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) service: Arc<Service>,
    pub(crate) model: Arc<Description>,
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A setting in milliseconds that must not be 0.
pub(crate) fn milliseconds(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).expect("not 0")
}

/// A setting in bytes, or a count, that must not be 0.
pub(crate) fn at_most(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("not 0")
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn shipped() -> PathBuf {
    root().join("models/orl.onnx")
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

pub(crate) fn load(path: &Path) -> OnnxModel {
    let options = Options { device: Device::Cpu, ..Options::default() };
    OnnxModel::load(path, &options).unwrap_or_else(|err| panic!("{}", siamese_core::causes(&err)))
}

/// The shipped model, loaded once for all tests.
pub(crate) fn shared() -> &'static (Batcher, Arc<Description>) {
    static SHARED: OnceLock<(Batcher, Arc<Description>)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let model = load(&shipped());
        let description = model.description().clone();
        (Batcher::start(vec![model], at_most(256), 32, |_| ()), description)
    })
}

/// The default settings with changes. The self-test runs only if a test turns it on.
fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::load(None, &Overrides::default()).expect("default settings");
    settings.health.self_test_interval_ms = milliseconds(3_600_000);
    change(&mut settings);
    settings
}

/// The name and the file of the model.
fn origin(settings: &Settings) -> NamedModel {
    let file = settings.model.file.clone().unwrap_or_else(shipped);
    NamedModel { threshold: settings.model.threshold, ..NamedModel::of_file(file) }
}

fn served(
    origin: NamedModel,
    batcher: Batcher,
    model: Arc<Description>,
    settings: &Settings,
) -> Arc<Served> {
    let deployment = Deployment::new(&origin, model, batcher, settings);
    Arc::new(Served::new(origin, deployment, FileStamps::default()))
}

impl App {
    /// The shipped model with the default settings.
    pub(crate) fn start() -> Self {
        Self::with(|_| ())
    }

    /// The shipped model with changed settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::sharing(shared(), change)
    }

    /// A model that several tests share, with changed settings.
    pub(crate) fn sharing(
        (batcher, description): &(Batcher, Arc<Description>),
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let metrics = Arc::new(Metrics::new());
        Self::build(batcher.clone(), description.clone(), metrics, settings(change))
    }

    /// The service with another model.
    pub(crate) fn of(model: OnnxModel) -> Self {
        let description = model.description().clone();
        Self::with_model(model, description, 256)
    }

    /// A model that runs in place of the described one, with this queue length.
    pub(crate) fn with_model(
        model: impl Model,
        description: Arc<Description>,
        places: usize,
    ) -> Self {
        Self::with_model_and_settings(model, description, places, |_| ())
    }

    /// The same with changed settings.
    pub(crate) fn with_model_and_settings(
        model: impl Model,
        description: Arc<Description>,
        places: usize,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let (metrics, settings) = (Arc::new(Metrics::new()), settings(change));
        let (observer, name) = (metrics.observer(), origin(&settings).name);
        let observe = move |event| observer(Event::Model(name.as_str(), ModelEvent::Run(event)));
        let batcher = Batcher::start(vec![model], at_most(places), 32, observe);
        Self::build(batcher, description, metrics, settings)
    }

    /// Several models by their names, with changed settings. The first one serves requests that name none.
    pub(crate) fn several(
        models: Vec<(&str, Batcher, Arc<Description>)>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let settings = settings(change);
        let first = models[0].2.clone();
        let models = models.into_iter().map(|(name, batcher, model)| {
            let name = name.parse().expect("a name");
            let origin = NamedModel { name, ..origin(&settings) };
            served(origin, batcher, model, &settings)
        });
        Self::serve(models.collect(), first, Arc::new(Metrics::new()), settings)
    }

    fn build(
        batcher: Batcher,
        model: Arc<Description>,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        let served = served(origin(&settings), batcher, model.clone(), &settings);
        Self::serve([served].into(), model, metrics, settings)
    }

    fn serve(
        models: Models,
        model: Arc<Description>,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        let keys = Arc::new(settings.auth.load().expect("keys"));
        let program = env!("CARGO_BIN_EXE_siamese").into();
        let engine = Engine::new(settings, models, metrics.observer(), program);
        let service = Arc::new(Service::new(Arc::new(engine), metrics));
        Self { router: router(service.clone(), keys), service, model }
    }

    /// Swaps the model's file in, as it is now.
    pub(crate) async fn swap(&self) -> Result<Arc<Deployment>, DeployError> {
        let engine = self.service.engine();
        engine.swap(&engine.models()[0]).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> TestResponse {
        let what = format!("a response to {} {}", request.method(), request.uri());
        let response = async {
            let response = self.router.clone().oneshot(request).await.expect("infallible");
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
            TestResponse { status: parts.status, headers: parts.headers, body }
        };
        within(LONGEST, &what, response).await
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// Waits until the metrics have this line.
    pub(crate) async fn until_metric(&self, line: &str) {
        let is_exported = async || {
            let metrics = String::from_utf8(self.get("/metrics").await.ok().body).expect("text");
            metrics.lines().any(|found| found == line)
        };
        eventually(line, is_exported).await;
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        media: &str,
        body: impl Into<Body>,
    ) -> TestResponse {
        self.send(post(path, media).body(body.into()).expect("a request")).await
    }

    pub(crate) async fn json(&self, path: &str, body: &Value) -> TestResponse {
        self.post(path, "application/json", body.to_string()).await
    }

    /// Compares two images of one identity.
    pub(crate) async fn compare(&self) -> TestResponse {
        self.form("/compare", &[("a", &face(SAME[0])), ("b", &face(SAME[1]))]).await
    }

    pub(crate) async fn form(&self, path: &str, parts: &[(&str, &[u8])]) -> TestResponse {
        let (media, body) = form(parts);
        self.post(path, &media, body).await
    }
}

pub(crate) fn post(path: &str, media: &str) -> axum::http::request::Builder {
    Request::builder().method(Method::POST).uri(path).header(header::CONTENT_TYPE, media)
}

/// The media type and the body of a form.
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

impl TestResponse {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|err| panic!("{err}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|text| text.to_str().ok()).unwrap_or_default()
    }

    /// Checks that the response is a problem with this status and code. Returns the faulty field.
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
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        problem["field"].as_str().map(str::to_owned)
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}
