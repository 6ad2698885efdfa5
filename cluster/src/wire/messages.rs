//! What the driver and its helper say to each other. Nothing here names an engine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// From the driver.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Request {
    /// Connect to the engine; answered by [`Answer::Described`].
    Connect {
        /// Names the answer.
        id: u64,
        /// Where the engine is.
        address: String,
        /// Seconds to wait for it.
        timeout: f64,
        /// How many workers to wait for.
        workers: usize,
        /// Whether fewer of them are enough after a while, if there is one.
        few: bool,
        /// Whether results come from the workers themselves, not by way of the scheduler.
        direct: bool,
        /// By which files connections are encrypted, if they are.
        tls: Option<Tls>,
    },
    /// Tell what the workers are; answered by [`Answer::Described`].
    Describe {
        /// Names the answer.
        id: u64,
    },
    /// Tell how many results are kept; answered by [`Answer::Count`].
    Kept {
        /// Names the answer.
        id: u64,
    },
    /// Run units, whose bytes are the frames. Answered by [`Answer::Values`] or, if results are to be kept, [`Answer::Kept`]; or by
    /// [`Answer::UnitFailed`] or [`Answer::Failed`].
    Submit {
        /// Names the run.
        run: String,
        /// The units, those that others read first.
        units: Vec<UnitHeader>,
        /// Whose results are wanted.
        wanted: Vec<Wanted>,
        /// Whether results stay where they are.
        keep: bool,
        /// Whether the times of tasks are wanted.
        observe: bool,
    },
    /// Stop a run, of this helper or of one that is gone; answered by [`Answer::Cancelled`].
    Cancel {
        /// The run.
        run: String,
    },
    /// Bring results that were kept; answered by [`Answer::Values`].
    Gather {
        /// Names the answer.
        id: u64,
        /// Which.
        wanted: Vec<Wanted>,
    },
    /// Results that were kept are not wanted any more.
    Release {
        /// Their keys.
        keys: Vec<String>,
    },
}

/// Files by which connections are encrypted, and by which both sides know that the other one is who it should be. All in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// Whose signature is trusted.
    pub ca: PathBuf,
    /// One's own certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A unit, as far as the helper needs to know it.
#[derive(Clone, Debug, Serialize)]
pub struct UnitHeader {
    /// What the engine calls it.
    pub key: String,
    /// The keys of those that it reads.
    pub deps: Vec<String>,
}

/// A unit whose outputs are wanted.
#[derive(Clone, Debug, Serialize)]
pub struct Wanted {
    /// The unit.
    pub key: String,
    /// Which of its outputs, if not all.
    pub pick: Option<Vec<u32>>,
}

/// From the helper.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "ev", rename_all = "kebab-case")]
pub enum Answer {
    /// The workers, and the helper.
    Described {
        /// Whom it answers.
        id: u64,
        /// The helper's version of the protocol.
        protocol: u32,
        /// The helper's process.
        pid: u32,
        /// The versions of its packages.
        packages: std::collections::BTreeMap<String, String>,
        /// The workers.
        workers: Vec<WorkerInfo>,
    },
    /// How many results are kept.
    Count {
        /// Whom it answers.
        id: u64,
        /// How many.
        count: usize,
    },
    /// Results, whose bytes are the frames: so many frames for each unit that was wanted.
    Values {
        /// The run, or
        run: Option<String>,
        /// what asked for them.
        id: Option<u64>,
        /// How many frames each has.
        counts: Vec<usize>,
    },
    /// Results are there, and stay where they are; for each key a frame that tells their sizes ([`Size`](crate::worker::Size)).
    Kept {
        /// The run.
        run: String,
        /// What they are called from now on.
        keys: Vec<String>,
    },
    /// A unit failed: its one frame tells why.
    UnitFailed {
        /// The run.
        run: String,
        /// Where it was.
        worker: String,
    },
    /// A unit is done: its one frame is the report.
    Report {
        /// Where it was.
        worker: String,
    },
    /// A run has been stopped.
    Cancelled {
        /// The run.
        run: String,
    },
    /// Anything else went wrong.
    Failed {
        /// The run, or
        run: Option<String>,
        /// what was asked for.
        id: Option<u64>,
        /// The kind of error, in the engine's words.
        kind: String,
        /// What was said.
        message: String,
    },
}

/// A worker's process.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WorkerInfo {
    /// Where it is.
    pub address: String,
    /// How many units it runs at once.
    pub threads: usize,
    /// Its process.
    pub pid: u32,
    /// The version of its package of ours.
    pub version: String,
    /// The operations that it knows.
    pub operations: Vec<String>,
    /// The versions of its packages.
    pub packages: std::collections::BTreeMap<String, String>,
    /// Why it cannot run units, if so.
    pub missing: Option<String>,
}
