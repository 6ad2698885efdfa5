//! What is going to happen, what is happening, what has happened.
//!
//! | when | what |
//! |---|---|
//! | before | [`explain`](crate::Compute::explain): the expression, the passes, the table of operations, the projected peak |
//! | before | [`visualize`](crate::Compute::visualize): a picture of the graph, by [`dot()`] or [`svg()`] |
//! | before | [`predict`](crate::Compute::predict): how long it will take, going by earlier runs, and how that falls with cores |
//! | during | [`ProgressBar`]; [`cancel_on_ctrl_c`] |
//! | during | [`Session::status`](crate::Session::status): what runs, what waits for what; a [watchdog](crate::SessionBuilder::watchdog) says it when nothing happens |
//! | during | a [page for the browser](crate::SessionBuilder::live_page) on the loopback device, if it is asked for |
//! | after | [`Session::last_failure`](crate::Session::last_failure): the task that failed, to be run again alone |
//! | after | [`compute_reported`](crate::Compute::compute_reported): the table again, with what was measured |
//! | after | [`compute_profiled`](crate::Compute::compute_profiled): what each thread did when, and memory over time, as a [`Profile`] |
//!
//! All of it stands on what `talatat-graph` tells: plans and [`Event`](crate::graph::Event)s.

mod dot;
mod explain;
mod failure;
mod flow;
mod graph_page;
mod interrupt;
mod live;
mod page;
mod picture;
mod predict;
mod profile;
mod progress;
mod recording;
mod report;
#[cfg(feature = "tracing")]
mod spans;
mod splits;
mod stages;
mod status;
mod svg;
mod watchdog;

use std::borrow::Cow;
use std::io::Write;
use std::panic::Location;
use std::path::Path;

use talatat_collections::storage::{self, write_atomic};
use talatat_collections::{Error, Result};
use talatat_graph::TaskGraph;

pub use dot::dot;
pub use explain::Explained;
pub use failure::FailedTask;
pub(crate) use flow::Flow;
pub use interrupt::cancel_on_ctrl_c;
pub(crate) use live::LivePage;
pub use predict::{Basis, PredictedOperation, Prediction};
pub(crate) use predict::{compare_and_learn, predict, task_times};
pub use profile::Profile;
pub use progress::ProgressBar;
pub(crate) use recording::{Detail, Recorder};
pub use report::{OperationReport, Report};
#[cfg(feature = "tracing")]
pub use spans::TracingSpans;
pub use stages::Stage;
pub(crate) use stages::Stages;
pub use status::Status;
pub use svg::svg;
pub(crate) use watchdog::{Tell, Watchdog};

/// Fills that black text can be read on.
const COLOURS: [&str; 10] =
    ["#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5", "#e3c9a8", "#f7b6d2", "#d9d9d9", "#dbdb8d", "#9edae5"];

/// A title that fits into a box.
fn clip(title: &str) -> Cow<'_, str> {
    const LONGEST: usize = 48;
    match title.char_indices().nth(LONGEST) {
        Some((at, _)) => Cow::Owned(format!("{}...", &title[..at])),
        None => Cow::Borrowed(title),
    }
}

/// Draws a graph into a file: DOT if its name ends in `.dot` or `.gv`, a picture if it ends in `.svg`, if it ends in `.html` a page to zoom
/// and to point at. The file is there completely or not at all.
///
/// # Errors
/// If the name ends in something else, or the file cannot be written.
#[track_caller]
pub fn draw(graph: &TaskGraph, path: impl AsRef<Path>) -> Result<()> {
    draw_timed(graph, &[], path)
}

/// [`draw`], with times of the tasks in nanoseconds.
#[track_caller]
pub(crate) fn draw_timed(graph: &TaskGraph, times: &[f64], path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let caller = Location::caller();
    let wrong = |reason: String| Error::invalid_at("visualize", reason, caller);
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let text = match extension.as_deref() {
        Some("dot" | "gv") => dot(graph),
        Some("svg") => svg(graph),
        Some("html" | "htm") => graph_page::html(graph, times),
        _ => {
            let reason = format!("{} is no kind of picture: end the name in .svg or .dot or .html", path.display());
            return Err(wrong(reason));
        }
    };
    let path = path.to_str().ok_or_else(|| wrong(format!("{} is not valid UTF-8", path.display())))?;
    write_atomic(&storage::Location::parse(path)?, |writer| writer.write_all(text.as_bytes()))?;
    Ok(())
}
