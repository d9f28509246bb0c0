//! File descriptors: raises the limit, and reserves some for purposes other than connections.

use std::num::NonZeroUsize;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors reserved for everything but client connections: the admin port and its connections, files that are
/// reloaded (keys, certificate, model), the log, traces and the system.
const RESERVED: usize = 128;

/// Further reserved descriptors per core: each core decodes images, and a decoder can be a process with sockets.
const RESERVED_PER_CORE: usize = 4;

/// Raises the limit of file descriptors as far as possible, and returns how many of the wanted connections fit.
pub(super) fn fit_connections(wanted: NonZeroUsize) -> NonZeroUsize {
    let limit = raise();
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let most = within(limit, RESERVED + RESERVED_PER_CORE * cores, wanted);
    if most < wanted {
        tracing::warn!(
            limit,
            max_connections = most,
            wanted,
            "the limit of file descriptors allows fewer connections than server.max_connections; raise the limit \
             (ulimit -n)"
        );
    }
    most
}

/// Raises the soft limit to the hard limit, and returns it; `None` means no limit.
fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(err) => {
            tracing::warn!(%err, limit = current, "cannot raise the limit of file descriptors");
            current
        }
    }
}

/// The connections that fit into a limit of descriptors, after the reserved ones. A low limit still leaves three
/// eighths of it for connections.
fn within(limit: Option<u64>, reserved: usize, wanted: NonZeroUsize) -> NonZeroUsize {
    let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { return wanted };
    let available = limit.saturating_sub(reserved).max(limit / 2 - limit / 8);
    NonZeroUsize::new(available).map_or(NonZeroUsize::MIN, |available| available.min(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_leaves_room_for_other_descriptors() {
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
