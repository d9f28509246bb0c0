//! Parses the query and the request's own headers.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use siamese_core::model::Choice;
use siamese_core::score::Threshold;
use utoipa::{IntoParams, ToSchema};

use super::mistake::shown;
use crate::engine::deployment::Deployment;
use crate::engine::judgement::{Criterion, Judge};
use crate::http::error::{Fault, Problem};
use crate::http::service::{Service, pinned};

/// A deadline that the client chooses. It can only shorten the server's.
const TIMEOUT: &str = "x-request-timeout-ms";

/// The error for more than one criterion.
const ONE_CRITERION: &str = "only one of `threshold` and `fmr` is allowed, and only once";

/// How pairs are decided: without a parameter, by the threshold in force.
#[derive(Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Judging {
    /// Decide by this threshold. It cannot be combined with `fmr`.
    #[param(minimum = 0.0, nullable = false)]
    threshold: Option<f64>,
    /// Decide by the operating point with the largest threshold whose false match rate is at most this. It cannot be
    /// combined with `threshold`.
    #[param(exclusive_minimum = 0.0, exclusive_maximum = 1.0, nullable = false)]
    fmr: Option<f64>,
}

/// Which face of an image counts, for a model that aligns faces.
#[derive(Default, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents a parameter")]
pub(crate) struct Choosing {
    /// `largest` uses the largest face of an image. `only` rejects an image with several faces. Without it, the setting
    /// `image.faces` applies. Only for a model that aligns faces.
    #[param(nullable = false, inline)]
    faces: Option<Choice>,
}

/// The deployment that serves a request, and a criterion that its model supports.
pub(crate) struct Ruling {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) choice: Choice,
    criterion: Criterion,
}

/// Whether a comparison is explained.
#[derive(Default, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents a parameter")]
pub(crate) struct Explaining {
    /// `map` explains the distance by places of the images. It takes several runs of the model, with bulk priority: 8 for a
    /// model with a map, else 134.
    #[param(nullable = false, inline)]
    explain: Option<Explain>,
}

/// How a comparison is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Explain {
    Map,
}

/// A ruling, and whether the comparison is explained.
pub(crate) struct Explained(pub(crate) Ruling, pub(crate) Option<Explain>);

/// A ruling by the threshold in force, for routes without a query.
pub(crate) struct InForce(pub(crate) Ruling);

/// The choice among the faces of an image, for routes without any other parameter.
pub(crate) struct Faces(pub(crate) Choice);

/// The same for a route whose model the body names.
pub(crate) struct Requested(Option<Choice>);

/// The request has no query.
pub(crate) struct NoQuery;

impl Ruling {
    fn new(
        (criterion, choice): (Criterion, Option<Choice>),
        head: &Parts,
        service: &Service,
    ) -> Result<Self, Fault> {
        let deployment = pinned(head);
        let choice = chosen(choice, &deployment, service)?;
        let ruling = Self { deployment, choice, criterion };
        ruling.judge()?;
        Ok(ruling)
    }

    /// Creates a judge with the threshold that follows from the criterion.
    pub(crate) fn judge(&self) -> Result<Judge<'_>, Fault> {
        self.deployment
            .judge(self.criterion)
            .map_err(|err| Fault::OperatingPointUnsupported(err.to_string()))
    }
}

impl FromRequestParts<Arc<Service>> for Ruling {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        Ok(Self::new(judging(head.uri.query())?, head, service)?)
    }
}

impl FromRequestParts<Arc<Service>> for Explained {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let mut explain = None;
        let judging = judging_and(head.uri.query(), |key, value| match (key, value) {
            ("explain", "map") if explain.is_none() => {
                explain = Some(Explain::Map);
                Ok(())
            }
            ("explain", _) => invalid("`explain` must be `map`, and is allowed only once"),
            _ => unknown(key),
        })?;
        Ok(Self(Ruling::new(judging, head, service)?, explain))
    }
}

