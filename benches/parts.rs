//! The parts of a request, each by itself: `cargo bench --bench parts`.

#[path = "service/pictures.rs"]
mod pictures;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use criterion::{BenchmarkId, Criterion, Throughput};
use siamese::engine::batch::{Batcher, Rank};
use siamese::engine::cache::Key;
use siamese_core::model::{Device, Embedded, LoadError, OnnxTower, Options, Tower, TowerError};
use siamese_core::picture::{Limits, Pixels};
use siamese_core::score::Embedding;
use tokio::sync::{mpsc, oneshot};

use pictures::Kind;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut tower = shipped();
    preparing(&mut criterion, &tower);
    running(&mut criterion, &mut tower);
    measuring(&mut criterion);
    naming(&mut criterion);
    handing_over(&mut criterion);
    criterion.final_summary();
}

/// The shipped tower on one thread, so that its figures are of a core.
fn shipped() -> OnnxTower {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/faces.onnx");
    let threads = Some(NonZeroUsize::MIN);
    let options = Options { device: Device::Cpu, threads, ..Options::default() };
    OnnxTower::load(&path, &options).expect("the shipped tower loads")
}

fn upload(kind: Kind) -> Vec<u8> {
    kind.uploads().expect("the pictures are made").swap_remove(0)
}

/// From an upload to what the shipped tower reads.
fn preparing(criterion: &mut Criterion, tower: &OnnxTower) {
    let preparation = &tower.card().preparation;
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("picture");
    for kind in Kind::ALL {
        let upload = upload(kind);
        group.bench_with_input(
            BenchmarkId::from_parameter(kind.name()),
            &upload,
            |bencher, upload| {
                bencher.iter(|| preparation.prepare(upload, &limits));
            },
        );
    }
}

/// A run of the shipped tower.
fn running(criterion: &mut Criterion, tower: &mut OnnxTower) {
    let (preparation, upload) = (&tower.card().preparation, upload(Kind::Face));
    let pixels = preparation.prepare(&upload, &Limits::default()).expect("it is prepared");
    let mut group = criterion.benchmark_group("tower");
    for batch in [1, 32] {
        let pixels = vec![pixels.clone(); batch];
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_with_input(BenchmarkId::from_parameter(batch), &pixels, |bencher, pixels| {
            bencher.iter(|| tower.embed(pixels));
        });
    }
}

/// The distance between two embeddings.
fn measuring(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("distance");
    for width in [64, 512] {
        let mut chance = fastrand::Rng::with_seed(7);
        let mut point = || {
            let coordinates: Vec<f32> = (0..width).map(|_| chance.f32()).collect();
            Embedding::new(coordinates).expect("a point")
        };
        let pair = [point(), point()];
        group.bench_with_input(BenchmarkId::from_parameter(width), &pair, |bencher, [a, b]| {
            bencher.iter(|| black_box(a).distance(black_box(b)));
        });
    }
}

/// The cache's key of an upload.
fn naming(criterion: &mut Criterion) {
    let upload = upload(Kind::Face);
    let mut group = criterion.benchmark_group("key");
    group.throughput(Throughput::Bytes(upload.len() as u64));
    group.bench_function("face", |bencher| bencher.iter(|| Key::of(black_box(&upload))));
}

/// Does nothing, so that what is left is the way to it and back.
struct Idle;

impl Tower for Idle {
    fn embed(&mut self, pictures: &[Pixels]) -> Result<Vec<Embedded>, TowerError> {
        Ok(pictures.iter().map(|_| Embedding::new([0.0])).collect())
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}

/// A job through the batcher, beside a message to a thread that sends it back.
fn handing_over(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("hand-over");
    let batcher = Batcher::start(vec![Idle], NonZeroUsize::new(256).expect("not 0"), 32, |_| ());
    group.bench_function("batcher", |bencher| {
        bencher.iter(|| {
            let place = batcher.reserve(1).expect("there is room");
            runtime.block_on(place.embed(vec![Pixels::new(vec![0.0])], Rank::Few))
        });
    });
    let (messages, mut waiting) = mpsc::channel::<oneshot::Sender<()>>(256);
    thread::spawn(move || {
        while let Some(reply) = waiting.blocking_recv() {
            let _ = reply.send(());
        }
    });
    group.bench_function("bare echo", |bencher| {
        bencher.iter(|| {
            let (reply, answer) = oneshot::channel();
            messages.try_send(reply).expect("there is room");
            runtime.block_on(answer)
        });
    });
}
