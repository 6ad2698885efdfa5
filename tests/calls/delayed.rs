//! Lazy calls, from the building to the dropping, on every executor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use crate::common::{builder, in_another_process, sessions};
use talatat::delayed::{Delayed, Lit, delayed, try_delayed};
use talatat::graph::testing::Count;
use talatat::graph::{Error as GraphError, Key, PASSES};
use talatat::{Compute, Error, ExecutorChoice, compute_all_on};

fn increment(x: i64) -> i64 {
    x + 1
}

fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn chain(length: usize) -> Delayed<i64> {
    let increment = delayed(increment);
    (0..length).fold(Delayed::ready(0), |x, _| increment.call(x))
}

/// The sum of the increments of `0..count`, pair by pair.
fn tree(count: i64) -> Delayed<i64> {
    let mut level: Vec<_> = (0..count).map(|x| delayed(increment).call(x)).collect();
    while level.len() > 1 {
        let pairs = level.chunks(2).map(|pair| match pair {
            [a, b] => delayed(add).call((a.clone(), b.clone())),
            rest => rest[0].clone(),
        });
        level = pairs.collect();
    }
    level.swap_remove(0)
}

#[test]
fn chains_and_trees_on_every_executor() {
    for session in sessions() {
        for length in [0, 1, 2, 63, 64, 65, 1000] {
            assert_eq!(chain(length).compute_on(&session).unwrap(), length as i64, "{session:?}");
        }
        for count in [1, 2, 3, 10, 1000] {
            assert_eq!(tree(count).compute_on(&session).unwrap(), count * (count + 1) / 2, "{session:?}");
        }
    }
}

#[test]
fn the_answer_does_not_depend_on_any_pass() {
    for name in PASSES.iter().map(|pass| pass.name).chain(["order"]) {
        let session = builder().skip(name).build().unwrap();
        assert_eq!(tree(100).compute_on(&session).unwrap(), 5050, "without {name}");
    }
}

#[test]
fn depth_is_no_limit() {
    // A test's thread has a stack of 2 MiB: two bytes a call.
    let deep = chain(1_000_000);
    assert_eq!(deep.compute_on(&builder().build().unwrap()).unwrap(), 1_000_000);
    drop(deep);
    for session in sessions() {
        assert_eq!(chain(20_000).compute_on(&session).unwrap(), 20_000);
    }
}

#[test]
fn wide_and_deep_at_once_is_dropped_call_by_call() {
    // A ladder: each rung reads the two before it, so a rung dies only when both of its readers have.
    let add = delayed(|a: i64, b: i64| a.wrapping_add(b));
    let mut rungs = (Delayed::ready(0_i64), Delayed::ready(1_i64));
    for _ in 0..300_000 {
        let next = add.call((rungs.0.clone(), rungs.1.clone()));
        rungs = (rungs.1, next);
    }
    drop(rungs);
    // Calls within containers.
    let sum = delayed(|values: Vec<i64>| values.iter().sum::<i64>());
    let nested = (0..300_000).fold(Delayed::ready(1_i64), |x, _| sum.call(vec![x]));
    drop(nested);
}

#[test]
fn a_chain_shared_with_another_thread_is_dropped_once() {
    struct Witness(Arc<AtomicUsize>);
    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let witness = Arc::new(Witness(dropped.clone()));
    let keep = delayed(move |x: i64| {
        let _ = &witness;
        x + 1
    });
    let deep = (0..100_000).fold(Delayed::ready(0_i64), |x, _| keep.call(x));
    drop(keep);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let other = deep.clone();
            std::thread::spawn(move || drop(other))
        })
        .collect();
    drop(deep);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn common_work_is_done_once() {
    let count = Count::default();
    let session = builder().custom_executor(Arc::new(count.clone())).build().unwrap();
    // The same calls, written twice.
    let (one, two) = (tree(8), tree(8));
    let (sum, twice) = compute_all_on(&session, (one.clone(), delayed(add).call((one, two)))).unwrap();
    assert_eq!((sum, twice), (36, 72));
    let counts: Vec<(String, usize)> = count.counter.counts().into_iter().collect();
    assert_eq!(counts, [("add".to_string(), 8), ("increment".to_string(), 8)]);
}

