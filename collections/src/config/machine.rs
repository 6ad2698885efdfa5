//! What the machine, or the container on it, allows.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use talatat_graph::memory::Headroom;

/// Threads that may run at once: the cores that this process may use.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes of memory that this process may use: the machine's, or less if a control group says so. `None` if the system does not tell.
pub(super) fn memory() -> Option<u64> {
    let (machine, groups) = system(&read);
    groups.into_iter().filter_map(|group| group.limit(&read)).chain(field(&machine, "MemTotal:")).min()
}

/// What the machine and the control groups of this process have left.
pub struct FreeMemory;

/// Bytes of memory that this process has for itself: not those that it shares with files, as its code. `None` if the system does not tell.
///
/// ```
/// let own = talatat_collections::config::own_memory();
/// assert!(own.is_none_or(|bytes| bytes > 0));
/// ```
pub fn own_memory() -> Option<u64> {
    field(&read(Path::new("/proc/self/status"))?, "RssAnon:")
}

impl Headroom for FreeMemory {
    fn available(&self) -> Option<u64> {
        available(&read)
    }
}

fn available(read: &impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let (machine, groups) = system(read);
    let left = groups.into_iter().filter_map(|group| group.available(read));
    left.chain(field(&machine, "MemAvailable:")).min()
}

fn read(path: &Path) -> Option<String> {
    read_to_string(path).ok()
}

/// `/proc/meminfo`, and the groups that this process is in.
fn system(read: &impl Fn(&Path) -> Option<String>) -> (String, Vec<Group>) {
    let text = |path: &str| read(Path::new(path)).unwrap_or_default();
    (text("/proc/meminfo"), groups(&text("/proc/self/cgroup")))
}

/// A field of `/proc/meminfo`, in bytes.
fn field(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// A control group: its folder, and the names that its version of the interface has for things.
#[derive(Debug, PartialEq)]
struct Group {
    folder: PathBuf,
    names: &'static Names,
}

#[derive(Debug, PartialEq)]
struct Names {
    root: &'static str,
    limit: &'static str,
    usage: &'static str,
    /// The field of `memory.stat` that counts the file cache which can be dropped.
    cache: &'static str,
}

static SECOND: Names =
    Names { root: "/sys/fs/cgroup", limit: "memory.max", usage: "memory.current", cache: "inactive_file " };

static FIRST: Names = Names {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cache: "total_inactive_file ",
};

impl Group {
    /// `max` and the huge number of the first version mean that there is no limit, and are no less than the machine has.
    fn limit(&self, read: &impl Fn(&Path) -> Option<String>) -> Option<u64> {
        read(&self.folder.join(self.names.limit))?.trim().parse().ok()
    }

    fn available(&self, read: &impl Fn(&Path) -> Option<String>) -> Option<u64> {
        let limit = self.limit(read)?;
        let usage: u64 = read(&self.folder.join(self.names.usage))?.trim().parse().ok()?;
        let stat = read(&self.folder.join("memory.stat")).unwrap_or_default();
        let cache = stat.lines().find_map(|line| line.strip_prefix(self.names.cache)?.trim().parse::<u64>().ok());
        Some(limit.saturating_sub(usage.saturating_sub(cache.unwrap_or(0))))
    }
}

/// The process's group and all groups above it.
fn groups(text: &str) -> Vec<Group> {
    let mut groups = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let names = match controllers {
            "" => &SECOND,
            list if list.split(',').any(|name| name == "memory") => &FIRST,
            _ => continue,
        };
        let above = Path::new(group).ancestors();
        let folder = |group: &Path| Path::new(names.root).join(group.strip_prefix("/").unwrap_or(group));
        groups.extend(above.map(|group| Group { folder: folder(group), names }));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_groups() {
        let folders = |text: &str| -> Vec<String> {
            groups(text).into_iter().map(|group| group.folder.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(folders("0::/user/job\n"), ["/sys/fs/cgroup/user/job", "/sys/fs/cgroup/user", "/sys/fs/cgroup/"]);
        assert_eq!(
            folders("5:cpu,memory:/job\n3:pids:/\nrubbish\n"),
            ["/sys/fs/cgroup/memory/job", "/sys/fs/cgroup/memory/"]
        );
        let group = Group { folder: "/g".into(), names: &SECOND };
        assert_eq!(group.limit(&|_| Some("max\n".into())), None);
        assert_eq!(group.limit(&|_| Some("1048576\n".into())), Some(1 << 20));
    }

    #[test]
    fn the_least_of_machine_and_groups_is_left() {
        let files = |path: &Path| {
            Some(String::from(match path.to_str()? {
                "/proc/meminfo" => "MemTotal: 16 kB\nMemAvailable: 9 kB\n",
                "/proc/self/cgroup" => "0::/job\n",
                "/sys/fs/cgroup/job/memory.max" => "8192\n",
                "/sys/fs/cgroup/job/memory.current" => "7000\n",
                "/sys/fs/cgroup/job/memory.stat" => "anon 5000\ninactive_file 1000\n",
                _ => return None,
            }))
        };
        assert_eq!(available(&files), Some(8192 - 6000));
        assert_eq!(available(&|path| files(path).filter(|_| path.starts_with("/proc"))), Some(9 << 10));
        assert_eq!(available(&|_| None), None);
    }

    #[test]
    fn the_machine() {
        assert_eq!(field("MemTotal:       16 kB\nMemFree: 1 kB\n", "MemTotal:"), Some(16384));
        assert_eq!(field("MemFree: 1 kB\n", "MemTotal:"), None);
    }
}
