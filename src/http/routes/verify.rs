//! `POST /verify`: `/compare` in `DeepFace`'s words, for its clients. Only where the settings ask for it.
//!
//! Its documented fields are read (`DeepFace`'s README, section "API"); those that choose a network or a detector are taken
//! and change nothing, as there is one tower and no detector here. What would be a false promise is refused.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use siamese_core::model::Length;
use siamese_core::score::Verdict;

use super::compare::{Pair, judge, judged};
use crate::engine::judgement::Criterion;
use crate::engine::pipeline::Source;
use crate::http::error::{Fault, Problem};
use crate::http::request::accept;
use crate::http::request::body;
use crate::http::request::media::{Media, media};
use crate::http::request::multipart;
use crate::http::request::query;
use crate::http::request::source::{Raw, shown};
use crate::http::response::Answer;
use crate::http::service::Service;

const PICTURES: [&str; 2] = ["img1", "img2"];
const METRIC: &str = "distance_metric";
const SPOOFING: &str = "anti_spoofing";
/// What chooses among things of which there is one here, or none.
const IGNORED: [&str; 5] =
    ["model_name", "detector_backend", "align", "enforce_detection", "max_faces"];

/// How `DeepFace` measures distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Metric {
    Cosine,
    Euclidean,
    EuclideanL2,
}

/// What is to be verified.
struct Asked {
    pair: Pair,
    metric: Option<Metric>,
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
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    accept::json(&headers)?;
    query::none(query.as_deref())?;
    let on = service.engine.deployment();
    let judge = judge(Criterion::InForce, &service, &on)?;
    let deadline = query::deadline(&headers, &service)?;
    let media = media(&headers)?;
    let (body, _room) = body::read(body, &headers, &service, deadline).await?;
    let Asked { pair, metric } = match media {
        Media::Json => Raw::read(body, |json| asked(json.members()?)).await?,
        Media::Multipart => {
            let names = [&PICTURES[..], &[METRIC, SPOOFING], &IGNORED].concat();
            let parts = multipart::parts(&body, &headers, &names)?;
            from_parts(parts)?
        }
        Media::Picture => {
            let why = "two pictures come as multipart/form-data or application/json";
            return Err(Fault::MediaTypeUnsupported(why).into());
        }
    };
    let is_unit = on.tower.card.length == Length::Unit;
    let metric = metric.unwrap_or(if is_unit { Metric::EuclideanL2 } else { Metric::Euclidean });
    if metric != Metric::Euclidean && !is_unit {
        let why = "this tower's distances are euclidean, as its embeddings are not of unit length";
        return Err(Fault::BodyMalformed(why.to_owned()).of(METRIC));
    }
    let (judgement, timings) = judged(&service, &on, &judge, pair, deadline).await?;
    let verified = Verified {
        is_same: judgement.verdict == Verdict::Same,
        distance: metric.of(judgement.distance.get()),
        threshold: metric.of(judgement.threshold.get()),
        model: &on.tower.card.name,
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
                let why = "a distance metric is cosine, euclidean or euclidean_l2";
                Err(Fault::BodyMalformed(why.to_owned()).of(METRIC))
            }
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

fn asked(members: Vec<(String, Raw)>) -> Result<Asked, Problem> {
    let (mut pictures, mut metric) = ([None, None], None);
    for (name, value) in members {
        match (name.as_str(), value) {
            ("img1", text @ Raw::Text(_)) => pictures[0] = Some(text.into_source("img1")?),
            ("img2", text @ Raw::Text(_)) => pictures[1] = Some(text.into_source("img2")?),
            (METRIC, Raw::Text(name)) => metric = Some(Metric::named(&name)?),
            (SPOOFING, value) => refuse_spoofing(matches!(value, Raw::Bool(false)))?,
            (name, _) if IGNORED.contains(&name) => {}
            (name, _) if PICTURES.contains(&name) || name == METRIC => {
                let why = "this is text; a picture is base64 or a data URI";
                return Err(Fault::BodyMalformed(why.to_owned()).of(name));
            }
            (name, _) => return Err(Fault::PartUnexpected.of(shown(name))),
        }
    }
    complete(pictures, metric)
}

fn from_parts(parts: Vec<(&'static str, bytes::Bytes)>) -> Result<Asked, Problem> {
    let (mut pictures, mut metric) = ([None, None], None);
    for (name, bytes) in parts {
        match name {
            METRIC => metric = Some(Metric::named(&String::from_utf8_lossy(&bytes))?),
            SPOOFING => refuse_spoofing(bytes.eq_ignore_ascii_case(b"false"))?,
            _ => {
                let place = PICTURES.iter().position(|it| *it == name);
                if let Some(at) = place
                    && pictures[at].replace(Source::Upload(bytes)).is_some()
                {
                    return Err(Fault::PartRepeated.of(name));
                }
            }
        }
    }
    complete(pictures, metric)
}

fn refuse_spoofing(is_off: bool) -> Result<(), Problem> {
    if is_off {
        return Ok(());
    }
    let why = "nothing here tells a face from a picture of one";
    Err(Fault::BodyMalformed(why.to_owned()).of(SPOOFING))
}

fn complete(pictures: [Option<Source>; 2], metric: Option<Metric>) -> Result<Asked, Problem> {
    let [first, second] = pictures;
    let missing = |name: &str| Fault::PartMissing.of(name);
    let first = first.ok_or_else(|| missing(PICTURES[0]))?;
    let second = second.ok_or_else(|| missing(PICTURES[1]))?;
    let [first_name, second_name] = PICTURES.map(str::to_owned);
    Ok(Asked { pair: [(first_name, first), (second_name, second)], metric })
}
