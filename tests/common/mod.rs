//! What several test binaries use.
#![allow(dead_code, unreachable_pub)] // each binary uses a part

#[cfg(feature = "cluster")]
pub mod cluster;
pub mod shared;

use std::sync::Arc;

use talatat::config::{Costs, Settings};
use talatat::graph::{Executor, Synchronous, Threads, testing};
use talatat::{Session, SessionBuilder};

/// A builder that neither the environment nor a file can change, nor how much memory the machine has, and that leaves nothing behind.
pub fn builder() -> SessionBuilder {
    Session::builder().settings(Settings::default()).memory_limit(None).costs(Costs::Off)
}

/// With `TALATAT_TEST_CLUSTER=1` and the feature `cluster`, a session on a cluster of three workers: what runs on every executor runs there, too.
pub fn cluster_session() -> Option<Session> {
    if std::env::var_os("TALATAT_TEST_CLUSTER").is_none_or(|value| value != "1") {
        return None;
    }
    #[cfg(feature = "cluster")]
    return cluster::cluster().map(|cluster| cluster.session().clone());
    #[cfg(not(feature = "cluster"))]
    panic!("TALATAT_TEST_CLUSTER=1 needs the feature `cluster`");
}

/// Whether tasks of a session may be in other processes, where this one's closures and memory are not.
pub fn is_elsewhere(session: &Session) -> bool {
    session.executor().elsewhere()
}

/// Whether tasks of a session can read and write there.
pub fn reaches(session: &Session, url: &str) -> bool {
    !is_elsewhere(session) || !url.starts_with("memory://")
}

/// A session for each executor that runs closures.
pub fn sessions() -> Vec<Session> {
    let executors: [Arc<dyn Executor>; 5] = [
        Arc::new(Synchronous),
        Arc::new(Threads::new(1)),
        Arc::new(Threads::new(2)),
        Arc::new(Threads::new(5)),
        Arc::new(testing::Count::default()),
    ];
    let session = |executor| builder().custom_executor(executor).build().expect("default settings");
    executors.into_iter().map(session).collect()
}

/// Sessions in which some task of each run fails, which one depends on the seed: by an error and by a panic, on one thread and on
/// several.
pub fn faulty_sessions(seeds: std::ops::Range<u64>) -> impl Iterator<Item = Session> {
    let faults = seeds.flat_map(|seed| [(seed, testing::Fault::Error), (seed, testing::Fault::Panic)]);
    faults.flat_map(|(seed, fault)| {
        let executors: [Arc<dyn Executor>; 2] = [
            Arc::new(testing::Faulty { inner: Synchronous, fault, seed }),
            Arc::new(testing::Faulty { inner: Threads::new(3), fault, seed }),
        ];
        executors.map(|executor| builder().custom_executor(executor).build().expect("default settings"))
    })
}

/// A command that runs one ignored test of this binary in another process, with its own environment.
pub fn in_another_process(test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().expect("the test's binary"));
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TALATAT_")) {
        command.env_remove(name);
    }
    command.env("TALATAT_TEST_CHILD", "1");
    command
}
