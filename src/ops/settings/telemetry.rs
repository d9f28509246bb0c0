//! `[log]`, `[traces]`: what is told of requests.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;

use super::SettingsError;
use crate::ops::telemetry::LogFormat;
use crate::ops::traces::{
    Authorities, Collector, Endpoint, Headers, InvalidEndpoint, InvalidList, Ratio, Resource,
};

/// The variables by which platforms tell all their programs of a collector; those for traces alone win.
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
    /// How a line looks.
    pub format: LogFormat,
}

/// `[traces]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceSettings {
    endpoint: Option<Endpoint>,
    /// The share of requests without a parent that are traced.
    pub ratio: Ratio,
    /// Who takes them, by the endpoint above and the platform's variables; nothing is sent where there is none.
    #[serde(skip)]
    pub collector: Option<Collector>,
}

/// Why a variable can't be used. It tells nothing of the variable's value, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidVariable {
    /// It is no text.
    #[error("it is not UTF-8")]
    NoText,
    /// It names no collector.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// It is no list of headers, or of attributes.
    #[error(transparent)]
    List(#[from] InvalidList),
}

impl TraceSettings {
    /// Finds the collector, by the settings or else the platform's variables, and what these say of it. Where there is
    /// none, no variable is looked at.
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

/// A variable's text; one that is empty is not set.
fn text(
    environment: impl Fn(&str) -> Option<OsString>,
    name: &'static str,
) -> Result<Option<String>, SettingsError> {
    let Some(value) = environment(name).filter(|it| !it.is_empty()) else { return Ok(None) };
    named(name, value.into_string().map_err(|_| InvalidVariable::NoText)).map(Some)
}

/// The first of these variables that is set, with its name.
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

/// What a variable means; where that is nothing, its name is told.
fn named<T>(
    name: &'static str,
    outcome: Result<T, impl Into<InvalidVariable>>,
) -> Result<T, SettingsError> {
    outcome.map_err(|why| SettingsError::Variable { name, why: why.into() })
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
        let endpoint = ours.map(|it| it.to_owned().try_into().expect("an endpoint"));
        let ratio = 1.0.try_into().expect("a ratio");
        let mut settings = TraceSettings { endpoint, ratio, collector: None };
        settings.find_collector(|name| {
            let found = variables.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| OsString::from(value))
        })?;
        Ok(settings.collector)
    }

    #[test]
    fn a_collector_is_the_settings_or_else_the_platforms() {
        let found = |ours, variables: &[_]| {
            let found = find(ours, variables).expect("settings");
            found.map(|it| it.endpoint.to_string()).unwrap_or_default()
        };
        let of_traces = (COLLECTOR_OF_TRACES, "https://traces:3/theirs");
        assert_eq!(found(OURS, &[THEIRS, of_traces]), "http://ours:1/v1/traces");
        assert_eq!(found(None, &[THEIRS, of_traces]), "https://traces:3/theirs");
        assert_eq!(found(None, &[THEIRS]), "http://theirs:2/v1/traces");
        assert_eq!(found(None, &[(COLLECTOR, "")]), "");
        assert_eq!(found(None, &[(HEADERS[1], "no list"), (RESOURCE, "none")]), "");
    }

    #[test]
    fn what_is_for_traces_alone_wins() {
        let [of_traces, of_all] = HEADERS;
        let files = AUTHORITIES.map(|it| (it, "ca.pem"));
        let variables = [THEIRS, (of_all, "a=1,b=2"), (of_traces, "a=3"), files[0], files[1]];
        let found = find(None, &variables).expect("settings").expect("a collector");
        assert_eq!(format!("{:?}", found.headers), r#"Headers({"a": Sensitive})"#);
        let authorities = found.authorities.expect("a file");
        assert_eq!((authorities.variable, authorities.path), (AUTHORITIES[0], "ca.pem".into()));
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name_and_not_told() {
        for (name, value) in [
            (COLLECTOR, "grpc://secret"),
            (COLLECTOR_OF_TRACES, "secret"),
            (HEADERS[0], "secret"),
            (HEADERS[1], "a=b,secret"),
            (RESOURCE, "secret"),
        ] {
            let ours = OURS.filter(|_| ![COLLECTOR, COLLECTOR_OF_TRACES].contains(&name));
            let said = causes(&find(ours, &[(name, value)]).expect_err("no settings"));
            assert!(said.starts_with(&format!("{name} is wrong: ")), "{said}");
            assert!(!said.contains("secret") && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let why = text(|_| Some(OsStr::from_bytes(b"\xff").to_owned()), SERVICE);
        let said = causes(&why.expect_err("no text"));
        assert_eq!(said, "OTEL_SERVICE_NAME is wrong: it is not UTF-8");
    }
}
