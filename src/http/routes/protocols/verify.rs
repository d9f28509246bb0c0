//! `POST /verify`: `/compare` with the request and response of `DeepFace`. Only if the settings enable it.
//!
//! It reads the fields that `DeepFace`'s README documents (section "API"). Fields that choose a model or a detector are
//! accepted and ignored, because this server has one model, which may have one detector. A field that would promise
//! something that the server does not do is rejected.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use siamese_core::model::Length;
use siamese_core::score::Verdict;

use crate::engine::judgement::{JudgedPair, Seen};
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::http::request::accept::AcceptsJson;
use crate::http::request::form::{Field, Image, url_encoded};
use crate::http::request::json::{self, Json};
use crate::http::request::mistake::malformed;
use crate::http::request::pairs::Pair;
use crate::http::request::query::InForce;
use crate::http::request::received::{Content, FromContent, Received};
use crate::http::request::source::upload;
use crate::http::response::timed_json;
use crate::http::routes::compare::judge_pair;
use crate::http::service::Service;
use crate::ops::settings::Server;

const IMAGES: [&str; 2] = ["img1", "img2"];
const METRIC: &str = "distance_metric";
const SPOOFING: &str = "anti_spoofing";

/// The distance metrics of `DeepFace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Metric {
    Cosine,
    Euclidean,
    EuclideanL2,
}

/// A parsed request.
pub(crate) struct Verification {
    pair: Pair,
    metric: Option<Metric>,
}

/// The request as members of an object or parts of a form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "T: Deserialize<'de>")]
#[expect(
    dead_code,
    reason = "options for which this server has one choice or none are accepted and ignored"
)]
struct Verify<T> {
    img1: T,
    img2: T,
    #[serde(default, deserialize_with = "json::given")]
    distance_metric: Option<T>,
    #[serde(default, deserialize_with = "json::given")]
    anti_spoofing: Option<T>,
    #[serde(default)]
    model_name: IgnoredAny,
    #[serde(default)]
    detector_backend: IgnoredAny,
    #[serde(default)]
    align: IgnoredAny,
    #[serde(default)]
    enforce_detection: IgnoredAny,
    #[serde(default)]
    max_faces: IgnoredAny,
}

#[derive(Serialize)]
struct Verified<'a> {
    #[serde(rename = "verified")]
    is_same: bool,
    distance: f64,
    threshold: f64,
    model: &'a str,
    detector_backend: &'static str,
    similarity_metric: Metric,
    facial_areas: Areas,
    /// In seconds.
    time: f64,
}

/// The positions of the faces; empty if the model embeds whole images.
#[derive(Serialize)]
struct Areas {
    img1: Area,
    img2: Area,
}

/// The position of a face as `DeepFace` returns it: whole pixels, and the eyes as the person's own left and right.
#[derive(Serialize)]
#[serde(untagged)]
enum Area {
    Unknown {},
    Known { x: i64, y: i64, w: i64, h: i64, left_eye: [i64; 2], right_eye: [i64; 2] },
}

impl Area {
    fn of(seen: Option<Seen>) -> Self {
        let Some(Seen { face: Some(face), .. }) = seen else { return Self::Unknown {} };
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        let whole = |length: f64| length.round() as i64;
        let [x, y, w, h] = face.area.map(whole);
        let left_eye = face.points.right_eye.map(whole);
        let right_eye = face.points.left_eye.map(whole);
        Self::Known { x, y, w, h, left_eye, right_eye }
    }
}

pub(crate) async fn verify(
    State(service): State<Arc<Service>>,
    _: AcceptsJson,
    InForce(ruling): InForce,
    request: Received<Verification>,
) -> Result<Response, Problem> {
    let Received { content: Verification { pair, metric }, begun, deadline, .. } = request;
    let card = &ruling.deployment.model.card;
    let metric = Metric::chosen(metric, card.length == Length::Unit)?;
    let (JudgedPair { judgement, a, b, .. }, timings) =
        judge_pair(&service, &ruling, pair, IMAGES, deadline).await?;
    let verified = Verified {
        is_same: judgement.verdict == Verdict::Same,
        distance: metric.of(judgement.distance.get()),
        threshold: metric.of(judgement.threshold.get()),
        model: &card.name,
        detector_backend: "skip",
        similarity_metric: metric,
        facial_areas: Areas { img1: Area::of(a), img2: Area::of(b) },
        time: begun.elapsed().as_secs_f64(),
    };
    Ok(timed_json(&verified, timings))
}

