//! `[log]`, `[traces]`: the log and the traces of requests.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;

use super::SettingsError;
use crate::ops::telemetry::{LogFormat, LoggedRequests};
use crate::ops::traces::{
    Authorities, Collector, Endpoint, Headers, InvalidEndpoint, InvalidList, Ratio, Resource,
};

/// The standard variables of platforms that name a collector. A variable for traces only has priority.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const COLLECTOR_OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
const AUTHORITIES: [&str; 2] =
    ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];
const SERVICE: &str = "OTEL_SERVICE_NAME";
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The format of a line.
    pub format: LogFormat,
    /// Which requests are logged.
    pub requests: LoggedRequests,
}

/// `[traces]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceSettings {
    endpoint: Option<Endpoint>,
    /// The share of requests without a parent span that are traced.
    pub ratio: Ratio,
    /// The collector, from the endpoint above or the platform's variables. Without one, nothing is sent.
    #[serde(skip)]
    pub collector: Option<Collector>,
}

/// Why a variable can't be used. The message does not contain the value, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidVariable {
    /// It is not text.
    #[error("it is not UTF-8")]
    NoText,
    /// It is not a valid endpoint.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// It is not a valid list of headers or attributes.
    #[error(transparent)]
    List(#[from] InvalidList),
}

impl TraceSettings {
    /// Finds the collector in the settings, or else in the platform's variables, and reads its other variables.
    /// Without a collector, no other variable is read.
    pub(super) fn find_collector(
        &mut self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<(), SettingsError> {
        let read = |name| text(&environment, name);
        let endpoint = match &self.endpoint {
            Some(endpoint) => Some(endpoint.clone()),
            None => match read(COLLECTOR_OF_TRACES)? {
                Some(text) => Some(named(COLLECTOR_OF_TRACES, Endpoint::exact(&text))?),
                None => match read(COLLECTOR)? {
                    Some(text) => Some(named(COLLECTOR, text.try_into())?),
                    None => None,
                },
            },
        };
        let Some(endpoint) = endpoint else { return Ok(()) };
        let mut headers = Headers::default();
        if let Some((name, text)) = first(&environment, HEADERS)? {
            headers = named(name, text.parse())?;
        }
        let authorities = first(&environment, AUTHORITIES)?
            .map(|(variable, path)| Authorities { variable, path: PathBuf::from(path) });
        let attributes = read(RESOURCE)?.unwrap_or_default();
        let resource = named(RESOURCE, Resource::read(read(SERVICE)?, &attributes))?;
        self.collector = Some(Collector { endpoint, headers, authorities, resource });
        Ok(())
    }
}

/// The text of a variable; an empty one counts as unset.
fn text(
    environment: impl Fn(&str) -> Option<OsString>,
    name: &'static str,
) -> Result<Option<String>, SettingsError> {
    let Some(value) = environment(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    named(name, value.into_string().map_err(|_| InvalidVariable::NoText)).map(Some)
}

/// The first of two variables that is set, with its name.
fn first(
    environment: impl Fn(&str) -> Option<OsString>,
    names: [&'static str; 2],
) -> Result<Option<(&'static str, String)>, SettingsError> {
    for name in names {
        if let Some(text) = text(&environment, name)? {
            return Ok(Some((name, text)));
        }
    }
    Ok(None)
}

/// Adds the variable's name to an error.
fn named<T>(
    name: &'static str,
    outcome: Result<T, impl Into<InvalidVariable>>,
) -> Result<T, SettingsError> {
    outcome.map_err(|why| SettingsError::Variable { name: name.into(), why: why.into() })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use siamese_core::causes;

    use super::*;

    const OURS: Option<&str> = Some("http://ours:1");
    const THEIRS: (&str, &str) = (COLLECTOR, "http://theirs:2");

    fn find(
        ours: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Option<Collector>, SettingsError> {
        let endpoint = ours.map(|endpoint| endpoint.to_owned().try_into().expect("an endpoint"));
        let ratio = 1.0.try_into().expect("a ratio");
        let mut settings = TraceSettings { endpoint, ratio, collector: None };
        settings.find_collector(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        })?;
        Ok(settings.collector)
    }

    #[test]
    fn the_settings_take_precedence_over_the_platforms_variables() {
        let found = |ours, variables: &[_]| {
            let found = find(ours, variables).expect("settings");
            found.map(|collector| collector.endpoint.to_string()).unwrap_or_default()
        };
        let of_traces = (COLLECTOR_OF_TRACES, "https://traces:3/theirs");
        assert_eq!(found(OURS, &[THEIRS, of_traces]), "http://ours:1/v1/traces");
        assert_eq!(found(None, &[THEIRS, of_traces]), "https://traces:3/theirs");
        assert_eq!(found(None, &[THEIRS]), "http://theirs:2/v1/traces");
        assert_eq!(found(None, &[(COLLECTOR, "")]), "");
        assert_eq!(found(None, &[(HEADERS[1], "no list"), (RESOURCE, "none")]), "");
    }

    #[test]
    fn variables_for_traces_only_take_precedence() {
        let [of_traces, of_all] = HEADERS;
        let files = AUTHORITIES.map(|variable| (variable, "ca.pem"));
        let variables = [THEIRS, (of_all, "a=1,b=2"), (of_traces, "a=3"), files[0], files[1]];
        let found = find(None, &variables).expect("settings").expect("a collector");
        assert_eq!(format!("{:?}", found.headers), r#"Headers({"a": Sensitive})"#);
        let authorities = found.authorities.expect("a file");
        assert_eq!((authorities.variable, authorities.path), (AUTHORITIES[0], "ca.pem".into()));
    }

    #[test]
    fn an_invalid_variable_is_refused_by_name_without_its_value() {
        for (name, value) in [
            (COLLECTOR, "grpc://secret"),
            (COLLECTOR_OF_TRACES, "secret"),
            (HEADERS[0], "secret"),
            (HEADERS[1], "a=b,secret"),
            (RESOURCE, "secret"),
        ] {
            let ours = OURS.filter(|_| ![COLLECTOR, COLLECTOR_OF_TRACES].contains(&name));
            let message = causes(&find(ours, &[(name, value)]).expect_err("no settings"));
            assert!(message.starts_with(&format!("{name} is invalid: ")), "{message}");
            assert!(!message.contains("secret") && !message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn a_variable_that_is_not_text_is_refused() {
        let why = text(|_| Some(OsStr::from_bytes(b"\xff").to_owned()), SERVICE);
        let message = causes(&why.expect_err("no text"));
        assert_eq!(message, "OTEL_SERVICE_NAME is invalid: it is not UTF-8");
    }
}