#[test]
fn impure_calls_are_each_their_own() {
    for session in sessions() {
        let clock = Arc::new(AtomicI64::new(0));
        let ticks = clock.clone();
        let tick = delayed(move || ticks.fetch_add(1, Ordering::SeqCst));
        let pure = delayed(add).call((tick.call(()), tick.call(())));
        assert_eq!(pure.compute_on(&session).unwrap(), 0, "one call, read twice");
        clock.store(0, Ordering::SeqCst);
        let tick = tick.impure();
        let both = delayed(add).call((tick.call(()), tick.call(())));
        assert_eq!(both.compute_on(&session).unwrap(), 1, "two calls");
        let one = tick.call(());
        let same = delayed(add).call((one.clone(), one)).compute_on(&session).unwrap();
        assert_eq!(same, 4, "one impure call whose result is read twice");
    }
}

#[test]
fn errors_name_the_call_and_its_line() {
    for session in sessions() {
        let parse = try_delayed(|text: String| text.parse::<i64>()).named("parse");
        let (good, bad) = (parse.call("1".to_string()), parse.call("one".to_string()));
        let line = line!() - 1;
        let error = delayed(add).call((good, bad)).compute_on(&session).unwrap_err();
        let Error::Graph(GraphError::Kernel { site, .. }) = &error else { panic!("{error:?}") };
        assert_eq!(site.operation, "parse");
        assert_eq!(site.location.map(|place| (place.file(), place.line())), Some((file!(), line)));
        let text = error.to_string();
        assert!(text.contains(&format!("called at {}:{line}", file!())), "{text}");
        assert!(text.ends_with("invalid digit found in string"), "{text}");
    }
}

#[test]
fn panics_are_errors_and_the_session_lives_on() {
    for session in sessions() {
        let divide = delayed(|a: i64, b: i64| a / b).named("divide");
        let error = divide.call((Delayed::ready(1_i64), 0_i64)).compute_on(&session).unwrap_err();
        let line = line!() - 1;
        let Error::Graph(GraphError::Panic { site, message }) = &error else { panic!("{error:?}") };
        assert_eq!(site.operation, "divide");
        assert_eq!(site.location.map(|place| place.line()), Some(line));
        assert!(message.contains("divide by zero"), "{message}");
        assert_eq!(tree(10).compute_on(&session).unwrap(), 55);
    }
}

#[test]
fn results_of_many_shapes_together() {
    for session in sessions() {
        let words =
            delayed(|text: String| text.split(' ').map(String::from).collect::<Vec<_>>()).call("a b c".to_string());
        let count = delayed(|words: Vec<String>| words.len()).call(words.clone());
        let label = delayed(|count: usize, unit: Option<char>| format!("{count}{}", unit.unwrap_or('?')));
        let all = (words, count.clone(), label.call((count.clone(), Some('w'))), label.call((count, None::<char>)));
        let (words, count, label, plain) = compute_all_on(&session, all).unwrap();
        assert_eq!((words.len(), count, label.as_str(), plain.as_str()), (3, 3, "3w", "3?"));
        let many: Vec<Delayed<i64>> = (0..100_i64).map(|x| delayed(increment).call(x)).collect();
        assert_eq!(compute_all_on(&session, &many[..]).unwrap(), (1..=100).collect::<Vec<_>>());
        assert_eq!(compute_all_on(&session, &many[..0]).unwrap(), Vec::<i64>::new());
    }
}

#[test]
fn persisted_results_are_not_computed_again() {
    let count = Count::default();
    let session = builder().custom_executor(Arc::new(count.clone())).build().unwrap();
    let slow = delayed(increment).call(41_i64);
    let kept = slow.persist_on(&session).unwrap();
    assert_eq!(kept.key(), slow.key());
    assert_eq!(delayed(add).call((kept.clone(), kept)).compute_on(&session).unwrap(), 84);
    assert_eq!(count.counter.counts()["increment"], 1);
}

