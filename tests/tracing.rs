//! What a `tracing` subscriber is told.
#![cfg(feature = "tracing")]

mod common;

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::builder;
use talatat::diagnostics::TracingSpans;
use talatat::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Notes {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<AtomicU64>,
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "elapsed" {
            let _ = write!(self.0, " {}={value:?}", field.name());
        }
    }
}

impl Notes {
    fn note(&self, what: String, fields: impl FnOnce(&mut Text)) {
        let mut text = Text(what);
        fields(&mut text);
        self.lines.lock().unwrap().push(text.0);
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "talatat"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.spans.fetch_add(1, Ordering::Relaxed) + 1;
        let parent = span.parent().map_or(0, Id::into_u64);
        self.note(format!("{id} in {parent}: {}", span.metadata().name()), |text| span.record(text));
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.note(format!("{} has", span.into_u64()), |text| values.record(text));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note("event".into(), |text| event.record(text));
    }

    fn enter(&self, span: &Id) {
        self.note(format!("enter {}", span.into_u64()), |_| {});
    }

    fn exit(&self, span: &Id) {
        self.note(format!("exit {}", span.into_u64()), |_| {});
    }
}

#[test]
fn tasks_are_spans_within_their_run() {
    let notes = Notes::default();
    let session = builder()
        .executor(talatat::ExecutorChoice::Synchronous)
        .observer(Arc::new(TracingSpans))
        .skip("fuse")
        .build()
        .unwrap();
    let one = delayed(|x: i64| {
        tracing::info!(target: "talatat", x, "within");
        x + 1
    });
    let bad = try_delayed(|x: i64| if x > 1 { Err(std::io::Error::other("no")) } else { Ok(x) }).named("bad");
    tracing::subscriber::with_default(notes.clone(), || {
        bad.call(one.named("one").call(1_i64)).compute_on(&session).unwrap_err();
    });
    let lines = notes.lines.lock().unwrap().join("\n");
    insta::assert_snapshot!(lines, @r#"
    1 in 0: run tasks=2 projected_peak=0
    2 in 1: task operation="one" block=0
    enter 2
    event message=within x=1
    2 has bytes=0
    exit 2
    3 in 1: task operation="bad" block=0
    enter 3
    event message=task failed error=bad, block 0, called at tests/tracing.rs:88: no
    exit 3
    event message=run failed error=bad, block 0, called at tests/tracing.rs:88: no
    "#);
}
