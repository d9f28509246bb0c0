//! `POST /verify`: `/compare` in `DeepFace`'s words, for its clients. Only where the settings ask for it.
//!
//! Its documented fields are read (`DeepFace`'s README, section "API"); those that choose a network or a detector are taken
//! and change nothing, as there is one tower and no detector here. What would be a false promise is refused.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use siamese_core::model::Length;
use siamese_core::score::Verdict;

use super::compare::judged;
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::http::request::accept::AcceptsJson;
use crate::http::request::form::Picture;
use crate::http::request::json::{self, Json};
use crate::http::request::mistake::malformed;
use crate::http::request::pairs::Pair;
use crate::http::request::query::InForce;
use crate::http::request::received::{Asked, Content, Received};
use crate::http::request::source::picture;
use crate::http::response::Answer;
use crate::http::service::Service;
use crate::ops::settings::Server;

const PICTURES: [&str; 2] = ["img1", "img2"];
const METRIC: &str = "distance_metric";
const SPOOFING: &str = "anti_spoofing";

/// How `DeepFace` measures distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Metric {
    Cosine,
    Euclidean,
    EuclideanL2,
}

/// What is to be verified.
pub(crate) struct Verification {
    pair: Pair,
    metric: Option<Metric>,
}

/// What a client sends, as members of an object or parts of a form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "T: Deserialize<'de>")]
#[expect(
    dead_code,
    reason = "what chooses among things of which there is one here, or none, changes nothing"
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

/// Nothing is known of where a face is.
#[derive(Default, Serialize)]
struct Areas {
    img1: Nowhere,
    img2: Nowhere,
}

#[derive(Default, Serialize)]
struct Nowhere {}

pub(crate) async fn verify(
    State(service): State<Arc<Service>>,
    _: AcceptsJson,
    InForce(ruling): InForce,
    request: Received<Verification>,
) -> Result<Response, Problem> {
    let Received { asked: Verification { pair, metric }, begun, deadline, .. } = request;
    let card = &ruling.on.tower.card;
    let metric = Metric::chosen(metric, card.length == Length::Unit)?;
    let (judgement, timings) = judged(&service, &ruling, pair, PICTURES, deadline).await?;
    let verified = Verified {
        is_same: judgement.verdict == Verdict::Same,
        distance: metric.of(judgement.distance.get()),
        threshold: metric.of(judgement.threshold.get()),
        model: &card.name,
        detector_backend: "skip",
        similarity_metric: metric,
        facial_areas: Areas::default(),
        time: begun.elapsed().as_secs_f64(),
    };
    Ok(Answer::json(&verified, timings))
}

impl Metric {
    fn named(name: &str) -> Result<Self, Problem> {
        match name {
            "cosine" => Ok(Self::Cosine),
            "euclidean" => Ok(Self::Euclidean),
            "euclidean_l2" => Ok(Self::EuclideanL2),
            _ => {
                Err(malformed("a distance metric is cosine, euclidean or euclidean_l2").of(METRIC))
            }
        }
    }

    /// The metric that was asked for, or `DeepFace`'s own; only embeddings of unit length have more than one.
    fn chosen(asked: Option<Self>, is_unit: bool) -> Result<Self, Problem> {
        match asked {
            Some(Self::Cosine | Self::EuclideanL2) if !is_unit => {
                let why = "this tower's distances are euclidean, as its embeddings are not of unit length";
                Err(malformed(why).of(METRIC))
            }
            Some(metric) => Ok(metric),
            None => Ok(if is_unit { Self::EuclideanL2 } else { Self::Euclidean }),
        }
    }

    /// An L2 distance by this metric. Between vectors of unit length it is √(2·cosine distance).
    fn of(self, distance: f64) -> f64 {
        match self {
            Self::Cosine => distance * distance / 2.0,
            Self::Euclidean | Self::EuclideanL2 => distance,
        }
    }
}

impl<T> Verify<T> {
    /// Reads what was sent, by how a picture, a text and a refusal of what is not done here look.
    fn read(
        self,
        picture: impl Fn(T) -> Result<Source, Fault>,
        text: impl Fn(T) -> Result<String, Fault>,
        is_off: impl Fn(T) -> bool,
    ) -> Result<Verification, Problem> {
        let [first, second] = PICTURES;
        let first = picture(self.img1).map_err(|fault| fault.of(first))?;
        let second = picture(self.img2).map_err(|fault| fault.of(second))?;
        let metric = self.distance_metric.map(|metric| {
            text(metric).map_err(|fault| fault.of(METRIC)).and_then(|it| Metric::named(&it))
        });
        if !self.anti_spoofing.is_none_or(is_off) {
            let why = "nothing here tells a face from a picture of one";
            return Err(malformed(why).of(SPOOFING));
        }
        Ok(Verification { pair: Pair([first, second]), metric: metric.transpose()? })
    }
}

impl Asked for Verification {
    fn read(content: Content, _: &Server) -> Result<Self, Problem> {
        const TEXT: &str = "this is text; a picture is base64 or a data URI";

        match content {
            Content::Json(body) => json::body::<Verify<Json>>(&body)?.read(
                |value| picture(&value.text(TEXT)?),
                |value| value.text(TEXT).map(Cow::into_owned),
                |value| value.0 == "false",
            ),
            Content::Form(form) => form.read::<Verify<Picture>>()?.read(
                |part| Ok(form.upload(&part)),
                |Picture(text)| Ok(String::from_utf8_lossy(text).into_owned()),
                |Picture(text)| text.eq_ignore_ascii_case(b"false"),
            ),
            Content::Picture(_) => Err(Fault::MediaTypeUnsupported(
                "two pictures come as multipart/form-data or application/json",
            )
            .into()),
        }
    }
}
