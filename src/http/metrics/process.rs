//! Metrics of the process, under the names that all Prometheus exporters use. Read only when requested.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// The kernel's clock ticks per second in `/proc`. This value is fixed, whatever the kernel's timer does.
const TICKS: f64 = 100.0;

/// Registers the metrics that can be read; none if there is no `/proc`.
pub(crate) fn register(registry: &mut Registry) {
    let process = registry.sub_registry_with_prefix("process");
    if let Some(stat) = Stat::read() {
        let cpu = ConstCounter::new(stat.cpu_seconds);
        process.register_with_unit("cpu", "User and system CPU time", Unit::Seconds, cpu);
        let start = ConstGauge::new(stat.started_seconds);
        process.register_with_unit(
            "start_time",
            "Start time since the Unix epoch",
            Unit::Seconds,
            start,
        );
    }
    let status = read("/proc/self/status");
    let bytes = |key| kibibytes(&status, key).map(ConstGauge::new);
    if let Some(resident) = bytes("VmRSS:") {
        process.register_with_unit("resident_memory", "Resident memory", Unit::Bytes, resident);
    }
    if let Some(virtual_) = bytes("VmSize:") {
        process.register_with_unit("virtual_memory", "Virtual memory", Unit::Bytes, virtual_);
    }
    if let Some(threads) = value::<u64>(&status, "Threads:") {
        process.register("threads", "Number of threads", ConstGauge::new(threads));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them belongs to this directory listing.
        let open = ConstGauge::new(open.count().saturating_sub(1));
        process.register("open_fds", "Open file descriptors", open);
    }
    if let Some(most) = value::<u64>(&read("/proc/self/limits"), "Max open files") {
        process.register("max_fds", "Most open file descriptors", ConstGauge::new(most));
    }
}

/// The resident memory of the child processes, in bytes. Shared pages count once for each process.
pub(crate) fn workers_resident_memory() -> u64 {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = threads.map(|thread| fs::read_to_string(thread.path().join("children")));
    let children = children.map(Result::unwrap_or_default).collect::<String>();
    let status = |id: &str| read(&format!("/proc/{id}/status"));
    children.split_whitespace().filter_map(|id| kibibytes(&status(id), "VmRSS:")).sum()
}

/// The memory limit of this process, in bytes: the lowest of its control groups and the machine's memory.
pub(crate) fn memory_limit() -> Option<u64> {
    const GROUPS: &str = "/sys/fs/cgroup";
    let group = read("/proc/self/cgroup");
    let group = group.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let group = Path::new(GROUPS).join(group);
    group
        .ancestors()
        .take_while(|folder| folder.starts_with(GROUPS))
        .filter_map(|folder| {
            fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok()
        })
        .chain(kibibytes(&read("/proc/meminfo"), "MemTotal:"))
        .min()
}

struct Stat {
    cpu_seconds: f64,
    started_seconds: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        /// When the system started. Read once, because setting the clock changes it, which would look like a restart.
        static UP_SINCE: OnceLock<Option<f64>> = OnceLock::new();

        let stat = read("/proc/self/stat");
        // The program's name is in parentheses, and can contain any character.
        let (_, after_name) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = after_name.split(' ').collect();
        // The manual numbers the fields from 1. The first field after the name is the third.
        let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let up_since = UP_SINCE.get_or_init(|| value(&read("/proc/stat"), "btime "));
        Some(Self {
            cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS,
            started_seconds: (*up_since)? + ticks(22)? / TICKS,
        })
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first number of the line with this prefix.
fn value<T: std::str::FromStr>(text: &str, key: &str) -> Option<T> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The same, converted from kB (1024 bytes) to bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    value::<u64>(text, key).map(|kilobytes| kilobytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use prometheus_client::encoding::text::encode_registry;

    use super::*;

    #[test]
    fn all_process_metrics_are_read() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        encode_registry(&mut text, &registry).expect("writing to a string does not fail");
        let metric = |name: &str| -> f64 {
            value(&text, &format!("{name} ")).unwrap_or_else(|| panic!("{name} in\n{text}"))
        };
        let resident = metric("process_resident_memory_bytes");
        assert!(1e6 < resident && resident < metric("process_virtual_memory_bytes"));
        assert!(1.0 <= metric("process_threads"));
        assert!(3.0 <= metric("process_open_fds"));
        assert!(metric("process_open_fds") < metric("process_max_fds"));
        assert!(0.0 <= metric("process_cpu_seconds_total"));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let age =
            now.expect("after the epoch").as_secs_f64() - metric("process_start_time_seconds");
        assert!((-2.0..3600.0).contains(&age), "{age} s old");
    }

    #[test]
    fn there_is_a_limit_of_memory() {
        let limit = memory_limit().expect("the machine's at least");
        assert!(
            16 << 20 < limit
                && limit <= kibibytes(&read("/proc/meminfo"), "MemTotal:").expect("a total")
        );
    }
}
