//! Benchmarks of the parts of a request, each on its own: `cargo bench --bench parts`.

#[path = "service/images.rs"]
mod images;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use criterion::{BenchmarkId, Criterion, Throughput};
use siamese::engine::batch::{Batcher, Priority};
use siamese::engine::cache::Key;
use siamese_core::model::{
    Choice, Device, Embedded, LoadError, Model, ModelError, OnnxModel, Options,
};
use siamese_core::preprocessing::{Colour, Decoded, Limits, Pixels, Preprocessing, Reduction};
use siamese_core::score::Embedding;
use tokio::sync::{mpsc, oneshot};

use images::Kind;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut model = shipped();
    preprocessing(&mut criterion, &model);
    reducing(&mut criterion);
    finding_faces(&mut criterion);
    running(&mut criterion, &mut model);
    measuring(&mut criterion);
    recognising(&mut criterion, &model);
    naming(&mut criterion);
    handing_over(&mut criterion);
    criterion.final_summary();
}

/// The small model of faces on one thread, so that its rates are per core.
fn shipped() -> OnnxModel {
    load("orl.onnx")
}

fn load(name: &str) -> OnnxModel {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
    let threads = Some(NonZeroUsize::MIN);
    let options = Options { device: Device::Cpu, threads, ..Options::default() };
    OnnxModel::load(&path, &options).expect("the shipped model loads")
}

fn upload(kind: Kind) -> Vec<u8> {
    kind.uploads().expect("the images can be generated").swap_remove(0)
}

/// Preprocesses uploads for the small model.
fn preprocessing(criterion: &mut Criterion, model: &OnnxModel) {
    let preprocessing = &model.card().preprocessing;
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("image");
    for kind in Kind::ALL {
        let upload = upload(kind);
        group.bench_with_input(
            BenchmarkId::from_parameter(kind.name()),
            &upload,
            |bencher, upload| {
                bencher.iter(|| preprocessing.preprocess(upload, &limits));
            },
        );
    }
}

/// Preprocesses a large photograph for a colour model: decoded in full, and reduced as far as its card states.
fn reducing(criterion: &mut Criterion) {
    let model = load("things.onnx");
    let card = model.card();
    let upload = upload(Kind::TwelveMegapixels);
    let mut group = criterion.benchmark_group("12 megapixels to 224x224 in colour");
    let measured = card.reduction.expect("the shipped model states it").into();
    for (name, reduction) in [("in full", Reduction::Never), ("reduced", measured)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| card.preprocessing.planes(&upload, &Limits::default(), reduction));
        });
    }
}

/// Embeds faces in photographs: decodes them, finds and aligns the faces, and runs the default model.
fn finding_faces(criterion: &mut Criterion) {
    let mut model = load("faces.onnx");
    let preprocessor = model.description().preprocessor.clone();
    let limits = Limits::default();
    for kind in Kind::WITH_FACES {
        let uploads = kind.uploads().expect("the images can be generated");
        let mut group = criterion.benchmark_group(format!("faces/{}", kind.name()));
        group.sample_size(if kind.is_large() { 10 } else { 50 });
        group.throughput(Throughput::Elements(uploads.len() as u64));
        let decoding = preprocessor.decoding(None);
        let decode = |upload: &Vec<u8>| decoding.decode(upload, &limits).expect("a photograph");
        let decoded: Vec<Decoded> = uploads.iter().map(decode).collect();
        let preprocess = |upload: &Vec<u8>| preprocessor.preprocess(upload, &limits);
        let pixels: Vec<Pixels> =
            uploads.iter().map(preprocess).collect::<Result<_, _>>().expect("each has a face");
        group.bench_function("decode", |bencher| {
            bencher.iter(|| uploads.iter().for_each(|upload| drop(black_box(decode(upload)))));
        });
        group.bench_function("find and align", |bencher| {
            let finish = |decoded: &Decoded| {
                preprocessor.finish(decoded.clone(), Choice::Largest, None).expect("a face")
            };
            bencher.iter(|| decoded.iter().for_each(|decoded| drop(black_box(finish(decoded)))));
        });
        group.bench_function("all before the model", |bencher| {
            bencher.iter(|| uploads.iter().for_each(|upload| drop(black_box(preprocess(upload)))));
        });
        group.bench_function("model", |bencher| {
            bencher.iter(|| pixels.chunks(1).for_each(|image| drop(black_box(model.embed(image)))));
        });
    }
}

/// Runs the small model.
fn running(criterion: &mut Criterion, model: &mut OnnxModel) {
    let (preprocessing, upload) = (&model.card().preprocessing, upload(Kind::Face));
    let pixels = preprocessing.preprocess(&upload, &Limits::default()).expect("it is preprocessed");
    let mut group = criterion.benchmark_group("model");
    for batch in [1, 32] {
        let pixels = vec![pixels.clone(); batch];
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_with_input(BenchmarkId::from_parameter(batch), &pixels, |bencher, pixels| {
            bencher.iter(|| model.embed(pixels));
        });
    }
}

/// Computes the distance between two embeddings.
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

/// Compares an image with the calibration: the statistics of its pixels, and the rest.
fn recognising(criterion: &mut Criterion, model: &OnnxModel) {
    let mut group = criterion.benchmark_group("familiarity");
    let small = &model.card().preprocessing;
    let large = Preprocessing { height: 224, width: 224, colour: Colour::Rgb, ..small.clone() };
    let upload = upload(Kind::Face);
    for (name, preprocessing) in
        [("statistics of 72x60 grey", small), ("statistics of 224x224 rgb", &large)]
    {
        let pixels = preprocessing.preprocess(&upload, &Limits::default()).expect("pixels");
        group.bench_function(name, |bencher| {
            bencher.iter(|| preprocessing.statistics(black_box(&pixels)));
        });
    }
    let described = model.card().familiarity.as_ref().expect("the shipped model has a description");
    let embedding = Embedding::new(vec![0.1; described.width()]).expect("a point");
    let statistics = vec![0.1; described.statistics()];
    group.bench_function("of an embedding", |bencher| {
        bencher.iter(|| described.of(black_box(&embedding), black_box(&statistics)));
    });
}

/// Computes the cache key of an upload.
fn naming(criterion: &mut Criterion) {
    let upload = upload(Kind::Face);
    let mut group = criterion.benchmark_group("key");
    group.throughput(Throughput::Bytes(upload.len() as u64));
    group.bench_function("face", |bencher| {
        bencher.iter(|| Key::of(black_box(&upload), Choice::default()));
    });
}

/// A model that does nothing, so that the benchmark measures only the queue and the threads.
struct Idle;

impl Model for Idle {
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError> {
        Ok(images.iter().map(|_| Embedding::new([0.0])).collect())
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}

/// Sends a job through the batcher, and compares it with a message that a thread returns.
fn handing_over(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("hand-over");
    let batcher = Batcher::start(vec![Idle], NonZeroUsize::new(256).expect("not 0"), 32, |_| ());
    group.bench_function("batcher", |bencher| {
        bencher.iter(|| {
            let reservation = batcher.reserve(1).expect("the queue is not full");
            runtime.block_on(reservation.embed(vec![Pixels::new(vec![0.0])], Priority::Interactive))
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
            let (reply, response) = oneshot::channel();
            messages.try_send(reply).expect("the queue is not full");
            runtime.block_on(response)
        });
    });
}