impl FromRequestParts<Arc<Service>> for InForce {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        none(head.uri.query())?;
        Ok(Self(Ruling::new((Criterion::InForce, None), head, service)?))
    }
}

impl FromRequestParts<Arc<Service>> for Faces {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        Ok(Self(chosen(faces(head.uri.query())?, &pinned(head), service)?))
    }
}

impl<S: Sync> FromRequestParts<S> for Requested {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(faces(head.uri.query())?))
    }
}

impl Requested {
    /// The choice for a model.
    pub(crate) fn of(self, deployment: &Deployment, service: &Service) -> Result<Choice, Fault> {
        chosen(self.0, deployment, service)
    }
}

/// The choice of the request, else that of the settings. A model without a face detector supports no choice.
fn chosen(
    requested: Option<Choice>,
    deployment: &Deployment,
    service: &Service,
) -> Result<Choice, Fault> {
    if requested.is_some() && !deployment.model.preprocessor.aligns() {
        return Err(Fault::NoFaceDetector);
    }
    Ok(requested.unwrap_or(service.settings().image.faces))
}

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        none(head.uri.query())?;
        Ok(Self)
    }
}

/// Parses `faces=` alone.
fn faces(query: Option<&str>) -> Result<Option<Choice>, Fault> {
    let mut faces = None;
    for (key, value) in pairs(query) {
        match &*key {
            "faces" => take_faces(&mut faces, &value)?,
            _ => return unknown(&key),
        }
    }
    Ok(faces)
}

fn take_faces(faces: &mut Option<Choice>, value: &str) -> Result<(), Fault> {
    let Ok(choice) = value.trim_ascii().parse() else {
        return invalid("`faces` must be `largest` or `only`");
    };
    match faces.replace(choice) {
        None => Ok(()),
        Some(_) => invalid("`faces` is allowed only once"),
    }
}

/// Parses `threshold=` or `fmr=`, and `faces=`.
pub(crate) fn judging(query: Option<&str>) -> Result<(Criterion, Option<Choice>), Fault> {
    judging_and(query, |key, _| unknown(key))
}

/// Parses `threshold=` or `fmr=`, and `faces=`. `other` parses any other parameter.
fn judging_and(
    query: Option<&str>,
    mut other: impl FnMut(&str, &str) -> Result<(), Fault>,
) -> Result<(Criterion, Option<Choice>), Fault> {
    let (mut judging, mut faces) = (Judging::default(), None);
    for (key, value) in pairs(query) {
        if key == "faces" {
            take_faces(&mut faces, &value)?;
        } else if !judging.take(&key, &value)? {
            other(&key, &value)?;
        }
    }
    Ok((judging.criterion()?, faces))
}

impl Judging {
    /// Takes a parameter. Returns whether it is one of these.
    pub(super) fn take(&mut self, key: &str, value: &str) -> Result<bool, Fault> {
        let parameter = match key {
            "threshold" => &mut self.threshold,
            "fmr" => &mut self.fmr,
            _ => return Ok(false),
        };
        let Ok(number) = value.trim_ascii().parse() else {
            return invalid(&format!("`{key}` must be a number"));
        };
        if parameter.replace(number).is_some() {
            return invalid(ONE_CRITERION);
        }
        Ok(true)
    }

    /// The criterion that they state.
    pub(super) fn criterion(&self) -> Result<Criterion, Fault> {
        match (self.threshold, self.fmr) {
            (None, None) => Ok(Criterion::InForce),
            (Some(threshold), None) => match Threshold::try_from(threshold) {
                Ok(threshold) => Ok(Criterion::Threshold(threshold)),
                Err(err) => invalid(&err.to_string()),
            },
            (None, Some(fmr)) if 0.0 < fmr && fmr < 1.0 => Ok(Criterion::Fmr(fmr)),
            (None, Some(_)) => invalid("`fmr` must be greater than 0 and less than 1"),
            (Some(_), Some(_)) => invalid(ONE_CRITERION),
        }
    }
}

