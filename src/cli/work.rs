//! Files become embeddings on all cores: while some are decoded, the towers run others.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::thread;

use siamese_core::model::{OnnxTower, Tower};
use siamese_core::picture::{Limits, Pixels, Preparation};
use siamese_core::score::Embedding;

use super::Failure;
use crate::engine::warm_up::Crew;

/// The least and the most files that are worked on together: a handful costs little to hand over, and a pixel of more
/// would only be held for longer.
const PORTION: (usize, usize) = (8, 64);

/// What became of a file; a reason in words where it has no embedding.
type Made = Result<Embedding, String>;

/// Embeds files, and gives what became of each, in order, until `put` fails.
pub(super) fn embed(
    files: &[PathBuf],
    crew: Crew,
    limits: &Limits,
    mut put: impl FnMut(&Path, Made) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = cores.max(crew.towers.len());
    let size = crew.plan.largest_batch.clamp(PORTION.0, PORTION.1);
    let portions: Vec<&[PathBuf]> = files.chunks(size).collect();
    let preparation = crew.towers[0].card().preparation.clone();
    let pool = Pool::new(crew.towers);
    let next = AtomicUsize::new(0);
    let (done, came) = mpsc::sync_channel(workers);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (done, portions, next, pool) = (done.clone(), &portions, &next, &pool);
            let preparation = &preparation;
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(portion) = portions.get(at) else { return };
                    let made = embed_portion(portion, preparation, limits, pool);
                    // Nobody listens any more after a failure.
                    if done.send((at, made)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let mut early = BTreeMap::new();
        let mut turn = 0;
        for (at, made) in came {
            early.insert(at, made?);
            while let Some(made) = early.remove(&turn) {
                for (path, made) in portions[turn].iter().zip(made) {
                    put(path, made)?;
                }
                turn += 1;
            }
        }
        Ok(())
    })
}

fn embed_portion(
    portion: &[PathBuf],
    preparation: &Preparation,
    limits: &Limits,
    pool: &Pool,
) -> Result<Vec<Made>, Failure> {
    let mut pixels = Vec::with_capacity(portion.len());
    let prepared: Vec<Result<(), String>> = portion
        .iter()
        .map(|path| prepare(path, preparation, limits).map(|it| pixels.push(it)))
        .collect();
    let embedded = if pixels.is_empty() {
        Vec::new()
    } else {
        pool.with(|tower| tower.embed(&pixels)).map_err(|err| Failure::machine(&err))?
    };
    let mut embedded = embedded.into_iter();
    let made = prepared.into_iter().map(|prepared| {
        prepared?;
        let embedded = embedded.next().expect("a tower answers for each picture");
        embedded.map_err(|err| err.to_string())
    });
    Ok(made.collect())
}

fn prepare(path: &Path, preparation: &Preparation, limits: &Limits) -> Result<Pixels, String> {
    let upload = std::fs::read(path).map_err(|err| err.to_string())?;
    // A defect of a decoder costs its picture only.
    catch_unwind(AssertUnwindSafe(|| preparation.prepare(&upload, limits)))
        .map_err(|_| "the decoder panicked".to_owned())?
        .map_err(|err| err.to_string())
}

/// Towers that are lent to one worker at a time.
struct Pool {
    free: Mutex<Vec<OnnxTower>>,
    came_back: Condvar,
}

impl Pool {
    fn new(towers: Vec<OnnxTower>) -> Self {
        Self { free: Mutex::new(towers), came_back: Condvar::new() }
    }

    fn with<T>(&self, run: impl FnOnce(&mut OnnxTower) -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .came_back
            .wait_while(free, |it| it.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let mut tower = free.pop().expect("waited for one");
        drop(free);
        let answer = run(&mut tower);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(tower);
        self.came_back.notify_one();
        answer
    }
}
