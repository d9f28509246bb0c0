//! The soak test: mixed requests at full speed for minutes. Reports the server's memory as a table and a chart.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use siamese_drawing::{Axis, Chart, number as short};

use crate::images::Kind;
use crate::process::Process;
use crate::request::{Request, Route};
use crate::server::Cache;
use crate::statistics::count;
use crate::table::{Table, number};
use crate::{Bench, Failure};

const CONNECTIONS: usize = 32;

/// The interval of memory samples.
const INTERVAL: Duration = Duration::from_millis(500);

/// Resident memory at a time after the start.
#[derive(Clone, Copy)]
struct MemorySample {
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
        "Mixed requests of 32 connections at full speed, by the minute: faces, VGA and 12 megapixels, compared and \
         embedded. Most images are new to the server, and some uploads are not images.",
        &["minute", "answers/s", "refusals/s", "broken", "RSS MiB, least", "most"],
    );
    let begun = outcome.samples.iter().map(|sample| sample.sent).min().unwrap_or_else(Instant::now);
    let minutes = time.as_secs().div_ceil(60);
    for minute in 0..minutes {
        let within = |at: Duration| at.as_secs() / 60 == minute;
        let samples: Vec<_> = outcome
            .samples
            .iter()
            .filter(|sample| within(sample.finished.saturating_duration_since(begun)))
            .collect();
        let of = |wanted: &dyn Fn(Option<u16>) -> bool| {
            count(samples.iter().filter(|sample| wanted(sample.status)).count())
        };
        let seconds = (time.as_secs_f64() - 60.0 * count(usize::try_from(minute)?)).min(60.0);
        let held = looks.iter().filter(|look| within(look.at)).map(|look| look.mebibytes);
        table.row(&[
            (minute + 1).to_string(),
            number(of(&|status| status == Some(200)) / seconds),
            number(of(&|status| status.is_some_and(|code| code != 200)) / seconds),
            number(of(&|status| status.is_none())),
            number(held.clone().fold(f64::INFINITY, f64::min)),
            number(held.fold(0.0, f64::max)),
        ]);
    }
    bench.finish(&table);
    if let Some(file) = &bench.arguments.soak_image {
        draw(&looks, file)?;
    }
    Ok(())
}

/// One round of requests: for each of 12 megapixels, some of VGA and many of faces.
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
    requests.extend(Route::Embed.requests(&vec![b"no image".repeat(1000); 4]));
    fastrand::Rng::with_seed(7).shuffle(&mut requests);
    Ok(requests)
}

fn watch(process: Process, done: &AtomicBool) -> Vec<MemorySample> {
    let begun = Instant::now();
    let mut looks = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let mebibytes = count(usize::try_from(process.memory().now).unwrap_or(usize::MAX));
        looks.push(MemorySample { at: begun.elapsed(), mebibytes });
        thread::sleep(INTERVAL);
    }
    looks
}

fn draw(looks: &[MemorySample], file: &Path) -> std::io::Result<()> {
    let points: Vec<_> =
        looks.iter().map(|look| (look.at.as_secs_f64() / 60.0, look.mebibytes)).collect();
    let most = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(1e-3, f64::max);
    let x = Axis::linear("minutes", most(|point| point.0), |value| short(value, 3));
    let y =
        Axis::linear("resident memory, MiB", 1.05 * most(|point| point.1), |value| short(value, 3));
    let mut chart = Chart::new("Resident memory under mixed work", "MiB by the minute", x, y);
    chart.curve("curve", &points);
    fs::write(file, chart.finish().finish())
}
