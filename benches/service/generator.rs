//! The cost of the load generator, measured against a responder that does nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::load::Target;
use crate::process::Process;
use crate::request::Route;
use crate::statistics::count;
use crate::table::{Table, number};
use crate::{Bench, Failure};

const CONNECTIONS: usize = 8;

pub(crate) fn measure(bench: &mut Bench) -> Result<(), Failure> {
    if !bench.arguments.wants("generator") {
        return Ok(());
    }
    let about = format!(
        "The load generator against a responder that does nothing, over {CONNECTIONS} connections: its own share of the \
         cost in the other tables."
    );
    let mut table = Table::begin(
        "Load generator",
        &about,
        &["images", "route", "KB a request", "requests/s", "CPU µs a request"],
    );
    for kind in bench.kinds() {
        for route in Route::ALL {
            let mut requests = route.requests(&kind.uploads()?);
            requests.truncate(1);
            let length = requests[0].len();
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            thread::spawn(move || respond(&listener, length));
            let target =
                Target { address, process: Process::this(), requests: Arc::from(requests) };
            let closed = target.closed(CONNECTIONS, bench.arguments.seconds());
            let outcome = bench.runtime.block_on(closed)?;
            let cost = outcome.client_cpu.as_secs_f64() / count(outcome.accepted());
            table.row(&[
                kind.name().to_owned(),
                route.name().to_owned(),
                number(count(length) / 1e3),
                number(outcome.accepted_per_second()),
                number(cost * 1e6),
            ]);
            bench.expect_success(outcome.samples.iter());
        }
    }
    bench.finish(&table);
    Ok(())
}

/// Responds on `CONNECTIONS` connections until they close: once for every `length` bytes.
fn respond(listener: &TcpListener, length: usize) {
    for connection in listener.incoming().take(CONNECTIONS).flatten() {
        thread::spawn(move || respond_on(connection, length));
    }
}

fn respond_on(mut connection: TcpStream, length: usize) -> std::io::Result<()> {
    let mut request = vec![0; length];
    connection.set_nodelay(true)?;
    loop {
        connection.read_exact(&mut request)?;
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")?;
    }
}