#[test]
fn cancelled_from_another_thread() {
    for session in sessions().into_iter().take(4) {
        let cancel = session.cancel_handle();
        // The first task lets another thread cancel and waits until it has: the second can never start.
        let first = delayed(move || {
            let cancel = cancel.clone();
            std::thread::spawn(move || cancel.cancel()).join().is_ok()
        });
        let second = delayed(|_: bool| -> bool { panic!("this must not run") });
        let error = second.call(first.call(())).compute_on(&session).unwrap_err();
        assert!(matches!(error, Error::Graph(GraphError::Cancelled { .. })), "{error:?}");
        let error = tree(4).compute_on(&session).unwrap_err();
        assert!(matches!(error, Error::Graph(GraphError::Cancelled { .. })), "a cancelled session stays cancelled");
        let again = session.with_cancel(talatat::Cancel::new());
        assert_eq!(tree(4).compute_on(&again).unwrap(), 10);
    }
}

#[test]
fn a_task_may_compute() {
    for session in sessions() {
        let inner = session.clone();
        let outer = delayed(move |count: i64| tree(count).compute_on(&inner).unwrap_or(-1));
        let sums: Vec<_> = (1..20_i64).map(|count| outer.call(count)).collect();
        let sums = compute_all_on(&session, &sums[..]).unwrap();
        assert_eq!(sums, (1..20).map(|count| count * (count + 1) / 2).collect::<Vec<_>>());
    }
}

#[test]
fn building_runs_nothing() {
    let session = builder().executor(ExecutorChoice::Refuse).build().unwrap();
    let never = delayed(|| -> i64 { panic!("this must not run") });
    let sum = delayed(add).call((never.call(()), 1_i64));
    assert!(session.explain(&sum).unwrap().to_string().contains("add"));
    assert!(matches!(sum.compute_on(&session), Err(Error::Graph(GraphError::Refused { tasks: 1, .. }))));
}

#[test]
fn a_closure_cannot_travel_and_says_what_to_do() {
    let session = builder().executor(ExecutorChoice::Serialize).build().unwrap();
    let error = tree(2).compute_on(&session).unwrap_err().to_string();
    assert!(error.contains("register the function as a named kernel"), "{error}");
}

#[test]
fn over_the_memory_limit() {
    #[derive(Clone)]
    #[expect(dead_code, reason = "only its size matters")]
    struct Kilobyte([u8; 1024]);
    let make = delayed(|seed: u8| Kilobyte([seed; 1024]));
    let count = delayed(|blocks: Vec<Kilobyte>| blocks.len());
    let all = count.call((0..10_u8).map(|seed| make.call(seed)).collect::<Vec<_>>());
    let tight = builder().memory_limit(4096).build().unwrap();
    assert!(matches!(all.compute_on(&tight), Err(Error::Graph(GraphError::Memory { limit: 4096, .. }))));
    let explained = tight.explain(&all).unwrap();
    assert!(!explained.fits());
    assert!(explained.to_string().contains("but the memory limit is 4.0 KiB"), "{explained}");
    let enough = builder().memory_limit(explained.plan().peak().bytes).build().unwrap();
    assert_eq!(all.compute_on(&enough).unwrap(), 10);
}

