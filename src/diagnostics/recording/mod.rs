//! What a run leaves behind: one observer that notes what happens, in bounded memory, and what all views of a run are made of.
//!
//! ```text
//! Event ---> Recorder: a Lane for each thread (sums by operation; Timeline: long tasks one by one, short ones in bins of time)
//! Ticker --> Recorder: Samples of memory, traffic with the disk, threads in use
//!            Report, Profile, what is learnt of costs, the live page: read it, while the run goes on or after it
//! ```

mod lane;
mod memory;
mod samples;
mod ticker;

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use talatat_graph::memory::Excess;
use talatat_graph::{Board, Event, GraphBuilder, Levels, Observer, Plan, PlanOptions, TaskId};

pub(crate) use lane::{Bins, Lane, Span, Sums, Timeline, Traffic};
pub(crate) use memory::process_memory;
pub(crate) use samples::{Sample, Samples};
pub(crate) use ticker::Ticker;

/// All tasks of a run that are kept one by one, and their bytes: 32 each.
const SPANS: usize = 32_768;

/// What a recording keeps beside sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing: what a report needs.
    Sums,
    /// When what ran.
    Timeline,
}

/// One operation of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// What plans call it.
    pub operation: String,
    /// Tasks that the plan has.
    pub tasks: usize,
    /// Bytes of its results as the plan promised.
    pub bytes: u64,
    /// Where the user called it (one of the places, if there are several).
    pub location: Option<String>,
    /// The largest excess of a task that made more than it declared.
    pub excess: Option<Excess>,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    pub elapsed: Duration,
    pub peak: Option<u64>,
    pub error: Option<String>,
    /// The task that failed, and its thread.
    pub failed: Option<(TaskId, usize)>,
}

/// Records one run. Memory: a row for each operation and thread; with a timeline at most about 3 MiB more, however many tasks there are.
pub(crate) struct Recorder {
    plan: Arc<Plan>,
    row_of_layer: Vec<u32>,
    rows: Mutex<Vec<Row>>,
    threads: usize,
    lanes: Vec<Mutex<Lane>>,
    /// What lanes are called that are no threads of this process.
    names: Vec<String>,
    samples: Mutex<Samples>,
    end: Mutex<Option<End>>,
    failed: Mutex<Option<(TaskId, usize)>>,
    /// The rows of submitted calls by their names, if it is these that are recorded.
    calls: Option<Mutex<HashMap<String, u32>>>,
}

impl Recorder {
    /// A recorder for a run of a plan on so many threads.
    pub(crate) fn new(plan: &Arc<Plan>, threads: usize, detail: Detail) -> Recorder {
        Recorder::named(plan, threads, Vec::new(), detail)
    }

    /// The same with names for the lanes. There may be more lanes than threads, if what runs where changes meanwhile.
    pub(crate) fn named(plan: &Arc<Plan>, threads: usize, names: Vec<String>, detail: Detail) -> Recorder {
        let (graph, operations) = (plan.graph(), plan.operations());
        let numbers: HashMap<&str, u32> =
            operations.iter().zip(0..).map(|(row, number)| (row.operation.as_str(), number)).collect();
        let row_of_layer: Vec<u32> = (graph.layers().iter())
            .map(|layer| numbers.get(layer.kernel.describe().as_str()).copied().unwrap_or(u32::MAX))
            .collect();
        let mut rows: Vec<Row> = (operations.iter())
            .map(|row| Row {
                operation: row.operation.clone(),
                tasks: row.tasks,
                bytes: row.bytes_made,
                ..Row::default()
            })
            .collect();
        for (layer, &row) in graph.layers().iter().zip(&row_of_layer) {
            if let (Some(row), Some(place)) = (rows.get_mut(row as usize), layer.location.or(layer.kernel.location(0)))
            {
                row.location.get_or_insert_with(|| format!("{}:{}", place.file(), place.line()));
            }
        }
        let threads = threads.max(1);
        let most = (SPANS / threads).max(1024);
        let lane = || Mutex::new(Lane::new(rows.len(), (detail == Detail::Timeline).then(|| Timeline::new(most))));
        Recorder {
            lanes: (0..threads.max(names.len())).map(|_| lane()).collect(),
            threads,
            names,
            plan: plan.clone(),
            row_of_layer,
            rows: Mutex::new(rows),
            samples: Mutex::default(),
            end: Mutex::default(),
            failed: Mutex::default(),
            calls: None,
        }
    }

    /// A recorder for submitted calls, on so many threads. They are no run: there is nothing planned.
    pub(crate) fn of_calls(threads: usize) -> talatat_graph::Result<Recorder> {
        let nothing = Arc::new(Plan::new(GraphBuilder::new().build(), &PlanOptions::default())?);
        Ok(Recorder { calls: Some(Mutex::default()), ..Recorder::new(&nothing, threads, Detail::Timeline) })
    }

    /// Recording calls is over.
    pub(crate) fn finish(&self, elapsed: Duration) {
        *self.end.lock() = Some(End { elapsed, ..End::default() });
    }

    /// The number that views show of a span: of a task its block, of a call how many of its name there were before.
    pub(crate) fn number(&self, span: &Span) -> u64 {
        if self.calls.is_some() { span.task.into() } else { self.plan.graph().block(TaskId(span.task)) }
    }

