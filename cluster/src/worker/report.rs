//! What a worker tells of a unit: times, or what went wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use talatat_graph::{Error, Event, Observer};

/// The most bytes of a report or a failure that are read.
const MOST: usize = 1 << 28;

/// What a unit did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run.
    pub run: u128,
    /// The unit's number in it.
    pub unit: u32,
    /// When it started, by the worker's clock: since 1970.
    pub start: Duration,
    /// How long it took.
    pub elapsed: Duration,
    /// Its tasks, if they were watched.
    pub tasks: Vec<TaskTime>,
}

/// When a task of a unit ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskTime {
    /// Its position in the unit.
    pub task: u32,
    /// The worker's thread.
    pub thread: u32,
    /// Microseconds from the unit's start to the task's start.
    pub start: u64,
    /// Microseconds that it took.
    pub elapsed: u64,
    /// Bytes of its result.
    pub bytes: u64,
}

/// Why a unit failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The run.
    pub run: u128,
    /// The unit's number in it.
    pub unit: u32,
    /// What happened.
    pub kind: FailureKind,
    /// What was said.
    pub message: String,
}

/// What happened to a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FailureKind {
    /// A kernel refused its input.
    Kernel(Site),
    /// A kernel panicked.
    Panic(Site),
    /// The run was cancelled.
    Cancelled,
    /// The worker does not know an operation or a block.
    NotPortable {
        /// The operation or the block.
        operation: String,
    },
    /// Anything else.
    Other,
}

/// The task that failed. The line of the user's code is known to the driver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// The operation.
    pub operation: String,
    /// The block's number.
    pub block: u64,
    /// Descriptions of its inputs.
    pub inputs: Vec<String>,
}

impl Failure {
    /// An error of a unit.
    pub(super) fn of(run: u128, unit: u32, error: &Error) -> Failure {
        let site = |site: &talatat_graph::TaskSite| Site {
            operation: site.operation.clone(),
            block: site.block,
            inputs: site.inputs.to_vec(),
        };
        let (kind, message) = match error {
            Error::Kernel { site: at, source } => (FailureKind::Kernel(site(at)), source.to_string()),
            Error::Panic { site: at, message } => (FailureKind::Panic(site(at)), message.clone()),
            Error::Cancelled { .. } => (FailureKind::Cancelled, error.to_string()),
            Error::NotPortable { operation, reason } => {
                (FailureKind::NotPortable { operation: operation.clone() }, reason.clone())
            }
            other => (FailureKind::Other, other.to_string()),
        };
        Failure { run, unit, kind, message }
    }
}

macro_rules! travels {
    ($type:ty) => {
        impl $type {
            /// As bytes.
            pub fn encode(&self) -> Vec<u8> {
                // Nothing of it can fail to be written to memory.
                postcard::to_stdvec(self).unwrap_or_default()
            }

            /// Reads it back; `None` if the bytes are something else.
            pub fn decode(bytes: &[u8]) -> Option<Self> {
                if bytes.len() > MOST { None } else { postcard::from_bytes(bytes).ok() }
            }
        }
    };
}

travels!(Report);
travels!(Failure);

impl Report {
    pub(super) fn new(run: u128, unit: u32, start: SystemTime, elapsed: Duration, tasks: Vec<TaskTime>) -> Report {
        let start = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        Report { run, unit, start, elapsed, tasks }
    }
}

/// Notes when tasks run; the first ones, which hand in the unit's inputs, do not count.
pub(super) struct Times {
    inputs: usize,
    tasks: Mutex<Vec<TaskTime>>,
}

impl Times {
    pub(super) fn new(inputs: usize) -> Times {
        Times { inputs, tasks: Mutex::default() }
    }

    pub(super) fn take(&self) -> Vec<TaskTime> {
        std::mem::take(&mut *self.tasks.lock())
    }
}

impl Observer for Times {
    fn on(&self, event: &Event<'_>) {
        if let &Event::Task { task, thread, start, end, bytes } = event
            && task.index() >= self.inputs
        {
            self.tasks.lock().push(TaskTime {
                task: (task.index() - self.inputs) as u32,
                thread: thread as u32,
                start: start.as_micros() as u64,
                elapsed: end.saturating_sub(start).as_micros() as u64,
                bytes,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn garbage_is_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            // Whatever is read is written back as at most what it was read from.
            if let Some(failure) = Failure::decode(&bytes) {
                prop_assert!(failure.encode().len() <= bytes.len());
            }
            if let Some(report) = Report::decode(&bytes) {
                prop_assert!(report.encode().len() <= bytes.len());
            }
        }

        #[test]
        fn failures_travel(run in any::<u128>(), unit in any::<u32>(), message in ".*", block in any::<u64>()) {
            let site = Site { operation: message.clone(), block, inputs: vec![message.clone()] };
            let failure = Failure { run, unit, kind: FailureKind::Panic(site), message };
            prop_assert_eq!(Failure::decode(&failure.encode()), Some(failure));
        }
    }
}