/// Rejects any query.
pub(crate) fn none(query: Option<&str>) -> Result<(), Fault> {
    pairs(query).next().map_or(Ok(()), |(key, _)| unknown(&key))
}

/// The time limit for a request: the server's, or a shorter one that the client chooses.
pub(crate) fn deadline(headers: &HeaderMap, most: Duration) -> Result<Duration, Fault> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(most) };
    match value.to_str().ok().and_then(|value| value.parse().ok()) {
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds).min(most)),
        None => invalid("the X-Request-Timeout-Ms header must be a whole number of milliseconds"),
    }
}

/// The decoded keys and values.
pub(super) fn pairs(query: Option<&str>) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
}

pub(super) fn unknown<T>(key: &str) -> Result<T, Fault> {
    invalid(&format!("`{}` is not a parameter of this route", shown(key)))
}

pub(super) fn invalid<T>(why: &str) -> Result<T, Fault> {
    Err(Fault::QueryInvalid(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(value: f64) -> Criterion {
        Criterion::Threshold(Threshold::try_from(value).expect("a threshold"))
    }

    #[test]
    fn one_criterion_is_accepted() {
        for (query, expected) in [
            (None, Criterion::InForce),
            (Some(""), Criterion::InForce),
            (Some("threshold=0.8"), threshold(0.8)),
            (Some("threshold=1e-3"), threshold(0.001)),
            (Some("fmr=0.01"), Criterion::Fmr(0.01)),
            (Some("threshold=0%2E8"), threshold(0.8)),
            (Some("%74hreshold=0.8"), threshold(0.8)),
            (Some("fmr=+0.01%20"), Criterion::Fmr(0.01)),
            (Some("&fmr=%2B0.01&"), Criterion::Fmr(0.01)),
        ] {
            assert_eq!(judging(query).ok(), Some((expected, None)), "{query:?}");
        }
    }

    #[test]
    fn a_choice_of_faces_is_accepted_beside_a_criterion() {
        let expected = (threshold(0.8), Some(Choice::Only));
        assert_eq!(judging(Some("faces=only&threshold=0.8")).ok(), Some(expected));
        assert_eq!(faces(Some("faces=largest")).ok(), Some(Some(Choice::Largest)));
        assert_eq!(faces(None).ok(), Some(None));
        assert!(faces(Some("threshold=0.8")).is_err());
    }

    #[test]
    fn all_other_queries_are_rejected() {
        for query in [
            "threshold=0.8&fmr=0.01",
            "threshold=1&threshold=1",
            "threshold",
            "threshold=",
            "threshold=x",
            "threshold=-1",
            "threshold=NaN",
            "threshold=inf",
            "fmr=0",
            "fmr=1",
            "fmr=-0.1",
            "treshold=1",
            "thresh+old=1",
            "threshold=0+8",
            "threshold%3D1",
            "fmr=%FF",
            "faces=all",
            "faces=",
            "faces=only&faces=only",
        ] {
            let fault = judging(Some(query)).expect_err(query);
            assert_eq!(fault.code(), "query_invalid", "{query}");
        }
    }

    #[test]
    fn a_client_only_shortens_its_deadline() {
        let most = Duration::from_secs(10);
        for (value, expected) in
            [("5", Some(5)), ("99999", Some(10_000)), ("soon", None), ("-1", None)]
        {
            let headers = HeaderMap::from_iter([(
                TIMEOUT.parse().expect("a name"),
                value.parse().expect("a value"),
            )]);
            match deadline(&headers, most) {
                Ok(found) => {
                    assert_eq!(Some(found), expected.map(Duration::from_millis), "{value}");
                }
                Err(fault) => {
                    assert_eq!((fault.code(), expected), ("query_invalid", None), "{value}");
                }
            }
        }
    }
}
