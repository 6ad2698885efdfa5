//! What the machine, or the container on it, allows.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Threads that may run at once: the cores that this process may use.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes of memory that this process may use: the machine's, or less if a control group says so. `None` if the system does not tell.
pub(super) fn memory() -> Option<u64> {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|file| limit(&read_to_string(file).ok()?));
    limits.chain(machine).min()
}

/// `MemTotal` of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// A group's limit; `max` and the huge number of the first version mean that there is none, and are no less than the machine has.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The files that may hold limits: those of the process's group and of all groups above it.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            list if list.split(',').any(|name| name == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        let above = Path::new(group).ancestors();
        files.extend(above.map(|group| Path::new(root).join(group.strip_prefix("/").unwrap_or(group)).join(file)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_groups() {
        let names = |text: &str| -> Vec<String> {
            limit_files(text).into_iter().map(|file| file.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(
            names("0::/user/job\n"),
            ["/sys/fs/cgroup/user/job/memory.max", "/sys/fs/cgroup/user/memory.max", "/sys/fs/cgroup/memory.max"]
        );
        assert_eq!(
            names("5:cpu,memory:/job\n3:pids:/\nrubbish\n"),
            ["/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        );
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("1048576\n"), Some(1 << 20));
    }

    #[test]
    fn the_machine() {
        assert_eq!(total("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16384));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }
}
