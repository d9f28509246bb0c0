//! The time until the server is ready, and its memory: when idle, and after a load of many connections.

use crate::images::Kind;
use crate::request::Route;
use crate::server::Cache;
use crate::statistics::{count, median};
use crate::table::{Table, number, percent};
use crate::{Bench, Failure};

const CONNECTIONS: usize = 512;

pub(crate) fn measure(bench: &mut Bench) -> Result<(), Failure> {
    if !bench.arguments.wants("start") {
        return Ok(());
    }
    let about = format!(
        "From the start of the process to the first 200 of `/readyz`, the median of {} starts. Then `/compare` of \
         faces over {CONNECTIONS} connections in a closed loop, with the cache off. So many requests may exceed the \
         limits: some are then refused and repeated.",
        bench.arguments.rounds()
    );
    let mut table = Table::begin(
        "Start and memory",
        &about,
        &["ready after ms", "RSS MiB", "peak MiB", "refused", "RSS after load MiB", "peak MiB"],
    );
    let servers = (0..bench.arguments.rounds()).map(|_| bench.serve(Cache::Off));
    let ready = servers.map(|server| Ok(server?.ready_after.as_secs_f64() * 1e3));
    let ready = median(ready.collect::<Result<_, Failure>>()?);
    let server = bench.serve(Cache::Off)?;
    let idle = server.process().memory();
    let target = server.target(Route::Compare.requests(&Kind::Face.uploads()?));
    let closed = target.closed(CONNECTIONS, bench.arguments.seconds() * 5);
    let outcome = bench.runtime.block_on(closed)?;
    let loaded = server.process().memory();
    let refused = 1.0 - count(outcome.accepted()) / count(outcome.samples.len());
    table.row(&[
        number(ready),
        idle.now.to_string(),
        idle.peak.to_string(),
        percent(refused),
        loaded.now.to_string(),
        loaded.peak.to_string(),
    ]);
    bench.finish(&table);
    Ok(())
}
