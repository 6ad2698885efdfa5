//! When each thread did what, and what memory it took.

mod chrome;
mod html;

use std::io::Write;
use std::panic::Location;
use std::path::Path;

use talatat_collections::storage::{self, write_atomic};
use talatat_collections::{Error, Result};

use super::recording::{Bins, End, Recorder, Row, Sample, Span};
use super::report::Report;

/// What each thread did when, how much memory was held, and what went to the disk: a run that can be looked at. Made by
/// [`compute_profiled`](crate::Compute::compute_profiled).
///
/// A profile takes a few megabytes at most, however many tasks ran: while there is room each task is kept, then those that took longest,
/// and the others are summed by operation in bins of time. The views say so.
///
/// ```
/// use talatat::prelude::*;
/// let add = delayed(|a: i64, b: i64| a + b).named("add");
/// let (value, profile) = add.call((1_i64, 2_i64)).compute_profiled()?;
/// assert_eq!(value, 3);
/// assert_eq!(profile.report().operations[0].tasks, 1);
/// let folder = std::env::temp_dir().join(format!("talatat-profile-{}", std::process::id()));
/// profile.save(folder.join("profile.html"))?; // for a browser
/// profile.save(folder.join("profile.json"))?; // for ui.perfetto.dev and chrome://tracing
/// # std::fs::remove_dir_all(folder).ok();
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Profile {
    report: Report,
    rows: Vec<Row>,
    lanes: Vec<Timed>,
    samples: Vec<Sample>,
    end: End,
}

/// What one thread did.
#[derive(Clone, Debug)]
struct Timed {
    /// What it is called: of a thread elsewhere, where.
    name: String,
    /// One by one, in the order in which they started, outer before inner; with the number of the block.
    spans: Vec<(Span, u64)>,
    /// Nanoseconds: what was shorter is in the bins.
    shortest: u64,
    bins: Bins,
    /// Where the thread's failure is, if it had one.
    failed: Option<u32>,
}

impl Profile {
    /// What a recording has noted so far.
    pub(crate) fn of(recorder: &Recorder, report: Report) -> Profile {
        let end = recorder.end().unwrap_or_default();
        let lanes = recorder.lanes().into_iter().enumerate().map(|(thread, lane)| {
            let timeline = lane.timeline.unwrap_or_else(|| super::recording::Timeline::new(0));
            let mut spans: Vec<(Span, u64)> =
                timeline.spans.into_iter().map(|span| (span, recorder.number(&span))).collect();
            spans.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
            let failed = end.failed.filter(|&(_, on)| on == thread).map(|(task, _)| task.0);
            Timed { name: recorder.lane_name(thread), spans, shortest: timeline.shortest, bins: timeline.bins, failed }
        });
        // Beyond the threads there are lanes for what may come later.
        let lanes = lanes.enumerate().filter(|(at, lane)| {
            *at < recorder.threads() || !lane.spans.is_empty() || lane.bins.spans > 0 || lane.failed.is_some()
        });
        let lanes = lanes.map(|(_, lane)| lane);
        Profile { report, rows: recorder.rows(), lanes: lanes.collect(), samples: recorder.samples().samples, end }
    }

    /// The table of operations.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// A web page in one file, which needs no network: the threads' timelines, memory over time, traffic with the disk, the table of operations.
    pub fn to_html(&self) -> String {
        html::html(self)
    }

    /// The trace-event format of Chrome, as `ui.perfetto.dev`, `chrome://tracing` and others read it.
    pub fn to_chrome_json(&self) -> String {
        chrome::chrome(self)
    }

    /// Writes the profile into a file: a web page if its name ends in `.html`, a trace for Perfetto if it ends in `.json`. The file is there
    /// completely or not at all.
    ///
    /// # Errors
    /// If the name ends in something else, or the file cannot be written.
    #[track_caller]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (path, caller) = (path.as_ref(), Location::caller());
        let wrong = |reason: String| Error::invalid_at("Profile::save", reason, caller);
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let text = match extension.as_deref() {
            Some("html" | "htm") => self.to_html(),
            Some("json") => self.to_chrome_json(),
            _ => {
                return Err(wrong(format!("{} is no kind of profile: end the name in .html or .json", path.display())));
            }
        };
        let path = path.to_str().ok_or_else(|| wrong(format!("{} is not valid UTF-8", path.display())))?;
        write_atomic(&storage::Location::parse(path)?, |writer| writer.write_all(text.as_bytes()))?;
        Ok(())
    }

    /// What a row is called.
    fn name(&self, row: u32) -> &str {
        match row {
            Span::WRITES => "to the disk",
            Span::READS => "from the disk",
            row => self.rows.get(row as usize).map_or("?", |row| row.operation.as_str()),
        }
    }

    /// What a view must say if not every task is in it: how many are, how many are summed, what is the longest of those, how wide a bin is.
    fn notes(&self) -> Vec<String> {
        let time = |nanos: u64| format!("{:.1?}", std::time::Duration::from_nanos(nanos));
        let mut notes = Vec::new();
        let summed: u64 = self.lanes.iter().map(|lane| lane.bins.spans).sum();
        if summed > 0 {
            let kept: usize = self.lanes.iter().map(|lane| lane.spans.len()).sum();
            let shortest = self.lanes.iter().map(|lane| lane.shortest).max().unwrap_or(0);
            let width = self.lanes.iter().map(|lane| lane.bins.width).max().unwrap_or(0);
            let (shortest, width) = (time(shortest), time(width));
            notes.push(format!(
                "{kept} of {} tasks are shown one by one; those shorter than {shortest} are summed by operation in bins of up to {width}",
                kept as u64 + summed
            ));
        }
        if let Some(error) = &self.end.error {
            notes.push(format!("the run failed: {error}"));
        }
        notes
    }
}
