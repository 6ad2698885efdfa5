//! Sessions: settings from code, environment and file; what `compute` does without one; Ctrl-C.

use std::io::{BufRead, BufReader};
use std::panic::AssertUnwindSafe;
use std::process::Stdio;
use std::sync::Arc;

use crate::common::{builder, in_another_process};
use talatat::config::Progress;
use talatat::graph::{Error as GraphError, Event, Observer, testing};
use talatat::prelude::*;
use talatat::{Error, ExecutorChoice};

#[test]
fn code_goes_over_the_settings() {
    let session = builder().threads(3).memory_limit(1000).progress(Progress::Off).chunk_target(10).build().unwrap();
    let settings = session.settings();
    assert_eq!((settings.threads, settings.memory_limit, settings.chunk_target), (3, Some(1000), 10));
    assert_eq!(settings.progress, Progress::Off);
    assert_eq!(session.executor().threads(), 3);
    assert_eq!(builder().memory_limit(None).build().unwrap().settings().memory_limit, None);
    assert_eq!(builder().threads(0).build().unwrap().executor().threads(), 1);
    let names = [
        (ExecutorChoice::Synchronous, "sync"),
        (ExecutorChoice::Threads, "threads"),
        (ExecutorChoice::Refuse, "refuse"),
        (ExecutorChoice::Serialize, "serialize"),
    ];
    for (choice, name) in names {
        assert_eq!(builder().executor(choice).build().unwrap().executor().name(), name);
    }
    let custom = builder().executor(ExecutorChoice::Refuse).custom_executor(Arc::new(testing::Count::default()));
    assert_eq!(custom.build().unwrap().executor().name(), "count");
}

#[test]
fn sessions_in_scope() {
    let outer = builder().threads(3).chunk_target(300).build().unwrap();
    let inner = builder().executor(ExecutorChoice::Synchronous).chunk_target(100).build().unwrap();
    let seen = || (Session::current().unwrap().executor().threads(), talatat::config::chunk_target());
    outer.scope(|| {
        assert_eq!(seen(), (3, 300));
        inner.scope(|| assert_eq!(seen(), (1, 100)));
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| inner.scope(|| panic!("in scope"))));
        assert!(panicked.is_err());
        assert_eq!(seen(), (3, 300));
    });
}

/// Prints what a program without any session sees.
#[test]
#[ignore = "prints settings for another test"]
fn print_settings() {
    let target = talatat::config::chunk_target();
    match delayed(|x: i64| x + 1).call(1_i64).compute() {
        Ok(value) => {
            let session = Session::current().unwrap();
            println!("SEEN {value} {session:?} limit {:?} chunks {target}", session.settings().memory_limit);
        }
        Err(error) => println!("SEEN {error}"),
    }
}

fn seen(set: &[(&str, &str)]) -> String {
    let mut command = in_another_process("session::print_settings");
    let output = command.env("XDG_CONFIG_HOME", "/nowhere").envs(set.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let at = text.find("SEEN ").unwrap_or_else(|| panic!("{text}"));
    text[at + 5..].lines().next().unwrap_or_default().to_string()
}

#[test]
fn the_environment_and_the_file_count_without_a_line_of_code() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "threads = 3\nmemory_limit = '1 MiB'\nchunk_target = '2 KiB'\n").unwrap();
    let file = file.to_str().unwrap();
    let text = seen(&[("TALATAT_CONFIG", file), ("TALATAT_THREADS", "2")]);
    assert_eq!(text, "2 Session(threads, 2 threads) limit Some(1048576) chunks 2048");
    let text = seen(&[("TALATAT_CONFIG", file), ("TALATAT_MEMORY_LIMIT", "lots")]);
    assert_eq!(
        text,
        "environment variable TALATAT_MEMORY_LIMIT: \"lots\" is not an amount of bytes: \
         write a number and a unit, as in 500MB or 2 GiB"
    );
}

#[test]
fn a_settings_error_is_an_error_of_compute_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "thread = 3\n").unwrap();
    let text = seen(&[("TALATAT_CONFIG", file.to_str().unwrap())]);
    assert!(text.contains("bad.toml: thread: is no setting"), "{text}");
}

#[test]
fn observers_see_every_task_of_every_run() {
    #[derive(Default)]
    struct Tasks(std::sync::atomic::AtomicUsize);
    impl Observer for Tasks {
        fn on(&self, event: &Event<'_>) {
            if let Event::Task { .. } = event {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
    }
    let tasks = Arc::new(Tasks::default());
    let session = builder().observer(tasks.clone()).build().unwrap();
    let one = delayed(|x: i64| x + 1).call(1_i64);
    one.compute_on(&session).unwrap();
    one.compute_on(&session).unwrap();
    assert_eq!(tasks.0.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[test]
fn a_run_that_was_reported() {
    let session = builder().threads(2).memory_limit(1 << 20).build().unwrap();
    let text = delayed(|x: i64| x.to_string());
    let join = delayed(|parts: Vec<String>| parts.concat()).named("join");
    let all = join.call((0..10_i64).map(|x| text.call(x)).collect::<Vec<_>>());
    let (value, report) = session.scope(|| all.compute_reported()).unwrap();
    assert_eq!(value, "0123456789");
    assert_eq!(report.threads, 2);
    assert_eq!(report.operations.iter().map(|row| row.tasks).sum::<usize>(), 11);
    assert!(report.operations.iter().all(|row| row.tasks == row.planned && row.bytes_measured == row.bytes_promised));
    assert!(report.peak_measured.is_some_and(|peak| peak > 0));
    let shares: f64 = report.operations.iter().map(|row| row.share).sum();
    assert!((shares - 1.0).abs() < 1e-9 || shares == 0.0);
}

/// Waits for Ctrl-C within a task.
#[test]
#[ignore = "waits for a signal that another test sends"]
fn wait_for_ctrl_c() {
    if std::env::var_os("TALATAT_TEST_CHILD").is_none() {
        return; // somebody runs all ignored tests: nobody would send the signal
    }
    // If the other test dies, this process ends too.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(1);
    });
    let session = builder().build().unwrap();
    talatat::diagnostics::cancel_on_ctrl_c(&session).unwrap();
    let cancel = session.cancel_handle();
    let wait = delayed(move || {
        println!("READY");
        while !cancel.is_cancelled() {
            std::thread::yield_now();
        }
    });
    let after = delayed(|()| panic!("this must not run"));
    let error = after.call(wait.call(())).compute_on(&session).unwrap_err();
    assert!(matches!(error, Error::Graph(GraphError::Cancelled { .. })), "{error:?}");
    println!("CANCELLED");
    // Nothing is left to cancel: the next Ctrl-C ends the program.
    loop {
        std::thread::park();
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_cancels_and_a_second_one_ends_the_program() {
    let mut child =
        in_another_process("session::wait_for_ctrl_c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let number = child.id().to_string();
    let interrupt = || {
        let status = std::process::Command::new("kill").args(["-INT", &number]).status();
        assert!(status.unwrap().success());
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut wait_for = |word: &str| {
        let found = lines.by_ref().any(|line| line.unwrap().ends_with(word));
        assert!(found, "the other process ended before it said {word}");
    };
    wait_for("READY");
    interrupt();
    wait_for("CANCELLED");
    interrupt();
    // `wait` would close the pipe that keeps the other process alive.
    let pipe = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(pipe);
}
