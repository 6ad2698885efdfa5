//! Results that are kept because they cost much and are small: found again, given back, and never wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::builder;
use talatat::delayed::{Delayed, delayed};
use talatat::graph::{Executor, Synchronous, Threads};
use talatat::{Compute, Need, Session};

/// Work that takes long enough to be worth keeping, counted.
fn slow(runs: &Arc<AtomicUsize>) -> impl Fn(u64) -> Delayed<u64> + use<> {
    let runs = runs.clone();
    let work = delayed(move |seed: u64| {
        runs.fetch_add(1, Ordering::SeqCst);
        (0..200_000_u64).fold(seed, |x, i| x.rotate_left(5).wrapping_mul(0x9e37_79b9) ^ i)
    });
    move |seed| work.call(seed)
}

fn sessions() -> Vec<Session> {
    let executors: [Arc<dyn Executor>; 3] =
        [Arc::new(Synchronous), Arc::new(Threads::new(1)), Arc::new(Threads::new(3))];
    executors.map(|executor| builder().custom_executor(executor).cache(1 << 20).build().unwrap()).into()
}

#[test]
fn costly_results_are_computed_once() {
    for session in sessions() {
        let runs = Arc::new(AtomicUsize::new(0));
        let slow = slow(&runs);
        let sum = delayed(|a: u64, b: u64| a.wrapping_add(b)).call((slow(1), slow(2)));
        let first = sum.compute_on(&session).unwrap();
        // As a result, as an input of something new, and in a graph where another reader was to have it as its own.
        assert_eq!(sum.compute_on(&session).unwrap(), first);
        let more = delayed(|a: u64, b: u64, c: u64| a.wrapping_add(b).wrapping_sub(c));
        let more = more.call((slow(1), slow(2), slow(3)));
        let expected = first.wrapping_sub(slow(3).compute_on(&builder().build().unwrap()).unwrap());
        assert_eq!(more.compute_on(&session).unwrap(), expected, "{session:?}");
        // Twice without a cache, three with.
        assert_eq!(runs.load(Ordering::SeqCst), 4, "{session:?}");
        let cache = session.status().cache.unwrap();
        assert!(cache.results >= 4 && cache.hits >= 3 && cache.bytes <= 1 << 20, "{cache:?}");
        assert!(session.status().to_string().contains("cache: "), "{}", session.status());
        let plan = session.plan(&sum).unwrap();
        assert_eq!(plan.operations()[0].operation, "cached");
    }
}

#[test]
fn storable_values_and_annotated_calls_are_kept() {
    let session = builder().threads(2).cache(1 << 20).build().unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let work = delayed(move |seed: u64| {
        counted.fetch_add(1, Ordering::SeqCst);
        let last = (0..2_000_000_u64).fold(seed, |x, i| x.rotate_left(5).wrapping_mul(0x9e37_79b9) ^ i);
        vec![last; 100]
    });
    let work = work.needs(Need::default().priority(1));
    let first = work.call(7_u64).storable().compute_on(&session).unwrap();
    assert_eq!(work.call(7_u64).storable().compute_on(&session).unwrap(), first);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(session.status().cache.unwrap().bytes >= 100, "what is behind the pointer counts");
    // Values of which nobody knows how large they are are not kept.
    work.call(8_u64).compute_on(&session).unwrap();
    work.call(8_u64).compute_on(&session).unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 3);
}

#[test]
fn impure_calls_and_what_reads_them_are_computed_each_time() {
    let session = builder().threads(1).cache(1 << 20).build().unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let clock = delayed(move || {
        let spent = (0..200_000_u64).fold(1, |x: u64, i| x.rotate_left(5).wrapping_mul(0x9e37_79b9) ^ i);
        counted.fetch_add(1, Ordering::SeqCst) as u64 + u64::from(spent == 0)
    });
    let next = delayed(|x: u64| x + 1).call(clock.impure().call(()));
    assert_eq!(next.compute_on(&session).unwrap(), 1);
    assert_eq!(next.compute_on(&session).unwrap(), 2);
}

#[test]
fn a_failed_run_keeps_nothing_wrong() {
    let session = builder().threads(2).cache(1 << 20).build().unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let slow = slow(&runs);
    let bad = talatat::delayed::try_delayed(|x: u64| Err::<u64, _>(format!("not {x}"))).call(slow(5));
    assert!(bad.compute_on(&session).is_err());
    assert!(bad.compute_on(&session).is_err());
    let good = slow(5).compute_on(&session).unwrap();
    assert_eq!(good, slow(5).compute_on(&builder().build().unwrap()).unwrap());
}

/// Running graphs come first: what is kept goes when they need the memory.
#[test]
fn the_budget_comes_first() {
    let limit = 1_u64 << 20;
    let session = builder().threads(1).memory_limit(limit).cache(limit / 2).build().unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let slow = slow(&runs);
    // Pages that cost about a microsecond a byte.
    let page = delayed(|x: u64| vec![x as u8; 4096]).named("page");
    let many: Vec<_> = (0..50).map(|seed| page.call(slow(seed)).storable()).collect();
    let pages = many.compute_on(&session).unwrap();
    let full = session.status().cache.unwrap();
    assert!(full.bytes >= 50 * 4096 && full.bytes <= limit / 2, "{full:?}");
    // A task whose bytes fill the limit.
    type Large = [[u64; 64]; 64];
    let wide = delayed(|seed: u64| -> Large { [[seed; 64]; 64] });
    let joined = delayed(|all: Vec<Large>| all.len());
    let filled = joined.call((0..31_u64).map(|seed| wide.call(seed)).collect::<Vec<_>>());
    assert_eq!(filled.compute_on(&session).unwrap(), 31);
    let left = session.status().cache.unwrap();
    assert!(left.bytes <= limit - 31 * size_of::<Large>() as u64, "{left:?}");
    assert_eq!(many.compute_on(&session).unwrap(), pages);
}