#[test]
fn keys_are_told_apart() {
    #[derive(Clone, Hash)]
    struct Rule(u8);
    let one = delayed(increment);
    let capture = 5_i64;
    let (by_five, by_five_too) = (delayed(move |x: i64| x + capture), delayed(move |x: i64| x + capture));
    let identity = delayed(|x: Vec<i64>| x.len());
    let nested = delayed(|x: Vec<Vec<i64>>| x.len());
    let rule = delayed(|rule: Rule| rule.0);
    let keys: Vec<(&str, Key)> = vec![
        ("increment 1", one.call(1_i64).key()),
        ("increment 2", one.call(2_i64).key()),
        ("increment of increment", one.call(one.call(1_i64)).key()),
        ("named", one.clone().named("other").call(1_i64).key()),
        ("impure", one.clone().impure().call(1_i64).key()),
        ("impure again", one.clone().impure().call(1_i64).key()),
        ("add 1 2", delayed(add).call((1_i64, 2_i64)).key()),
        ("add 2 1", delayed(add).call((2_i64, 1_i64)).key()),
        ("captures", by_five.call(1_i64).key()),
        ("other captures", by_five_too.call(1_i64).key()),
        ("[1, 2]", identity.call(vec![1_i64, 2]).key()),
        ("[1]", identity.call(vec![1_i64]).key()),
        ("[]", identity.call(Vec::<i64>::new()).key()),
        ("[[1], [2]]", nested.call(vec![vec![1_i64], vec![2]]).key()),
        ("[[1, 2], []]", nested.call(vec![vec![1_i64, 2], vec![]]).key()),
        ("rule 1", rule.call(Lit(Rule(1))).key()),
        ("rule 2", rule.call(Lit(Rule(2))).key()),
        ("ready", Delayed::ready(1_i64).key()),
        ("ready 2", Delayed::ready(2_i64).key()),
        ("ready 1 of another type", Delayed::ready(1_u64).key()),
        ("a text that is ready", Delayed::ready("1".to_string()).key()),
        ("a text that is ready again", Delayed::ready("1".to_string()).key()),
    ];
    let mut found = BTreeMap::new();
    for (name, key) in keys {
        assert_eq!(found.insert(key, name), None, "{name}");
    }
    assert_eq!(one.call(1_i64).key(), delayed(increment).call(1_i64).key());
    assert_eq!(Delayed::ready(1_i64).key(), Delayed::ready(1_i64).key());
    assert_eq!(by_five.call(1_i64).key(), by_five.clone().call(1_i64).key());
}

/// Prints keys; run by [`keys_are_the_same_in_every_process`].
#[test]
#[ignore = "prints keys for another test"]
fn print_keys() {
    let mixed = delayed(|x: f64, names: Vec<String>| x + names.len() as f64);
    println!("KEYS {:?} {:?} {:?}", tree(5).key(), chain(0).key(), mixed.call((2.5_f64, vec!["a".to_string()])).key());
}

#[test]
fn keys_are_the_same_in_every_process() {
    let run = || {
        let output = in_another_process("delayed::print_keys").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let at = text.find("KEYS").unwrap_or_else(|| panic!("{text}"));
        text[at..].lines().next().unwrap().to_string()
    };
    assert_eq!(run(), run());
}

#[test]
fn several_outputs_of_one_call() {
    use talatat::delayed::Outputs;
    for session in sessions() {
        let runs = Arc::new(AtomicUsize::new(0));
        let count = runs.clone();
        let divide = delayed(move |a: i64, b: i64| {
            count.fetch_add(1, Ordering::SeqCst);
            (a / b, a % b, format!("{a}/{b}"))
        });
        let (quotient, rest, text) = divide.call((17_i64, 5_i64)).outputs();
        let sum = delayed(add).call((quotient.clone(), rest.clone()));
        assert_eq!((sum, (quotient, text)).compute_on(&session).unwrap(), (5, (3, "17/5".to_string())));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

struct Lazy {
    rate: Delayed<f64>,
    years: Vec<Delayed<i64>>,
    name: String,
}

#[derive(Clone)]
struct Terms {
    rate: f64,
    years: Vec<i64>,
    name: String,
}

talatat::argument!(Lazy => Terms { rate, years, name });

#[test]
fn structs_are_arguments() {
    let show = delayed(|terms: Terms, scale: f64| format!("{} {} {:?}", terms.name, terms.rate * scale, terms.years));
    let lazy = |name: &str| Lazy {
        rate: delayed(|| 0.5).call(()),
        years: (0..2).map(|x: i64| delayed(increment).call(x)).collect(),
        name: name.to_string(),
    };
    let (one, other) = (show.call((lazy("a"), 2.0)), show.call((lazy("b"), 2.0)));
    assert_eq!(one.key(), show.call((lazy("a"), 2.0)).key());
    assert_ne!(one.key(), other.key());
    let session = builder().build().unwrap();
    assert_eq!(one.compute_on(&session).unwrap(), "a 1 [1, 2]");
}
