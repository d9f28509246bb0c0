//! Settings in the environment: `SIAMESE_SECTION__KEY`.

use std::ffi::OsString;
use std::slice;

use config::builder::DefaultState;
use config::{ConfigBuilder, ConfigError, Environment};
use serde::de::DeserializeOwned;

use super::{DEFAULTS, InvalidVariable, SettingsError};

const PROGRAM: &str = "SIAMESE";

/// The name and the value of a variable.
pub(super) type Variable = (String, String);

/// The variables that are settings. Another variable of this program is an error, unless Kubernetes has set it.
pub(super) fn settings(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Variable>, SettingsError> {
    let mut settings = Vec::new();
    for (name, value) in environment {
        let Ok(name) = name.into_string() else { continue };
        let Some(rest) = after_program(&name) else { continue };
        let Ok(value) = value.into_string() else {
            return Err(SettingsError::Variable {
                name: name.into(),
                why: InvalidVariable::NoText,
            });
        };
        if is_service_link(&name, &value) {
            continue;
        }
        match similar(rest) {
            Some(meant) if !name.eq_ignore_ascii_case(&meant) => {
                return Err(SettingsError::Misspelt { name, meant });
            }
            None if !rest.contains("__") => return Err(SettingsError::NoSetting(name)),
            _ => settings.push((name, value)),
        }
    }
    Ok(settings)
}

/// Reads the settings from other sources and from variables. An error of a variable names it.
pub(super) fn apply<T: DeserializeOwned>(
    others: &ConfigBuilder<DefaultState>,
    variables: &[Variable],
) -> Result<T, SettingsError> {
    let err = match read(others, variables) {
        Ok(settings) => return Ok(settings),
        Err(err) => err,
    };
    read::<T>(others, &[])?;
    for variable in variables {
        if let Err(why) = read::<T>(others, slice::from_ref(variable)) {
            return Err(SettingsError::Setting { name: variable.0.clone(), why: Box::new(why) });
        }
    }
    Err(err.into())
}

fn read<T: DeserializeOwned>(
    others: &ConfigBuilder<DefaultState>,
    variables: &[Variable],
) -> Result<T, ConfigError> {
    let environment = Environment::with_prefix(PROGRAM)
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("cors.origins")
        .source(Some(variables.iter().cloned().collect()));
    others.clone().add_source(environment).build()?.try_deserialize()
}

/// The rest of a name after `SIAMESE_`, in any case.
fn after_program(name: &str) -> Option<&str> {
    let (program, rest) = name.split_at_checked(PROGRAM.len())?;
    program.eq_ignore_ascii_case(PROGRAM).then_some(rest)?.strip_prefix('_')
}

/// The variable of the setting that has the same words, whatever the underscores between them, or the same key.
fn similar(rest: &str) -> Option<String> {
    let words = |text: &str| {
        let words = text.split('_').filter(|word| !word.is_empty());
        words.map(str::to_ascii_lowercase).collect::<Vec<_>>()
    };
    let wanted = words(rest);
    let found = keys().find(|name| {
        let name = words(name);
        name == wanted || name.iter().skip(1).eq(&wanted)
    })?;
    Some(format!("{PROGRAM}_{}", found.to_ascii_uppercase()))
}

/// All settings as `section__key`. The file of defaults lists them, in comments if they have no default.
fn keys() -> impl Iterator<Item = String> {
    let mut section = "";
    DEFAULTS.lines().filter_map(move |line| {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        }
        let (key, _) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
        Some(format!("{section}__{key}"))
    })
}

