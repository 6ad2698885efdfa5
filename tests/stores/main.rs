//! Arrays in and out of stacks of files, text, and targets of users' own.

#[path = "../array/fixtures/answer.rs"]
#[allow(dead_code)]
mod answer;
#[path = "../common/mod.rs"]
mod common;
mod npy_stack;
#[path = "../array/oracle.rs"]
#[allow(dead_code)]
mod oracle;
mod store;
mod text;
#[cfg(feature = "zarr")]
mod zarr;

use std::sync::LazyLock;

use ndarray::{ArrayD, IxDyn};
use talatat::{ExecutorChoice, Session};

use crate::common::{builder, cluster_session};

fn session() -> Session {
    builder().executor(ExecutorChoice::Synchronous).build().unwrap()
}

/// Every executor, those that send their tasks last.
static SESSIONS: LazyLock<Vec<Session>> = LazyLock::new(|| {
    let executors = [ExecutorChoice::Synchronous, ExecutorChoice::Threads, ExecutorChoice::Serialize];
    let here = executors.into_iter().map(|executor| builder().executor(executor).threads(3).build().unwrap());
    here.chain(cluster_session()).collect()
});

fn numbered(shape: &[usize]) -> ArrayD<i32> {
    let count = shape.iter().product::<usize>() as i32;
    ArrayD::from_shape_vec(IxDyn(shape), (1..=count).collect()).unwrap()
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