impl Metric {
    fn named(name: &str) -> Result<Self, Problem> {
        match name {
            "cosine" => Ok(Self::Cosine),
            "euclidean" => Ok(Self::Euclidean),
            "euclidean_l2" => Ok(Self::EuclideanL2),
            _ => {
                let why = "`distance_metric` must be cosine, euclidean or euclidean_l2";
                Err(malformed(why).of(METRIC))
            }
        }
    }

    /// The requested metric, or `DeepFace`'s default. Embeddings that are not of unit length support only one.
    fn chosen(requested: Option<Self>, is_unit: bool) -> Result<Self, Problem> {
        match requested {
            Some(Self::Cosine | Self::EuclideanL2) if !is_unit => {
                let why = "this model supports only euclidean, because its embeddings do not have unit length";
                Err(malformed(why).of(METRIC))
            }
            Some(metric) => Ok(metric),
            None => Ok(if is_unit { Self::EuclideanL2 } else { Self::Euclidean }),
        }
    }

    /// Converts an L2 distance to this metric. For vectors of unit length, it is √(2·cosine distance).
    fn of(self, distance: f64) -> f64 {
        match self {
            Self::Cosine => distance * distance / 2.0,
            Self::Euclidean | Self::EuclideanL2 => distance,
        }
    }
}

impl<T> Verify<T> {
    /// Reads the request, with functions that read an image and a text.
    fn read(
        self,
        image: impl Fn(T) -> Result<Source, Fault>,
        text: impl Fn(T) -> Result<String, Fault>,
    ) -> Result<Verification, Problem> {
        let [first, second] = IMAGES;
        let first = image(self.img1).map_err(|fault| fault.of(first))?;
        let second = image(self.img2).map_err(|fault| fault.of(second))?;
        let metric = self.distance_metric.map(|metric| {
            text(metric).map_err(|fault| fault.of(METRIC)).and_then(|name| Metric::named(&name))
        });
        let spoofing = self.anti_spoofing.map(text).transpose();
        let spoofing = spoofing.map_err(|fault| fault.of(SPOOFING))?;
        if !spoofing.is_none_or(|option| is_off(&option)) {
            let why = "this server has no anti-spoofing: it cannot tell a face from a photograph of one; leave the option \
                       out, or set it to false";
            return Err(malformed(why).of(SPOOFING));
        }
        Ok(Verification { pair: Pair([first, second]), metric: metric.transpose()? })
    }
}

/// Whether a text is one of the ways in which clients turn an option off.
fn is_off(option: &str) -> bool {
    let option = option.trim_ascii();
    option.parse() == Ok(0.0)
        || ["", "false", "off", "no", "none", "null"]
            .iter()
            .any(|off| option.eq_ignore_ascii_case(off))
}

impl FromContent for Verification {
    fn read(content: Content, _: &Server) -> Result<Self, Problem> {
        match content {
            Content::Json(body) => from_json(&body),
            Content::Form(form) => from_form(form.read()?, |file| form.upload(&Image(file))),
            Content::UrlEncoded(body) => from_form(url_encoded(&body)?, |file| {
                Source::Upload(body.slice_ref(file))
            }),
            Content::Image(_) | Content::Tensor { .. } => Err(Fault::MediaTypeUnsupported(
                "send two images as application/json, multipart/form-data or application/x-www-form-urlencoded",
            )
            .into()),
        }
    }

    fn images(&self) -> usize {
        self.pair.images()
    }
}

fn from_json(body: &[u8]) -> Result<Verification, Problem> {
    const TEXT: &str = "the value must be text; an image is base64 or a data URI";

    let mut verify: Verify<Json> = json::body(body)?;
    // Many clients send `null` for an option that they leave out.
    for option in [&mut verify.distance_metric, &mut verify.anti_spoofing] {
        option.take_if(|value| value.0 == "null");
    }
    verify.read(
        |value| upload(&value.text(TEXT)?),
        |value| match value.0.as_bytes() {
            [b'"', ..] => value.text(TEXT).map(Cow::into_owned),
            _ => Ok(value.0.to_owned()),
        },
    )
}

/// Reads a form; `file` converts a file in it to an image.
fn from_form(
    verify: Verify<Field>,
    file: impl Fn(&[u8]) -> Source,
) -> Result<Verification, Problem> {
    verify.read(
        |field| match field {
            Field::Text(text) => upload(&text),
            Field::File(bytes) => Ok(file(bytes)),
        },
        |field| match field {
            Field::Text(text) => Ok(text.into_owned()),
            Field::File(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        },
    )
}
