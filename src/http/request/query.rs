//! What a request says outside its body.

use std::time::Duration;

use axum::http::HeaderMap;
use siamese_core::score::Threshold;
use tokio::time::Instant;

use super::source::shown;
use crate::engine::judgement::Criterion;
use crate::http::error::Fault;
use crate::http::service::Service;

/// A client's own deadline; it can only shorten the server's.
const TIMEOUT: &str = "x-request-timeout-ms";

/// Reads `threshold=` or `fmr=`.
pub(crate) fn criterion(query: Option<&str>) -> Result<Criterion, Fault> {
    let mut criterion = Criterion::InForce;
    for (key, value) in pairs(query) {
        if criterion != Criterion::InForce {
            return invalid("a query has one of `threshold` and `fmr`, once");
        }
        let number: Option<f64> = value.parse().ok();
        criterion = match (key, number) {
            ("threshold", Some(number)) => match Threshold::try_from(number) {
                Ok(threshold) => Criterion::Threshold(threshold),
                Err(err) => return invalid(&err.to_string()),
            },
            ("fmr", Some(number)) if 0.0 < number && number < 1.0 => Criterion::Fmr(number),
            ("fmr", Some(_)) => return invalid("an FMR lies between 0 and 1"),
            ("threshold" | "fmr", None) => return invalid(&format!("`{key}` is a number")),
            _ => return unknown(key),
        };
    }
    Ok(criterion)
}

/// Refuses any query.
pub(crate) fn none(query: Option<&str>) -> Result<(), Fault> {
    pairs(query).next().map_or(Ok(()), |(key, _)| unknown(key))
}

/// When a request that came just now must have its answer.
pub(crate) fn deadline(headers: &HeaderMap, service: &Service) -> Result<Instant, Fault> {
    Ok(Instant::now() + time_out(headers, service.settings().server.deadline())?)
}

/// The time a request's work may take: the server's, or less where the client says so.
pub(crate) fn time_out(headers: &HeaderMap, most: Duration) -> Result<Duration, Fault> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(most) };
    match value.to_str().ok().and_then(|it| it.parse().ok()) {
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds).min(most)),
        None => invalid("the header X-Request-Timeout-Ms is a whole number of milliseconds"),
    }
}

/// Keys and values need no decoding: those that are known have no character that is ever encoded.
fn pairs(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    query
        .unwrap_or_default()
        .split('&')
        .filter(|it| !it.is_empty())
        .map(|it| it.split_once('=').unwrap_or((it, "")))
}

fn unknown<T>(key: &str) -> Result<T, Fault> {
    invalid(&format!("`{}` is unknown here", shown(key)))
}

fn invalid<T>(why: &str) -> Result<T, Fault> {
    Err(Fault::QueryInvalid(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(value: f64) -> Criterion {
        Criterion::Threshold(Threshold::try_from(value).expect("a threshold"))
    }

    #[test]
    fn one_criterion_is_taken() {
        for (query, expected) in [
            (None, Criterion::InForce),
            (Some(""), Criterion::InForce),
            (Some("threshold=0.8"), threshold(0.8)),
            (Some("threshold=1e-3"), threshold(0.001)),
            (Some("fmr=0.01"), Criterion::Fmr(0.01)),
        ] {
            assert_eq!(criterion(query).ok(), Some(expected), "{query:?}");
        }
    }

    #[test]
    fn whatever_else_is_refused() {
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
        ] {
            let fault = criterion(Some(query)).expect_err(query);
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
            match time_out(&headers, most) {
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
