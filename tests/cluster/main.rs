//! Arrays and frames on a local cluster of three workers: the same bits as here, and what is particular to clusters. (With
//! `TALATAT_TEST_CLUSTER=1` all tests of arrays and of frames run there.)

#[path = "../common/mod.rs"]
mod common;
mod faults;
#[cfg(feature = "frame")]
mod frames;
mod kept;
mod seeing;
mod stores;
mod values;

use talatat::Session;

/// The plainest session.
fn here() -> Session {
    common::builder().executor(talatat::ExecutorChoice::Synchronous).build().unwrap()
}
