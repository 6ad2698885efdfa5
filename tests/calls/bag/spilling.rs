//! Bags larger than the memory limit: partitions go to the disk and come back.

use serde::{Deserialize, Serialize};
use talatat::bag::{Bag, TextOptions, read_text};
use talatat::{Collection, Compute, Session};

use crate::common::builder;

/// Bytes that blocks may hold.
const LIMIT: u64 = 1 << 20;

fn small() -> Session {
    builder().threads(2).memory_limit(LIMIT).spill_folder(std::env::temp_dir()).build().unwrap()
}

/// The answer on a session without a limit, and on a small one, which must have used the disk.
fn same_under_a_limit<C: Collection>(collection: &C) -> C::Output
where
    C::Output: PartialEq + std::fmt::Debug,
{
    let expected = collection.compute_on(&builder().build().unwrap()).unwrap();
    let session = small();
    let (blocks, report) = session.run_reported(session.plan(collection).unwrap()).unwrap();
    assert_eq!(collection.gather(blocks).unwrap(), expected);
    assert!(report.spilled.0 > 0 && report.spilled.1 > 0, "{report}");
    expected
}

/// 24 partitions of 100 kB each.
fn texts() -> Bag<String> {
    Bag::from_fn(24, |part| (0..100).map(|at| format!("{:01000}", (part * 100 + at) % 240)).collect())
}

#[test]
fn texts_are_grouped_through_the_disk() {
    // No group may be more than one task can have.
    let groups = texts().groupby(|text| text.parse::<u64>().map_or(u64::MAX, |number| number % 48));
    let sizes = groups.map(|(key, texts)| (key, texts.len() as u64));
    let mut sizes = same_under_a_limit(&sizes);
    sizes.sort_unstable();
    assert_eq!(sizes, (0..48).map(|key| (key, 50)).collect::<Vec<_>>());
}

#[test]
fn all_partitions_are_there_before_one_is_used() {
    // Whoever reads them needs the last one first.
    let parts = texts().to_delayed();
    let last = talatat::delayed::delayed(|texts: Vec<String>| texts.len() as u64);
    let folded = parts.into_iter().rev().map(|part| last.call(part)).collect::<Vec<_>>();
    assert_eq!(folded.compute_on(&small()).unwrap(), [100; 24]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Trip {
    line: String,
    stops: Vec<u32>,
}

fn trips() -> Bag<Trip> {
    let trip = |at: usize| Trip { line: format!("U{:090}", at % 64), stops: vec![at as u32; 30] };
    let trips = Bag::from_fn(32, move |part| (0..500).map(|at| trip(part * 500 + at)).collect());
    trips.sized_by(|trip: &Trip| trip.line.capacity() + 4 * trip.stops.capacity())
}

#[test]
fn types_of_ones_own_leave_if_serde_knows_them() {
    let by_line = trips().storable().groupby(|trip| trip.line.clone());
    let mut counts = same_under_a_limit(&by_line.map(|(line, trips)| (line, trips.len() as u64)));
    counts.sort_unstable();
    assert_eq!(counts.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [250; 64]);
}

#[test]
fn others_stay() {
    let session = small();
    let plan = session.plan(&trips().groupby(|trip| trip.line.clone()).map(|(_, trips)| trips.len() as u64)).unwrap();
    let (_, report) = session.run_reported(plan).unwrap();
    // The counts alone.
    assert!(report.spilled.0 < 1000, "{report}");
}

#[test]
fn what_is_persisted_may_be_on_disk() {
    let session = small();
    let kept = texts().persist_on(&session).unwrap();
    assert_eq!(kept.count().compute_on(&session).unwrap(), 2400);
    assert_eq!(kept.compute_on(&builder().build().unwrap()).unwrap(), texts().compute().unwrap());
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(i64),
    Text(String),
}

#[test]
fn types_that_cannot_be_read_again_are_refused() {
    let bag = Bag::from_sequence([Either::Number(1), Either::Text("a".into())], 1).storable();
    let error = bag.compute().unwrap_err().to_string();
    assert!(error.contains("bag.storable") && error.contains("cannot be written as bytes and read again"), "{error}");
}

#[test]
fn explain_tells_what_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| format!("{}/{name}", folder.path().display());
    std::fs::write(path("a.txt"), "one\ntwo\nthree\n").unwrap();
    let lines = read_text([path("a.txt")], TextOptions::new().blocksize(5)).unwrap();
    let explained = lines.count().explain().unwrap();
    assert_eq!((explained.storage().read, explained.storage().written), (14, 0));
    assert!(explained.to_string().contains("files and stores: 14 B read, 0 B written\n"), "{explained}");
    assert!(explained.to_string().contains("partitions of items, 3 blocks: bag.read_text"), "{explained}");
    let written = lines.to_text_files(&path("out")).unwrap();
    assert!(written.explain().unwrap().storage().written > 0);
}
