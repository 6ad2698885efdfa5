//! Settings: code goes over the environment, the environment over a file, a file over the defaults.
//!
//! | key | environment | value | default |
//! |---|---|---|---|
//! | `threads` | `TALATAT_THREADS` | threads that run tasks | the cores this process may use |
//! | `memory_limit` | `TALATAT_MEMORY_LIMIT` | bytes that blocks may hold at once: `2 GiB`, `500MB`, `50%` of the memory that the machine or its control group allows, `none` | `75%` |
//! | `spill_folder` | `TALATAT_SPILL_FOLDER` | where blocks go that do not fit | `$TMPDIR`, else `/var/tmp` |
//! | `spill_limit` | `TALATAT_SPILL_LIMIT` | bytes that they may take there: `100 GB`, `0` to keep all blocks in memory, `none` | `none` |
//! | `spill_compression` | `TALATAT_SPILL_COMPRESSION` | `none`, `lz4` | `none` |
//! | `progress` | `TALATAT_PROGRESS` | `auto` (on a terminal), `on`, `off` | `auto` |
//! | `chunk_target` | `TALATAT_CHUNK_TARGET` | bytes of a chunk where the chunks are left to the library | `128 MiB` |
//! | `watchdog` | `TALATAT_WATCHDOG` | seconds after which it is said what a computation waits for of which no task finishes, `off` | `off` |
//! | `costs` | `TALATAT_COSTS` | the file where it is kept how long operations take: `auto`, `off`, a path | `auto`: `talatat/costs` in `$XDG_CACHE_HOME`, else in `~/.cache` |
//! | `executor` | `TALATAT_EXECUTOR` | `threads`, `sync`, `serialize`, `refuse` | `threads` |
//!
//! The file is `talatat.toml` in the working directory, else `talatat/config.toml` in `$XDG_CONFIG_HOME` (`~/.config` if that is not set);
//! `TALATAT_CONFIG` names another one. It holds `key = value` lines:
//!
//! ```toml
//! memory_limit = "50%"
//! threads = 4
//! ```

mod bytes;
mod load;
mod machine;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use bytes::parse_bytes;
pub use load::ConfigError;
pub use machine::{FreeMemory, own_memory};
pub use talatat_graph::memory::Compression;

/// The chunk size that is aimed at unless a setting says otherwise.
const CHUNK_TARGET: u64 = 128 << 20;

/// The settings of a session.
///
/// ```
/// use talatat_collections::config::Settings;
/// let settings = Settings::default();
/// assert!(settings.threads >= 1);
/// assert_eq!(settings.spill_limit, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Threads that run tasks, at least one.
    pub threads: usize,
    /// The most bytes that blocks may hold in memory at once. Blocks that do not fit go to the disk; a plan of which one task does
    /// not fit is refused.
    pub memory_limit: Option<u64>,
    /// Where blocks go that do not fit; `None` is the system's place for large temporary files: `$TMPDIR`, else `/var/tmp`.
    pub spill_folder: Option<PathBuf>,
    /// The most bytes of disk that they may take; 0 keeps all blocks in memory.
    pub spill_limit: Option<u64>,
    /// How they are written.
    pub spill_compression: Compression,
    /// Whether a bar shows how far a computation is.
    pub progress: Progress,
    /// Bytes of a chunk where the chunks are left to the library.
    pub chunk_target: u64,
    /// After how long without a finished task it is said what a computation waits for.
    pub watchdog: Option<Duration>,
    /// Where it is kept between runs how long operations take.
    pub costs: Costs,
    /// Who runs tasks.
    pub executor: ExecutorChoice,
}

impl Settings {
    /// The folder where blocks go that do not fit, or `None` if they may not.
    ///
    /// Not `/tmp` if it can be helped: where that is in memory nothing is won.
    pub fn spill_place(&self) -> Option<PathBuf> {
        if self.memory_limit.is_none() || self.spill_limit == Some(0) {
            return None;
        }
        let temporary = || {
            let var_tmp = PathBuf::from("/var/tmp");
            let chosen = std::env::var_os("TMPDIR").is_some_and(|folder| !folder.is_empty());
            if !chosen && var_tmp.is_dir() { var_tmp } else { std::env::temp_dir() }
        };
        Some(self.spill_folder.clone().unwrap_or_else(temporary))
    }

    /// The file where it is kept how long operations take, or `None` if it is not.
    pub fn costs_file(&self) -> Option<PathBuf> {
        let folder = |name: &str| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        match &self.costs {
            Costs::Off => None,
            Costs::File(path) => Some(path.clone()),
            Costs::Auto => {
                // What is not absolute does not count, says the standard of these folders.
                let cache = folder("XDG_CACHE_HOME").filter(|folder| folder.is_absolute());
                let cache = cache.or_else(|| folder("HOME").map(|home| home.join(".cache")))?;
                Some(cache.join("talatat").join("costs"))
            }
        }
    }
}

/// Whether a bar shows how far a computation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Only if the standard error stream is a terminal.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Where it is kept between runs how long operations take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Costs {
    /// In the user's folder for such things: `talatat/costs` in `$XDG_CACHE_HOME`, else in `~/.cache`.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// In this file.
    File(PathBuf),
}

/// The built-in executors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecutorChoice {
    /// The calling thread.
    Synchronous,
    /// A pool of threads, the calling one included.
    #[default]
    Threads,
    /// Refuses to compute: proves that something is lazy.
    Refuse,
    /// Writes each task and each block as bytes and reads it back, as if every task ran in another process.
    Serialize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            threads: machine::threads(),
            memory_limit: machine::memory().map(|memory| memory / 4 * 3),
            spill_folder: None,
            spill_limit: None,
            spill_compression: Compression::None,
            progress: Progress::default(),
            chunk_target: CHUNK_TARGET,
            watchdog: None,
            costs: Costs::default(),
            executor: ExecutorChoice::default(),
        }
    }
}

/// 0: nobody has asked yet.
static IN_USE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What counts in this thread instead; 0: nothing.
    static IN_SCOPE: Cell<u64> = const { Cell::new(0) };
}

/// The chunk size in bytes to aim at where the chunks are left to the library: that of the current session, or before there is
/// one, of the environment and the file. (If those cannot be read the default counts, and the first `compute` says what is wrong.)
pub fn chunk_target() -> u64 {
    match (IN_SCOPE.get(), IN_USE.load(Ordering::Relaxed)) {
        (0, 0) => {
            let target = Settings::load().map_or(CHUNK_TARGET, |settings| settings.chunk_target);
            // Whoever has set one meanwhile wins.
            match IN_USE.compare_exchange(0, target, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => target,
                Err(set) => set,
            }
        }
        (0, target) | (target, _) => target,
    }
}

/// Sets [`chunk_target`] for all threads; a session does so when it becomes the current one.
pub fn set_chunk_target(bytes: u64) {
    IN_USE.store(bytes.max(1), Ordering::Relaxed);
}

/// Sets [`chunk_target`] for this thread while `work` runs.
///
/// ```
/// use talatat_collections::config::{chunk_target, with_chunk_target};
/// assert_eq!(with_chunk_target(1024, chunk_target), 1024);
/// ```
pub fn with_chunk_target<R>(bytes: u64, work: impl FnOnce() -> R) -> R {
    struct Restore(u64);
    impl Drop for Restore {
        fn drop(&mut self) {
            IN_SCOPE.set(self.0);
        }
    }
    let _restore = Restore(IN_SCOPE.replace(bytes.max(1)));
    work()
}
