//! The sessions of a model, shared by all threads.

use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use siamese_core::model::{Device, LARGEST_COPY, LoadError, OnnxModel, Options, Source};

use crate::parallel::in_parallel;

/// The most images of one run of a session on all threads. A session on one thread gains nothing from batches.
const MAX_BATCH: NonZeroUsize = NonZeroUsize::new(32).expect("it is not 0");

/// Sessions of one model. A small model has one for each thread, which runs on one core. A large one has a single session,
/// which runs on all of them.
pub(crate) struct Sessions {
    /// Sessions that no thread uses.
    idle: Mutex<Vec<OnnxModel>>,
    returned: Condvar,
    threads: usize,
    max_batch: usize,
}

/// A session in use. It is idle again when this is dropped.
pub(crate) struct Lease<'a> {
    sessions: &'a Sessions,
    /// Present until the drop.
    session: Option<OnnxModel>,
}

impl Sessions {
    /// Opens all sessions, for a number of threads.
    pub(crate) fn open(source: &Source, threads: NonZeroUsize) -> Result<Self, LoadError> {
        let one = NonZeroUsize::MIN;
        let is_small = source.size() <= LARGEST_COPY;
        let (count, of_session, max_batch) =
            if is_small { (threads.get(), one, one) } else { (1, threads, MAX_BATCH) };
        let options = Options {
            device: Device::Cpu,
            threads: Some(of_session),
            max_batch,
            ..Options::default()
        };
        let opened = in_parallel(count, &vec![(); count], |()| OnnxModel::open(source, &options));
        let idle = Mutex::new(opened.into_iter().collect::<Result<_, _>>()?);
        Ok(Self {
            idle,
            returned: Condvar::new(),
            threads: threads.get(),
            max_batch: max_batch.get(),
        })
    }

    /// The number of threads that work on images.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// How many of `count` images one thread takes at a time: as many as fill a run, but so few that all threads have work.
    pub(crate) fn portion(&self, count: usize) -> usize {
        count.div_ceil(self.threads).clamp(1, self.max_batch)
    }

    /// Takes a session. Waits until one is idle.
    pub(crate) fn lease(&self) -> Lease<'_> {
        let mut idle = self.idle();
        loop {
            match idle.pop() {
                Some(session) => return Lease { sessions: self, session: Some(session) },
                None => idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<OnnxModel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Lease<'_> {
    type Target = OnnxModel;

    fn deref(&self) -> &OnnxModel {
        self.session.as_ref().expect("it is present until the drop")
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut OnnxModel {
        self.session.as_mut().expect("it is present until the drop")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.sessions.idle().extend(self.session.take());
        self.sessions.returned.notify_one();
    }
}
