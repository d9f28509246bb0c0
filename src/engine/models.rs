//! The models of a server: which there are, and which deployment of each is in service.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use siamese_core::file::FileStamps;

use super::deployment::Deployment;
use crate::ops::settings::{ModelName, NamedModel};

/// One model of a server. A hot swap replaces its deployment.
pub struct Served {
    origin: NamedModel,
    current: RwLock<Arc<Deployment>>,
    /// The stamps of the files when the model was last loaded. Locked only for a copy.
    stamps: Mutex<FileStamps>,
}

/// The models of a server at one instant; at least one. The first one serves requests that name no model.
pub type Models = Arc<[Arc<Served>]>;

impl Served {
    /// A model with its first deployment, and the stamps of the files of which it was loaded.
    pub fn new(origin: NamedModel, deployment: Deployment, stamps: FileStamps) -> Self {
        let current = RwLock::new(Arc::new(deployment));
        Self { origin, current, stamps: Mutex::new(stamps) }
    }

    /// The name in paths and metrics.
    pub fn name(&self) -> &ModelName {
        &self.origin.name
    }

    /// The settings of the model.
    pub fn origin(&self) -> &NamedModel {
        &self.origin
    }

    /// The deployment in service. Call it once for each request, because a swap may happen at any time.
    pub fn deployment(&self) -> Arc<Deployment> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The stamps of the files when the model was last loaded, successfully or not.
    pub fn stamps(&self) -> FileStamps {
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note(&self, stamps: FileStamps) {
        *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
    }

    pub(super) fn replace(&self, next: Arc<Deployment>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

/// The deployment of the model with this name: that of the server, that of the model's card, or the model's digest.
pub(super) fn find(models: &[Arc<Served>], name: &str) -> Option<Arc<Deployment>> {
    if let Some(served) = models.iter().find(|served| served.name().as_str() == name) {
        return Some(served.deployment());
    }
    let mut deployments = models.iter().map(|served| served.deployment());
    deployments.find(|deployment| {
        let model = &deployment.model;
        name == model.card.name || name == model.digest
    })
}
