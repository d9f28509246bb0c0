//! Readiness: whether requests should be sent here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;

use super::deployment::Deployment;

/// Says whether a load balancer should send requests, and whether the model's results can be trusted.
#[derive(Debug)]
pub struct Readiness {
    stopping: AtomicBool,
    max_age: Duration,
}

/// Why no requests should be sent here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReady {
    /// Shutdown has begun.
    #[error("the server is stopping")]
    Stopping,
    /// The model's distances were wrong.
    #[error("the model's last self-test failed")]
    SelfTestFailed,
    /// The last successful self-test is too old.
    #[error("the model's last successful self-test was {} s ago", .0.as_secs())]
    SelfTestStale(Duration),
    /// A run of the model does not end.
    #[error("a run of the model has taken {} s and has not ended", .0.as_secs())]
    Hangs(Duration),
}

impl Readiness {
    /// Creates a readiness. `max_age` limits both the age of the last successful self-test and the duration of a run.
    pub fn new(max_age: Duration) -> Self {
        Self { stopping: AtomicBool::new(false), max_age }
    }

    /// Whether a load balancer may send requests.
    pub fn check(&self, deployment: &Deployment) -> Result<(), NotReady> {
        if self.is_stopping() {
            return Err(NotReady::Stopping);
        }
        self.trust(deployment)?;
        match (deployment.self_test.age(), deployment.batcher.longest_run()) {
            (_, run) if self.max_age < run => Err(NotReady::Hangs(run)),
            (age, _) if self.max_age < age => Err(NotReady::SelfTestStale(age)),
            _ => Ok(()),
        }
    }

    /// Whether the model's results may be returned: its last self-test did not fail.
    ///
    /// An old self-test alone refuses no request: nothing indicates a fault.
    pub fn trust(&self, deployment: &Deployment) -> Result<(), NotReady> {
        match deployment.self_test.failure() {
            Some(_) => Err(NotReady::SelfTestFailed),
            None => Ok(()),
        }
    }

    /// Reports not ready from now on. Requests that still arrive are served.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether shutdown has begun.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
