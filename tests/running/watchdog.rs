//! What a session says of what it is doing, and the watchdog's word.

use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use crate::common::builder;
use talatat::Session;
use talatat::prelude::*;

/// A task that says that it has begun and goes on until it is told to end.
fn endless() -> (Delayed<i64>, Arc<Barrier>, mpsc::SyncSender<()>) {
    let (begun, (end, ends)) = (Arc::new(Barrier::new(2)), mpsc::sync_channel::<()>(0));
    let (begins, ends) = (begun.clone(), Arc::new(std::sync::Mutex::new(ends)));
    let task = delayed(move || {
        begins.wait();
        // An error means that the test has given up.
        ends.lock().unwrap().recv().map_or(0_i64, |()| 1)
    });
    let add = delayed(|a: i64, b: i64| a + b).named("add");
    (add.call((task.named("endless").call(()), 1_i64)), begun, end)
}

#[test]
fn why_is_nothing_running() {
    let session = builder().threads(2).skip("fuse").build().unwrap();
    let (value, begun, end) = endless();
    std::thread::scope(|scope| {
        // If this fails, the task is let go.
        let end = end;
        let run = scope.spawn(|| value.compute_on(&session));
        begun.wait();
        let text = session.status().to_string();
        assert!(text.contains("  endless/0: running on thread "), "{text}");
        assert!(text.contains("(called at tests/running/watchdog.rs:"), "{text}");
        assert!(text.contains("the wanted add/0 waits for endless/0 (running)"), "{text}");
        end.send(()).unwrap();
        assert_eq!(run.join().unwrap().unwrap(), 2);
    });
    assert_eq!(session.status().to_string(), "nothing is being computed\n");
}

#[test]
fn a_task_that_never_ends_is_named_before_and_after_the_cancel() {
    let (tell, told) = mpsc::channel::<String>();
    let tell = std::sync::Mutex::new(tell);
    let session: Session = builder()
        .threads(1)
        .skip("fuse")
        .watchdog_to(Duration::from_millis(1), move |text| drop(tell.lock().unwrap().send(text.into())))
        .build()
        .unwrap();
    let (value, begun, end) = endless();
    std::thread::scope(|scope| {
        // If this fails, the task is let go.
        let end = end;
        let run = scope.spawn(|| value.compute_on(&session));
        begun.wait();
        // However long it takes: the watchdog's word comes, and it is what this waits for.
        let word = told.recv().unwrap();
        assert!(
            word.starts_with("talatat: no task has finished for ") && word.contains("endless/0: running"),
            "{word}"
        );
        session.cancel_handle().cancel();
        let word = told.iter().find(|word| word.contains("cancelled")).unwrap();
        assert!(word.starts_with("talatat: cancelled, and still not over after "), "{word}");
        assert!(word.contains("endless/0: running") && word.contains("cannot be stopped from outside"), "{word}");
        end.send(()).unwrap();
        assert!(run.join().unwrap().unwrap_err().to_string().contains("cancelled after 1 of 2 tasks"));
    });
}
