//! Requests that name a model.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::engine::deployment::Deployment;
use crate::http::error::{Fault, Problem};
use crate::http::request::mistake::shown;
use crate::http::service::Service;

/// The deployment that the path names, by the name of its model or by its digest. A version of a model is its digest.
pub(crate) struct Named(pub(crate) Arc<Deployment>);

impl FromRequestParts<Arc<Service>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let pinned = head.extensions.get::<Arc<Deployment>>().cloned();
        let deployment = pinned.unwrap_or_else(|| service.engine.deployment());
        let names = RawPathParams::from_request_parts(head, service).await;
        for (_, name) in &names.map_err(|_| Fault::NotFound)? {
            check(name, &deployment)?;
        }
        Ok(Self(deployment))
    }
}

/// Checks that a name is that of the model in service, or its digest.
pub(super) fn check(name: &str, deployment: &Deployment) -> Result<(), Fault> {
    let model = &deployment.model;
    if name == model.card.name || name == model.digest {
        return Ok(());
    }
    Err(Fault::ModelUnknown { named: shown(name), served: model.card.name.clone() })
}