    /// A call has ended.
    fn called(&self, name: &str, location: &Location<'_>, thread: usize, mut span: Span, ended_well: bool) {
        let Some(numbers) = &self.calls else { return };
        {
            let (mut rows, mut numbers) = (self.rows.lock(), numbers.lock());
            span.row = match numbers.get(name) {
                Some(&row) => row,
                None => {
                    let location = Some(format!("{}:{}", location.file(), location.line()));
                    rows.push(Row { operation: name.into(), location, ..Row::default() });
                    let row = rows.len() as u32 - 1;
                    numbers.insert(name.into(), row);
                    row
                }
            };
            if let Some(row) = rows.get_mut(span.row as usize) {
                span.task = row.tasks as u32;
                row.tasks += 1;
            }
        }
        let mut lane = self.lane(thread).lock();
        if ended_well { lane.called(span) } else { lane.failed(span) }
    }

    /// The plan that runs.
    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The operations.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.rows.lock().clone()
    }

    /// The name of the kernel of each row.
    pub(crate) fn kernels(&self) -> Vec<String> {
        let mut kernels = vec![String::new(); self.rows.lock().len()];
        for (layer, &row) in self.plan.graph().layers().iter().zip(&self.row_of_layer) {
            kernels.get_mut(row as usize).into_iter().for_each(|name| *name = layer.kernel.name().into());
        }
        kernels
    }

    /// The row of a task's operation.
    pub(crate) fn row(&self, task: TaskId) -> u32 {
        self.row_of_layer[self.plan.graph().layer_id(task).0 as usize]
    }

    /// How many threads run tasks.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// What a lane is called.
    pub(crate) fn lane_name(&self, lane: usize) -> String {
        self.names.get(lane).cloned().unwrap_or_else(|| format!("thread {lane}"))
    }

    /// What each thread has done so far.
    pub(crate) fn lanes(&self) -> Vec<Lane> {
        self.lanes.iter().map(|lane| lane.lock().clone()).collect()
    }

    /// Memory and traffic over time.
    pub(crate) fn samples(&self) -> Samples {
        self.samples.lock().clone()
    }

    /// How the run ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.end.lock().clone()
    }

    /// Notes what the run holds at this moment.
    pub(crate) fn sample(&self, levels: &Levels, process: u64) {
        let (mut written, mut read) = (0, 0);
        for lane in &self.lanes {
            let lane = lane.lock();
            written += lane.written.bytes;
            read += lane.read.bytes;
        }
        self.samples.lock().push(Sample {
            at: nanos(levels.elapsed),
            held: levels.held,
            reserved: levels.reserved,
            process,
            written,
            read,
            running: levels.running as u32,
            finished: levels.finished as u64,
        });
    }

    /// Samples the run that stands on a board, first every millisecond, then less and less often, until the ticker is dropped.
    pub(crate) fn sample_each(self: &Arc<Self>, board: Board) -> Ticker {
        const FIRST: Duration = Duration::from_millis(1);
        let recorder = self.clone();
        Ticker::start("talatat-sampler", Duration::ZERO, move || {
            if let Some(levels) = board.levels().first() {
                recorder.sample(levels, process_memory());
            }
            FIRST.max(Duration::from_nanos(recorder.samples.lock().gap()))
        })
    }

    fn lane(&self, thread: usize) -> &Mutex<Lane> {
        &self.lanes[thread % self.lanes.len()]
    }
}

impl Observer for Recorder {
    fn on(&self, event: &Event<'_>) {
        match event {
            &Event::Task { task, thread, start, end, bytes } => {
                let span = Span { row: self.row(task), task: task.0, start: nanos(start), end: nanos(end), bytes };
                let moved = self.plan.bytes_in(task).saturating_add(self.plan.graph().bytes(task));
                self.lane(thread).lock().finished(span, moved);
            }
            &Event::Failed { task, thread, start, end, error: _ } => {
                let span = Span { row: self.row(task), task: task.0, start: nanos(start), end: nanos(end), bytes: 0 };
                self.lane(thread).lock().failed(span);
                self.failed.lock().get_or_insert((task, thread));
            }
            &Event::Evicted { task, thread, start, end, bytes } => {
                let span = Span { row: Span::WRITES, task: task.0, start: nanos(start), end: nanos(end), bytes };
                self.lane(thread).lock().moved(span);
            }
            &Event::ReadBack { task, thread, start, end, bytes } => {
                let span = Span { row: Span::READS, task: task.0, start: nanos(start), end: nanos(end), bytes };
                self.lane(thread).lock().moved(span);
            }
            Event::Excess { task, excess } if excess.declared > 0 => {
                let mut rows = self.rows.lock();
                let row = rows.get_mut(self.row(*task) as usize);
                if let Some(row) = row.filter(|row| row.excess.is_none_or(|most| excess.made > most.made)) {
                    row.excess = Some(*excess);
                }
            }
            &Event::Call { name, location, thread, start, end, error } => {
                let span = Span { row: 0, task: 0, start: nanos(start), end: nanos(end), bytes: 0 };
                self.called(name, location, thread, span, error.is_none());
            }
            Event::Finished { elapsed, peak, error, .. } => {
                let (error, failed) = (error.map(ToString::to_string), *self.failed.lock());
                *self.end.lock() = Some(End { elapsed: *elapsed, peak: *peak, error, failed });
            }
            _ => {}
        }
    }
}

/// A time as events tell it, in nanoseconds: enough for five hundred years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
