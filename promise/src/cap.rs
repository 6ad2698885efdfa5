//! A cap on a process's memory, so that breaking the promise ends it: a control group of its own, which counts the memory that it really has, or
//! where none can be made, a limit on the size of its data.

use std::fs;
use std::path::{Path, PathBuf};

/// A control group for children, with no process in it yet.
pub(crate) struct Group {
    folder: PathBuf,
}

/// Where the memory controller's groups are, and the file of a group's limit, by version of the interface.
const VERSIONS: [(&str, &str); 2] =
    [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];

impl Group {
    /// A group below the one that this process is in; `None` if that is not allowed here.
    pub(crate) fn new() -> Option<Group> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        VERSIONS.iter().find_map(|(root, limit)| {
            let first = root.ends_with("memory");
            let mut lines =
                own.lines().filter_map(|line| line.splitn(3, ':').skip(1).collect::<Vec<_>>().try_into().ok());
            let path = lines.find_map(|[controllers, path]: [&str; 2]| match first {
                true => controllers.split(',').any(|name| name == "memory").then_some(path),
                false => controllers.is_empty().then_some(path),
            })?;
            let folder =
                Path::new(root).join(path.trim_start_matches('/')).join(format!("talatat-{}", std::process::id()));
            fs::create_dir(&folder).ok()?;
            let group = Group { folder };
            // Without the controller there is a folder, but no limit in it.
            group.folder.join(limit).exists().then_some(group)
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Caps the memory that this process may have beyond what it has now: in the group, if there is one.
pub(crate) fn cap(group: &str, more: u64) -> Result<(), String> {
    if group.is_empty() {
        return cap_data(more);
    }
    let put = |name: &str, text: String| {
        let path = Path::new(group).join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    let limits = VERSIONS.iter().map(|(_, limit)| *limit);
    let limit = limits.into_iter().find(|limit| Path::new(group).join(limit).exists());
    // What the process has is counted where it was when it got it.
    put(limit.ok_or_else(|| format!("{group} is no control group"))?, more.to_string())?;
    put("cgroup.procs", std::process::id().to_string())
}

/// An allocation beyond the cap fails and ends the process. Memory that is reserved and not used counts as well.
#[cfg(target_os = "linux")]
fn cap_data(more: u64) -> Result<(), String> {
    let most = crate::child::status("VmData") + more;
    rlimit::setrlimit(rlimit::Resource::DATA, most, most).map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
fn cap_data(_: u64) -> Result<(), String> {
    Ok(())
}
