//! What the system says of this process, under the names that all exporters use. Read only when somebody asks.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// The kernel's clock ticks a second, as it tells them to programs: fixed, whatever its own timer does.
const TICKS: f64 = 100.0;

/// Adds what can be read; nothing where there is no `/proc`.
pub(crate) fn register(registry: &mut Registry) {
    let process = registry.sub_registry_with_prefix("process");
    if let Some(stat) = Stat::read() {
        let cpu = ConstCounter::new(stat.cpu_seconds);
        process.register_with_unit("cpu", "User and system time", Unit::Seconds, cpu);
        let start = ConstGauge::new(stat.started_seconds);
        process.register_with_unit("start_time", "Since the epoch", Unit::Seconds, start);
    }
    let status = read("/proc/self/status");
    let bytes = |key| kibibytes(&status, key).map(ConstGauge::new);
    if let Some(resident) = bytes("VmRSS:") {
        process.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, resident);
    }
    if let Some(virtual_) = bytes("VmSize:") {
        process.register_with_unit("virtual_memory", "Address space", Unit::Bytes, virtual_);
    }
    if let Some(threads) = value::<u64>(&status, "Threads:") {
        process.register("threads", "Threads", ConstGauge::new(threads));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is this very listing's.
        let open = ConstGauge::new(open.count().saturating_sub(1));
        process.register("open_fds", "Open file descriptors", open);
    }
    if let Some(most) = value::<u64>(&read("/proc/self/limits"), "Max open files") {
        process.register("max_fds", "File descriptors at most", ConstGauge::new(most));
    }
}

/// The memory in use by the processes that this one has started, in bytes: pages that they share count for each.
pub(crate) fn workers_resident_memory() -> u64 {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = threads.map(|thread| fs::read_to_string(thread.path().join("children")));
    let children = children.map(Result::unwrap_or_default).collect::<String>();
    let status = |id: &str| read(&format!("/proc/{id}/status"));
    children.split_whitespace().filter_map(|id| kibibytes(&status(id), "VmRSS:")).sum()
}

/// The memory that this process may have, in bytes: its control groups' least, or else the machine's.
pub(crate) fn memory_limit() -> Option<u64> {
    const GROUPS: &str = "/sys/fs/cgroup";
    let group = read("/proc/self/cgroup");
    let group = group.lines().find_map(|it| it.strip_prefix("0::/")).unwrap_or_default();
    let group = Path::new(GROUPS).join(group);
    group
        .ancestors()
        .take_while(|it| it.starts_with(GROUPS))
        .filter_map(|it| fs::read_to_string(it.join("memory.max")).ok()?.trim().parse().ok())
        .chain(kibibytes(&read("/proc/meminfo"), "MemTotal:"))
        .min()
}

struct Stat {
    cpu_seconds: f64,
    started_seconds: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        /// When the system came up: told again, it may differ as its clock is set, and look like a restart.
        static UP_SINCE: OnceLock<Option<f64>> = OnceLock::new();

        let stat = read("/proc/self/stat");
        // The program's name, in parentheses, may hold anything.
        let (_, after_name) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = after_name.split(' ').collect();
        // The manual numbers them from 1, and the first after the name is the third.
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

/// The first number of the line that begins so.
fn value<T: std::str::FromStr>(text: &str, key: &str) -> Option<T> {
    let line = text.lines().find_map(|it| it.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The same in bytes, of a line in kB, which are 1024 bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    value::<u64>(text, key).map(|it| it * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use prometheus_client::encoding::text::encode_registry;

    use super::*;

    #[test]
    fn the_system_tells_all_of_it() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        encode_registry(&mut text, &registry).expect("a string takes all");
        let told = |name: &str| -> f64 {
            value(&text, &format!("{name} ")).unwrap_or_else(|| panic!("{name} in\n{text}"))
        };
        let resident = told("process_resident_memory_bytes");
        assert!(1e6 < resident && resident < told("process_virtual_memory_bytes"));
        assert!(1.0 <= told("process_threads"));
        assert!(3.0 <= told("process_open_fds"));
        assert!(told("process_open_fds") < told("process_max_fds"));
        assert!(0.0 <= told("process_cpu_seconds_total"));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let age = now.expect("after the epoch").as_secs_f64() - told("process_start_time_seconds");
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
