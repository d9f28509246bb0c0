//! File descriptors: as many as the system gives, and some for more than connections.

use std::num::NonZeroUsize;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for all but the connections of those who ask for work: the port for health and its connections, the
/// files that are read again (keys, certificate, model), the log, traces, the system's own.
const RESERVED: usize = 128;

/// More of them for each core: images are decoded on as many, and a decoder may be a process with its sockets.
const RESERVED_FOR_A_CORE: usize = 4;

/// Raises the limit of descriptors as far as it goes, and gives how many connections it leaves room for, of those wanted.
pub(super) fn make_room(wanted: NonZeroUsize) -> NonZeroUsize {
    let limit = raise();
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let most = within(limit, RESERVED + RESERVED_FOR_A_CORE * cores, wanted);
    if most < wanted {
        tracing::warn!(
            limit,
            max_connections = most,
            wanted,
            "the limit of file descriptors leaves room for fewer connections than server.max_connections; raise it \
             (ulimit -n)"
        );
    }
    most
}

/// The soft limit, once it is what the hard one lets it be; `None` where there is no limit.
fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(err) => {
            tracing::warn!(%err, limit = current, "the limit of file descriptors stays as it is");
            current
        }
    }
}

/// Connections within a limit of descriptors of which some are reserved: three eighths of it where it is that low, so that
/// there is something of both.
fn within(limit: Option<u64>, reserved: usize, wanted: NonZeroUsize) -> NonZeroUsize {
    let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { return wanted };
    let room = limit.saturating_sub(reserved).max(limit / 2 - limit / 8);
    NonZeroUsize::new(room).map_or(NonZeroUsize::MIN, |room| room.min(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_leaves_room_for_what_is_not_a_connection() {
        for (limit, connections) in [
            (None, 1024),
            (Some(u64::MAX), 1024),
            (Some(1_048_576), 1024),
            (Some(1160), 1024),
            (Some(1024), 888),
            (Some(256), 120),
            (Some(128), 48),
            (Some(1), 1),
        ] {
            let wanted = NonZeroUsize::new(1024).expect("not 0");
            assert_eq!(within(limit, 136, wanted).get(), connections, "{limit:?}");
        }
    }
}
