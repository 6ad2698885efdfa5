//! What becomes of a bag before it runs, and what is said when it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use talatat::bag::Bag;
use talatat::{Compute, Session};

use crate::common::{builder, faulty_sessions, sessions};

fn tasks<C: talatat::Collection>(collection: &C) -> usize {
    builder().build().unwrap().plan(collection).unwrap().graph().len()
}

#[test]
fn a_run_of_verbs_is_one_task_a_partition() {
    let bag = Bag::from_fn(4, |part| vec![part as i64; 3]);
    let steps = bag.map(|x| x + 1).filter(|x| x % 2 == 0).flat_map(|x| [x, x]).map(|x| x.to_string());
    assert_eq!(tasks(&steps), 4);
    let text = builder().build().unwrap().explain(&steps).unwrap().to_string();
    assert!(text.contains("bag.from_fn > bag.map > bag.filter > bag.flat_map > bag.map"), "{text}");
    // The first level of a tree goes with what it reads.
    assert_eq!(tasks(&steps.count()), 4 + 1);
}

#[test]
fn keys_move_in_p_and_q_tasks() {
    let bag = Bag::from_fn(6, |part| (0..10).map(|x| x * part as u64).collect());
    assert_eq!(tasks(&bag.map(|x| x % 7).frequencies()), 6 + 6);
    assert_eq!(tasks(&bag.groupby(|x| x % 3)), 6 + 6);
    let other = Bag::from_fn(4, |_| vec![1_u64, 2]);
    assert_eq!(tasks(&bag.join(&other, |x| *x, |y| *y)), 6 + 4 + 6);
    // Some partitions are made of some.
    assert_eq!(tasks(&bag.select_partitions(2..3).unwrap().map(|x| x + 1)), 1);
}

#[test]
fn the_same_verbs_are_computed_once() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    fn slow(x: i64) -> i64 {
        CALLS.fetch_add(1, Ordering::SeqCst);
        x * x
    }
    let bag = Bag::from_sequence(1..=4_i64, 2);
    let both = (bag.map(slow).sum(), bag.map(slow).max());
    assert_eq!(both.compute_on(&builder().threads(2).build().unwrap()).unwrap(), (30, Some(16)));
    assert_eq!(CALLS.load(Ordering::SeqCst), 4);
}

#[test]
fn items_are_moved_and_not_cloned() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    #[derive(Debug)]
    struct Heavy(u64);
    impl Clone for Heavy {
        fn clone(&self) -> Self {
            CLONES.fetch_add(1, Ordering::SeqCst);
            Heavy(self.0)
        }
    }
    let bag = Bag::from_fn(3, |part| (0..10).map(|x| Heavy(x + part as u64)).collect());
    let steps = bag.map(|heavy| Heavy(heavy.0 + 1)).filter(|heavy| heavy.0 % 2 == 0).groupby(|heavy| heavy.0 % 3);
    for session in sessions() {
        assert_eq!(steps.compute_on(&session).unwrap().len(), 3);
    }
    assert_eq!(CLONES.load(Ordering::SeqCst), 0);
}

#[test]
fn bytes_are_those_of_the_items() {
    let session = builder().threads(1).build().unwrap();
    let texts = Bag::from_fn(2, |_| vec!["x".repeat(1000); 50]);
    let (_, report) = session.run_reported(session.plan(&texts).unwrap()).unwrap();
    let made: u64 = report.operations.iter().map(|operation| operation.bytes_measured).sum();
    assert!((100_000..120_000).contains(&made), "{made}");
    #[derive(Clone)]
    struct Own(Vec<u8>);
    let owners = Bag::from_fn(1, |_| vec![Own(vec![0; 5000])]).sized_by(|own| own.0.capacity());
    let (_, report) = session.run_reported(session.plan(&owners).unwrap()).unwrap();
    let made: u64 = report.operations.iter().map(|operation| operation.bytes_measured).sum();
    assert!((5000..6000).contains(&made), "{made}");
}

#[test]
fn errors_say_where() {
    let bag = Bag::from_sequence(["1", "2", "three"], 3);
    let line = line!() + 1;
    let error = bag.try_map(|text| text.parse::<i32>()).compute().unwrap_err().to_string();
    assert!(error.contains("item 0 of partition 2: invalid digit"), "{error}");
    assert!(error.contains(&format!("plans.rs:{line}")), "{error}");
    let panics = Bag::from_sequence([1, 0], 1).map(|x| 10 / x).compute().unwrap_err().to_string();
    assert!(panics.contains("bag.map") && panics.contains("divide by zero"), "{panics}");
    let (two, three) = (Bag::from_sequence(0..6, 2), Bag::from_sequence(0..6, 3));
    let error = two.zip(&three).unwrap_err().to_string();
    assert!(error.contains("one bag has 2 partitions, the other 3"), "{error}");
    let error = two.zip(&two.filter(|x| *x > 0)).unwrap().compute().unwrap_err().to_string();
    assert!(error.contains("partition 0 has 3 items here and 2 there"), "{error}");
    let error = two.select_partitions(1..5).unwrap_err().to_string();
    assert!(error.contains("1..5 were asked for, and there are 2"), "{error}");
}

#[test]
fn faults_are_errors_and_nothing_is_held() {
    struct Held(Arc<AtomicUsize>);
    impl Held {
        fn new(count: &Arc<AtomicUsize>) -> Held {
            count.fetch_add(1, Ordering::SeqCst);
            Held(count.clone())
        }
    }
    impl Clone for Held {
        fn clone(&self) -> Held {
            Held::new(&self.0)
        }
    }
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let count = Arc::new(AtomicUsize::new(0));
    let given = count.clone();
    let bag = Bag::from_fn(5, move |_| (0..9_u32).map(|x| (x, Arc::new(Held::new(&given)))).collect());
    let groups = bag.groupby(|(x, _)| x % 4).filter(|(_, group)| !group.is_empty());
    let failed = faulty_sessions(0..12)
        .map(|session: Session| groups.compute_on(&session).is_err())
        .filter(|failed| *failed)
        .count();
    assert!(failed > 0);
    drop(groups);
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
