//! Results that outlive the program: what is found again, what is refused, what happens to broken files, and after a crash.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{builder, in_another_process, sessions};
use serde::{Deserialize, Serialize};
use talatat::delayed::{Delayed, Lit, delayed};
use talatat::durable::Durable;
use talatat::graph::testing::Count;
use talatat::{Compute, Session};

/// A session that counts what runs.
fn counting() -> (Session, Count) {
    let count = Count::default();
    (builder().custom_executor(Arc::new(count.clone())).build().unwrap(), count)
}

fn square(x: i64) -> i64 {
    x * x
}

fn squares(count: i64) -> Vec<Delayed<i64>> {
    (0..count).map(|x| delayed(square).call(x)).collect()
}

/// How often `square` ran.
fn ran(count: &Count) -> usize {
    count.counter.counts().get("square").copied().unwrap_or(0)
}

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("results").to_str().unwrap().to_string();
    (folder, place)
}

fn files(place: &str) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn blocks_that_are_there_are_not_computed() {
    let (_folder, place) = folder();
    for session in sessions() {
        let kept = squares(7).persist_to_on(&place, &session).unwrap();
        assert_eq!(kept.compute_on(&session).unwrap(), [0, 1, 4, 9, 16, 25, 36]);
        assert_eq!(squares(9).durable(&place).unwrap().compute_on(&session).unwrap()[8], 64);
    }
    assert_eq!(files(&place).len(), 9, "one file a block, and nothing else");
    let (session, count) = counting();
    let durable = squares(10);
    let durable = durable.durable(&place).unwrap();
    assert_eq!(durable.compute_on(&session).unwrap()[9], 81);
    assert_eq!((ran(&count), durable.survey().found), (1, 9));
    // What is computed of persisted values reads them; what is below them is gone.
    let kept = squares(10).persist_to_on(&place, &session).unwrap();
    let sum = delayed(|values: Vec<i64>| values.iter().sum::<i64>()).call(kept);
    assert_eq!(sum.compute_on(&session).unwrap(), 285);
    assert_eq!(sum.persist_to_on(&place, &session).unwrap().compute_on(&session).unwrap(), 285);
    assert_eq!(ran(&count), 1);
    // Results of results are found, too.
    let again = delayed(|values: Vec<i64>| values.iter().product::<i64>());
    let of = |place: &str| again.call(squares(3).persist_to_on(place, &session).unwrap());
    assert_eq!(of(&place).persist_to_on(&place, &session).unwrap().compute_on(&session).unwrap(), 0);
    let second = of(&place);
    let second = second.durable(&place).unwrap();
    second.compute_on(&session).unwrap();
    assert_eq!(second.survey().found, 1);
}

#[test]
fn other_work_has_other_names() {
    let (_folder, place) = folder();
    let (session, _) = counting();
    let found = |call: Delayed<i64>| {
        let durable = Durable::new(call, &place).unwrap();
        durable.compute_on(&session).unwrap();
        durable.survey().found == 1
    };
    let scale = |rate: i64, version: &str| delayed(move |x: i64| x * rate).versioned("scale", version).call(2_i64);
    assert!(!found(scale(3, "1, 3")));
    assert!(found(scale(3, "1, 3")), "the user says what is the same");
    assert!(!found(scale(4, "1, 4")) && !found(scale(3, "2, 3")));
    let plain = delayed(square);
    assert!(!found(plain.call(3_i64)) && found(plain.call(3_i64)) && !found(plain.call(4_i64)));
    assert!(!found(plain.call(plain.call(3_i64))) && found(delayed(square).call(plain.call(3_i64))));
    assert!(!found(plain.call(Delayed::ready(8_i64))) && found(plain.call(Delayed::ready(8_i64))));
}

