//! A soak: mixed work at full speed for minutes, and what memory that takes all the while, as a table and a picture.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use siamese_drawing::{Axis, Chart, number as short};

use crate::pictures::Kind;
use crate::process::Process;
use crate::request::{Request, Route};
use crate::server::Cache;
use crate::statistics::count;
use crate::table::{Table, number};
use crate::{Bench, Failure};

const CONNECTIONS: usize = 32;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Resident memory at a time after the begin.
#[derive(Clone, Copy)]
struct Look {
    at: Duration,
    mebibytes: f64,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let Some(time) = bench.arguments.soak() else { return Ok(()) };
    let server = bench.serve(Cache::On)?;
    let target = server.target(mixed()?);
    let done = AtomicBool::new(false);
    let process = server.process();
    let (looks, outcome) = thread::scope(|scope| {
        let looks = scope.spawn(|| watch(process, &done));
        let outcome =
            bench.runtime.block_on(target.closed_after(Duration::ZERO, CONNECTIONS, time));
        done.store(true, Ordering::Relaxed);
        (looks.join().unwrap_or_default(), outcome)
    });
    let outcome = outcome?;

    let mut table = Table::begin(
        "Soak",
        "Mixed work of 32 connections at full speed, by the minute: faces, VGA and 12 megapixels, compared and \
         embedded, most of them never seen before, and uploads that are no pictures.",
        &["minute", "answers/s", "refusals/s", "broken", "RSS MiB, least", "most"],
    );
    let begun = outcome.samples.iter().map(|it| it.sent).min().unwrap_or_else(Instant::now);
    let minutes = time.as_secs().div_ceil(60);
    for minute in 0..minutes {
        let within = |at: Duration| at.as_secs() / 60 == minute;
        let samples: Vec<_> = outcome
            .samples
            .iter()
            .filter(|it| within(it.answered.saturating_duration_since(begun)))
            .collect();
        let of = |wanted: &dyn Fn(Option<u16>) -> bool| {
            count(samples.iter().filter(|it| wanted(it.status)).count())
        };
        let seconds = (time.as_secs_f64() - 60.0 * count(usize::try_from(minute)?)).min(60.0);
        let held = looks.iter().filter(|it| within(it.at)).map(|it| it.mebibytes);
        table.row(&[
            (minute + 1).to_string(),
            number(of(&|it| it == Some(200)) / seconds),
            number(of(&|it| it.is_some_and(|it| it != 200)) / seconds),
            number(of(&|it| it.is_none())),
            number(held.clone().fold(f64::INFINITY, f64::min)),
            number(held.fold(0.0, f64::max)),
        ]);
    }
    bench.told(&table);
    if let Some(file) = &bench.arguments.soak_picture {
        draw(&looks, file)?;
    }
    Ok(())
}

/// One round of work: for each request of 12 megapixels some of VGA, and many of faces.
fn mixed() -> std::io::Result<Vec<Request>> {
    let stream = |kind: Kind| -> std::io::Result<Vec<Request>> {
        let uploads = kind.uploads()?;
        Ok(uploads[1..].iter().map(|b| Request::of_a_stream(&uploads[0], b)).collect())
    };
    let mut requests = Vec::new();
    for _ in 0..4 {
        requests.extend(stream(Kind::Face)?);
        requests.extend(stream(Kind::Vga)?);
    }
    requests.extend(stream(Kind::TwelveMegapixels)?);
    requests.extend(Route::Embed.requests(&Kind::Vga.uploads()?));
    requests.extend(Route::Embed.requests(&vec![b"no picture".repeat(1000); 4]));
    fastrand::Rng::with_seed(7).shuffle(&mut requests);
    Ok(requests)
}

fn watch(process: Process, done: &AtomicBool) -> Vec<Look> {
    let begun = Instant::now();
    let mut looks = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let mebibytes = count(usize::try_from(process.memory().now).unwrap_or(usize::MAX));
        looks.push(Look { at: begun.elapsed(), mebibytes });
        thread::sleep(LOOK);
    }
    looks
}

fn draw(looks: &[Look], file: &Path) -> std::io::Result<()> {
    let points: Vec<_> =
        looks.iter().map(|it| (it.at.as_secs_f64() / 60.0, it.mebibytes)).collect();
    let most = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(1e-3, f64::max);
    let x = Axis::linear("minutes", most(|it| it.0), |it| short(it, 3));
    let y = Axis::linear("resident memory, MiB", 1.05 * most(|it| it.1), |it| short(it, 3));
    let mut chart = Chart::new("Resident memory under mixed work", "MiB by the minute", x, y);
    chart.curve("curve", &points);
    fs::write(file, chart.finish().finish())
}
