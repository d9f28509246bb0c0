//! Whether work should be sent here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;

use super::deployment::Deployment;

/// Tells a balancer whether to send work, and requests whether the tower can be trusted.
#[derive(Debug)]
pub struct Readiness {
    stopping: AtomicBool,
    max_age: Duration,
}

/// Why no work should be sent here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReady {
    /// A stop was asked for.
    #[error("the server is stopping")]
    Stopping,
    /// The tower did not give what it must.
    #[error("the tower's last self-test failed")]
    SelfTestFailed,
    /// The tower has not been proved right for too long.
    #[error("the tower's last right self-test is {} s old", .0.as_secs())]
    SelfTestStale(Duration),
    /// A run of the tower does not end.
    #[error("the tower has been at one run for {} s", .0.as_secs())]
    Hangs(Duration),
}

impl Readiness {
    /// For towers whose last right self-test may be so old, and whose runs may take so long.
    pub fn new(max_age: Duration) -> Self {
        Self { stopping: AtomicBool::new(false), max_age }
    }

    /// Whether a balancer may send work.
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

    /// Whether the tower's answers may be given out: its last self-test did not fail.
    ///
    /// What was not refuted may still be served: age alone refuses no request that comes all the same.
    pub fn trust(&self, deployment: &Deployment) -> Result<(), NotReady> {
        match deployment.self_test.failure() {
            Some(_) => Err(NotReady::SelfTestFailed),
            None => Ok(()),
        }
    }

    /// Turns work away from now on; what comes all the same is still done.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