#[test]
fn what_another_run_cannot_know_is_refused() {
    let (_folder, place) = folder();
    let (session, count) = counting();
    let refused = |call: Delayed<i64>| call.persist_to_on(&place, &session).unwrap_err().to_string();
    let rate = 3;
    let error = refused(delayed(move |x: i64| x * rate).named("scale").call(2_i64));
    assert!(error.contains("scale, block 0, called at tests/calls/durable.rs:"), "{error}");
    assert!(error.contains("captured values") && error.contains(".versioned(name, version)"), "{error}");
    let error = refused(delayed(square).call(delayed(move |x: i64| x * rate).call(2_i64)));
    assert!(error.contains("captured values"), "of inputs as well: {error}");
    let error = refused(delayed(|| 1_i64).impure().call(()));
    assert!(error.contains("impure"), "{error}");
    let error = refused(delayed(|v: Vec<i64>| v[0]).call(Delayed::ready(vec![1_i64])));
    assert!(error.contains("pass it on as a plain argument"), "{error}");
    let text = delayed(|x: i64| x.to_string()).named("text").call(2_i64);
    let error = text.persist_to_on(&place, &session).unwrap_err().to_string();
    assert!(error.contains("alloc::string::String is kept in memory only: say `.storable()`"), "{error}");
    assert_eq!(count.counter.total(), 0, "all of it before anything runs");
}

#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
struct Model {
    name: String,
    weights: Vec<u32>,
}

#[test]
fn values_of_any_type() {
    let (_folder, place) = folder();
    let train = delayed(|mut model: Model| {
        model.weights.push(7);
        model
    });
    let model = |name: &str| Lit(Model { name: name.into(), weights: vec![1, 2] });
    let trained = || train.call(model("a")).storable();
    let wanted = Model { name: "a".into(), weights: vec![1, 2, 7] };
    for session in sessions() {
        let kept = trained().persist_to_on(&place, &session).unwrap();
        assert_eq!(kept.compute_on(&session).unwrap(), wanted);
        assert_eq!(delayed(|model: Model| model.weights.len()).call(kept).compute_on(&session).unwrap(), 3);
    }
    // Values that go to the disk because memory is short come back as they were.
    let session = builder().memory_limit(10_u64 << 10).spill_folder(std::env::temp_dir()).build().unwrap();
    type Large = [[u64; 16]; 32];
    let large: Vec<Delayed<Large>> = (0..8_u64).map(|x| delayed(|x: u64| [[x; 16]; 32]).call(x).storable()).collect();
    let spread = delayed(|a: Large, b: Large| a[0][0] * 10 + b[31][15]);
    let sums: Vec<_> = (0..8).map(|x| spread.call((large[x].clone(), large[7 - x].clone()))).collect();
    let values: Vec<u64> = sums.compute_on(&session).unwrap();
    assert_eq!(values, [7, 16, 25, 34, 43, 52, 61, 70]);
}

#[test]
fn broken_files_are_said_and_computed_again() {
    let (_folder, place) = folder();
    let (session, count) = counting();
    squares(3).persist_to_on(&place, &session).unwrap();
    let good: Vec<Vec<u8>> = files(&place).iter().map(|file| std::fs::read(file).unwrap()).collect();
    let version = good[1].len() - 12;
    type Breakage<'a> = (&'static str, &'a dyn Fn(&mut Vec<u8>));
    let breakages: [Breakage<'_>; 4] = [
        ("is cut short", &|bytes| bytes.truncate(bytes.len() - 1)),
        ("is cut short", &Vec::clear),
        ("is of version 77 of the format, and this library reads version 1", &|bytes| bytes[version] = 77),
        ("is damaged", &|bytes| bytes[version - 1] ^= 1),
    ];
    for (words, breakage) in breakages {
        let file = &files(&place)[1];
        let mut bytes = good[1].clone();
        breakage(&mut bytes);
        std::fs::write(file, bytes).unwrap();
        let before = ran(&count);
        let list = squares(3);
        let durable = list.durable(&place).unwrap();
        let text = session.explain(&durable).unwrap().to_string();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(text.contains("durable: 2 of 3 blocks are in"), "{text}");
        assert!(text.contains("computed again") && text.contains(words) && text.contains(name), "{text}");
        assert_eq!(durable.compute_on(&session).unwrap(), [0, 1, 4]);
        assert_eq!(ran(&count), before + 1);
        assert_eq!(std::fs::read(file).unwrap(), good[1], "it is mended");
    }
    // A wrong checksum of the value itself shows when it is read.
    let file = &files(&place)[1];
    let mut bytes = good[1].clone();
    bytes[4] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let kept = squares(3).persist_to_on(&place, &session).unwrap();
    let error = kept.compute_on(&session).unwrap_err().to_string();
    assert!(error.contains("checksum is wrong; remove the file and run the program again"), "{error}");
    assert!(error.contains(file.file_name().unwrap().to_str().unwrap()), "{error}");
    std::fs::remove_file(file).unwrap();
    assert_eq!(squares(3).persist_to_on(&place, &session).unwrap().compute_on(&session).unwrap(), [0, 1, 4]);
}