/// Whether Kubernetes sets this variable in each pod beside a service whose name begins with `siamese`: see "Discovering
/// services" in its documentation.
fn is_service_link(name: &str, value: &str) -> bool {
    let Some(rest) = name.strip_prefix(PROGRAM) else { return false };
    let is_url = value
        .split_once("://")
        .is_some_and(|(protocol, _)| PROTOCOLS.contains(&protocol.to_ascii_uppercase().as_str()));
    rest.ends_with("_SERVICE_HOST")
        || rest.ends_with("_SERVICE_PORT")
        || rest.contains("_SERVICE_PORT_")
        || (rest.ends_with("_PORT") && is_url)
        || rest.match_indices("_PORT_").any(|(at, word)| is_port_link(&rest[at + word.len()..]))
}

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Whether the text is `8080_TCP`, or this with `_PROTO`, `_PORT` or `_ADDR`.
fn is_port_link(text: &str) -> bool {
    let mut words = text.split('_');
    words.next().is_some_and(|port| port.parse::<u16>().is_ok())
        && words.next().is_some_and(|protocol| PROTOCOLS.contains(&protocol))
        && words.next().is_none_or(|what| ["PROTO", "PORT", "ADDR"].contains(&what))
        && words.next().is_none()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use siamese_core::causes;

    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let found = settings(variables).map_err(|err| causes(&err))?;
        Ok(found.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn variables_that_kubernetes_sets_for_a_service_are_ignored() {
        let links = [
            ("SIAMESE_SERVICE_HOST", "10.0.0.1"),
            ("SIAMESE_SERVICE_PORT", "8080"),
            ("SIAMESE_SERVICE_PORT_HTTP", "8080"),
            ("SIAMESE_SERVICE_PORT_HTTP_ADMIN", "9090"),
            ("SIAMESE_PORT", "tcp://10.0.0.1:8080"),
            ("SIAMESE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("SIAMESE_PORT_8080_TCP_PROTO", "tcp"),
            ("SIAMESE_PORT_8080_TCP_PORT", "8080"),
            ("SIAMESE_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("SIAMESE_FACES_SERVICE_HOST", "10.0.0.1"),
            ("SIAMESE_FACES_SERVICE_PORT", "8080"),
            ("SIAMESE_FACES_PORT", "udp://[fd00::1]:8080"),
            ("SIAMESE_FACES_PORT_8080_UDP_ADDR", "fd00::1"),
        ];
        assert_eq!(found(&links), Ok(vec![]));
        let with_setting = [links[0], ("SIAMESE_MODEL__QUEUE", "9"), ("OTHER_SERVER_LISTEN", "")];
        assert_eq!(found(&with_setting), Ok(vec!["SIAMESE_MODEL__QUEUE".to_owned()]));
    }

    #[test]
    fn a_variable_with_wrong_underscores_is_refused_with_the_right_name() {
        for (name, meant) in [
            ("SIAMESE_SERVER_LISTEN", "SIAMESE_SERVER__LISTEN"),
            ("SIAMESE__SERVER__LISTEN", "SIAMESE_SERVER__LISTEN"),
            ("SIAMESE__SERVER_LISTEN", "SIAMESE_SERVER__LISTEN"),
            ("SIAMESE_SERVER__ADMIN__LISTEN", "SIAMESE_SERVER__ADMIN_LISTEN"),
            ("siamese_model_max_batch", "SIAMESE_MODEL__MAX_BATCH"),
            ("SIAMESE_AUTH_KEYS_FILE", "SIAMESE_AUTH__KEYS_FILE"),
            ("SIAMESE_LISTEN", "SIAMESE_SERVER__LISTEN"),
        ] {
            let expected = format!("{name} is not a setting; did you mean {meant}?");
            assert_eq!(found(&[(name, "1")]), Err(expected));
        }
        let right = ["SIAMESE_SERVER__LISTEN", "siamese_auth__keys_file"];
        assert_eq!(found(&right.map(|name| (name, "1"))), Ok(right.map(str::to_owned).to_vec()));
    }

    #[test]
    fn another_variable_is_refused_by_name() {
        for name in [
            "SIAMESE_DEADLINE",
            "SIAMESE_PORT",
            "SIAMESE_PORT_8080",
            "SIAMESE_PORT_HTTP_TCP",
            "SIAMESE_PORT_8080_TCP_NAME",
            "SIAMESE_SERVICE_NAME",
        ] {
            let message = found(&[(name, "8080")]).expect_err(name);
            assert!(message.starts_with(&format!("{name} is not a setting")), "{message}");
        }
        let no_text = (OsString::from("SIAMESE_MODEL__FILE"), OsString::from_vec(vec![0xff]));
        let message = causes(&settings([no_text]).expect_err("no text"));
        assert_eq!(message, "SIAMESE_MODEL__FILE is invalid: it is not UTF-8");
    }
}
