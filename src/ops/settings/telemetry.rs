//! `[log]`, `[traces]`: what is told of requests.

use serde::Deserialize;

use super::SettingsError;
use crate::ops::telemetry::LogFormat;
use crate::ops::traces::{Endpoint, Ratio};

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
    /// The collector; nothing is sent where there is none.
    pub endpoint: Option<Endpoint>,
    /// The share of requests without a parent that are traced.
    pub ratio: Ratio,
}

impl TraceSettings {
    /// Takes the standard variable's collector, where the settings name none.
    pub(super) fn default_to(&mut self, collector: Option<String>) -> Result<(), SettingsError> {
        if let (None, Some(collector)) = (&self.endpoint, collector.filter(|it| !it.is_empty())) {
            self.endpoint = Some(collector.try_into().map_err(SettingsError::Collector)?);
        }
        Ok(())
    }
}