#[test]
fn a_place_that_cannot_be_written_to_is_found_before_anything_runs() {
    let (folder, _) = folder();
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let (session, count) = counting();
    let place = folder.path().join("file").to_str().unwrap().to_string();
    assert!(squares(3).persist_to_on(&place, &session).is_err());
    assert_eq!(count.counter.total(), 0);
}

#[test]
fn explain_runs_nothing_and_leaves_nothing() {
    let (_folder, place) = folder();
    let list = squares(3);
    let durable = list.durable(&place).unwrap();
    let text = builder().build().unwrap().explain(&durable).unwrap().to_string();
    assert!(text.contains("0 of 3 blocks are in"), "{text}");
    assert!(!std::path::Path::new(&place).exists());
}

/// Runs in a process of its own: a program that squares twelve numbers, and aborts in the middle if it is told to.
#[test]
#[ignore = "a part of other tests"]
fn child() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let (Ok(place), Ok(abort)) = (std::env::var("DURABLE_PLACE"), std::env::var("DURABLE_ABORT")) else { return };
    let abort: Option<usize> = abort.parse().ok();
    let work = |x: i64, abort: Option<usize>| {
        if RAN.fetch_add(1, Ordering::SeqCst) + 1 == abort.unwrap_or(usize::MAX) {
            std::process::abort();
        }
        x * x
    };
    // What is to happen is no part of what is computed.
    let work = delayed(move |x: i64| work(x, abort)).versioned("work", 1);
    let session = builder().threads(2).build().unwrap();
    let squares: Vec<_> = (0..12_i64).map(|x| work.call(x)).collect();
    let kept = squares.persist_to_on(&place, &session).unwrap();
    let sum: i64 = kept.compute_on(&session).unwrap().iter().sum();
    println!("sum {sum}, ran {}", RAN.load(Ordering::SeqCst));
}

fn run_child(place: &str, abort: &str) -> std::process::Command {
    let mut command = in_another_process("durable::child");
    command.env("DURABLE_PLACE", place).env("DURABLE_ABORT", abort);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command
}

#[test]
fn a_program_that_crashed_continues() {
    let (_folder, place) = folder();
    let crashed = run_child(&place, "7").output().unwrap();
    assert!(!crashed.status.success());
    assert!(!String::from_utf8_lossy(&crashed.stdout).contains("sum"));
    let there = files(&place).iter().filter(|file| file.extension().is_some_and(|name| name == "result")).count();
    assert!((5..=6).contains(&there), "{there} of the six that were done: one may have been on its way");
    let second = run_child(&place, "").output().unwrap();
    let text = String::from_utf8_lossy(&second.stdout).into_owned();
    assert!(second.status.success(), "{text}");
    assert!(text.contains(&format!("sum 506, ran {}", 12 - there)), "{there} were there: {text}");
    let third = run_child(&place, "").output().unwrap();
    assert!(String::from_utf8_lossy(&third.stdout).contains("sum 506, ran 0"));
}

#[test]
fn two_programs_in_one_folder_do_no_harm() {
    let (_folder, place) = folder();
    let children: Vec<_> = (0..3).map(|_| run_child(&place, "").spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("sum 506"), "{output:?}");
    }
    assert_eq!(files(&place).len(), 12);
}
