//! A profile in the trace-event format ("Trace Event Format", the Chromium project), which Perfetto reads, too.
//!
//! A thread is a track; what is summed in bins has a track of its own beside it, so that slices of one track always nest.

use serde_json::{Value, json};

use super::{Profile, Span};

/// Tracks of what is summed have numbers from here.
const SUMMED: usize = 100_000;

pub(super) fn chrome(profile: &Profile) -> String {
    let mut events = vec![json!({"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "talatat"}})];
    let mut timed: Vec<(u64, Value)> = Vec::new();
    for (thread, lane) in profile.lanes.iter().enumerate() {
        events.push(track(thread, &lane.name));
        for (span, block) in &lane.spans {
            let mut args = json!({"bytes": span.bytes, "block": block, "task": span.task});
            let row = profile.rows.get(span.row as usize);
            if let (Some(row), Some(args)) = (row, args.as_object_mut()) {
                row.location.iter().for_each(|place| drop(args.insert("called at".into(), json!(place))));
                if lane.failed == Some(span.task) {
                    args.insert("error".into(), json!(profile.end.error));
                }
            }
            let category = if matches!(span.row, Span::READS | Span::WRITES) { "disk" } else { "task" };
            let name = profile.name(span.row);
            timed.push((span.start, slice(thread, name, category, span.start, span.length(), args)));
        }
        if lane.bins.spans > 0 {
            let length = std::time::Duration::from_nanos(lane.shortest);
            let name = format!("{}, tasks shorter than {length:.1?}, summed", lane.name);
            events.push(track(SUMMED + thread, &name));
        }
        let width = lane.bins.width;
        for (number, bin) in lane.bins.bins.iter().enumerate() {
            let mut start = number as u64 * width;
            let end = start + width;
            // Tasks that wait for tasks on the same thread count twice: their shares together may be more than the bin.
            let sum: u64 = bin.iter().map(|share| share.time).sum();
            for share in bin {
                let length =
                    if sum > width { (share.time as f64 * width as f64 / sum as f64) as u64 } else { share.time };
                let length = length.min(end - start);
                let args = json!({"tasks that ended": share.spans, "ns": share.time});
                timed.push((start, slice(SUMMED + thread, profile.name(share.row), "summed", start, length, args)));
                start += length;
            }
        }
    }
    for sample in &profile.samples {
        let mut counter = |name: &str, args: Value| {
            timed.push((sample.at, json!({"ph": "C", "pid": 1, "name": name, "ts": micros(sample.at), "args": args})));
        };
        counter("memory", json!({"results": sample.held, "reserved": sample.reserved}));
        counter("memory of the process", json!({"bytes": sample.process}));
        counter("threads in use", json!({"threads": sample.running}));
        if profile.report.spilled != (0, 0) {
            counter("disk", json!({"written": sample.written, "read": sample.read}));
        }
    }
    // Stable: of what starts at the same time the outer one stands first.
    timed.sort_by_key(|(start, _)| *start);
    events.extend(timed.into_iter().map(|(_, event)| event));
    let notes = profile.notes().join("; ");
    json!({"displayTimeUnit": "ms", "traceEvents": events, "otherData": {"notes": notes}}).to_string()
}

fn track(number: usize, name: &str) -> Value {
    json!({"ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": {"name": name}})
}

fn slice(track: usize, name: &str, category: &str, start: u64, length: u64, args: Value) -> Value {
    json!({"ph": "X", "pid": 1, "tid": track, "name": name, "cat": category, "ts": micros(start), "dur": micros(length), "args": args})
}

/// The format counts in microseconds; fractions are allowed.
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
