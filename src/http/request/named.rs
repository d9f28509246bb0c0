//! The model that a request names.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use super::mistake::shown;
use crate::engine::deployment::Deployment;
use crate::http::error::{Fault, Problem};
use crate::http::service::Service;

/// The deployment that serves a request: that of the model which the path names, else that of the first model. Admission
/// keeps it for the whole request, even if a swap happens meanwhile.
pub(crate) struct Named(pub(crate) Arc<Deployment>);

impl FromRequestParts<Arc<Service>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        if let Some(pinned) = head.extensions.get::<Arc<Deployment>>() {
            return Ok(Self(pinned.clone()));
        }
        let parameters = RawPathParams::from_request_parts(head, service).await;
        let mut deployment = service.engine.deployment();
        for (parameter, value) in &parameters.map_err(|_| Fault::NotFound)? {
            if parameter == "version" {
                check_version(value, &deployment)?;
            } else {
                deployment = named(value, service)?;
            }
        }
        Ok(Self(deployment))
    }
}

/// The deployment of the model with this name or digest.
pub(crate) fn named(name: &str, service: &Service) -> Result<Arc<Deployment>, Fault> {
    service.engine.named(name).ok_or_else(|| {
        let models = service.engine.models();
        let names: Vec<&str> = models.iter().map(|served| served.name().as_str()).collect();
        let served = names.join(", ");
        Fault::ModelUnknown(format!(
            "the server has no model {:?}; its models are: {served}",
            shown(name)
        ))
    })
}

/// Checks that a version is that of the model, its digest.
fn check_version(version: &str, deployment: &Deployment) -> Result<(), Fault> {
    let Deployment { name, model, .. } = deployment;
    if version == model.digest {
        return Ok(());
    }
    Err(Fault::ModelUnknown(format!(
        "the model {name} has no version {:?}; its only version is its digest, {}",
        shown(version),
        model.digest
    )))
}
