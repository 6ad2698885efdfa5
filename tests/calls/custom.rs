//! Graphs of a user's own tasks: results by name, and what is wrong with them said before anything runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{builder, sessions};
use talatat::delayed::{CustomGraph, delayed};
use talatat::graph::testing::Count;
use talatat::{Compute, Error};

/// The text of an error, with lines of this file as `:_`.
fn text(result: Result<impl Sized, Error>) -> String {
    let Err(error) = result else { panic!("there is nothing wrong") };
    let text = error.to_string();
    let mut parts = text.split("tests/calls/custom.rs:");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |text, part| text + "_" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn diamond() -> CustomGraph {
    let mut graph = CustomGraph::new();
    graph
        .task("sum", ["left", "right"], |a: i64, b: i64| a + b)
        .task("left", ["top"], |x: i64| x + 1)
        .task("right", ["top"], |x: i64| x * 10)
        .value("top", 4_i64);
    graph
}

#[test]
fn results_by_name() {
    for session in sessions() {
        let graph = diamond();
        assert_eq!(graph.get::<i64>("sum").unwrap().compute_on(&session).unwrap(), 45);
        let all = graph.get_all::<i64>(graph.names()).unwrap();
        assert_eq!(all.compute_on(&session).unwrap(), [45, 5, 40, 4]);
        assert_eq!(all.plan().unwrap().graph().len(), 4);
    }
}

#[test]
fn tasks_have_their_names_in_plans_and_errors() {
    let mut graph = diamond();
    graph.try_task("root", ["left"], |x: i64| if x > 5 { Ok(x) } else { Err(format!("{x} is too small")) });
    let session = builder().skip("fuse").build().unwrap();
    let root = graph.get::<i64>("root").unwrap();
    let plan = session.explain(&root).unwrap().to_string();
    assert!(plan.contains("left") && !plan.contains("right"), "only what is needed: {plan}");
    let error = root.compute_on(&session).unwrap_err().to_string();
    assert!(error.starts_with("root, block 0, called at tests/calls/custom.rs:"), "{error}");
    assert!(error.ends_with("5 is too small"), "{error}");
}

#[test]
fn types_and_shared_work() {
    let count = Count::default();
    let session = builder().custom_executor(Arc::new(count.clone())).build().unwrap();
    let mut graph = CustomGraph::new();
    let double = |x: u32| x * 2;
    graph.value("x", 3_u32).task("a", ["x"], double).task("the same", ["x"], double);
    graph.task("text", ["a", "the same"], |a: u32, b: u32| format!("{a} {b}"));
    graph.task_of_all("all", ["a", "the same", "a"], |all: Vec<u32>| all.len());
    graph.delayed("outer", delayed(|| 2.5).call(()));
    graph.task("mixed", ["text", "outer", "all"], |text: String, x: f64, n: usize| format!("{text} {x} {n}"));
    assert_eq!(graph.get::<String>("mixed").unwrap().compute_on(&session).unwrap(), "6 6 2.5 3");
    assert_eq!(count.counter.total(), 6, "equal calls are one: {:?}", count.counter.counts());
}

#[test]
fn impure_tasks_run_once_for_all_readers() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let tick = delayed(|| RUNS.fetch_add(1, Ordering::SeqCst) as u64).impure();
    let mut graph = CustomGraph::new();
    graph.call("tick", [""; 0], &tick).call("tock", [""; 0], &tick);
    graph.task("sum", ["tick", "tick", "tock"], |a: u64, b: u64, c: u64| (a == b, a != c));
    assert_eq!(
        graph.get::<(bool, bool)>("sum").unwrap().compute_on(&builder().build().unwrap()).unwrap(),
        (true, true)
    );
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let mut graph = diamond();
    graph.task("end", ["summ"], |x: i64| x);
    insta::assert_snapshot!(text(graph.check()), @r#"task "end": "end" reads "summ", and there is no task of that name: did you mean "sum"? (called at _)"#);
    let mut graph = diamond();
    graph.task("end", ["elsewhere"], |x: i64| x);
    insta::assert_snapshot!(text(graph.get::<i64>("sum")), @r#"task "end": "end" reads "elsewhere", and there is no task of that name; there are "sum", "left", "right", "top", "end" (called at _)"#);
    let mut graph = diamond();
    graph.task("end", ["left", "sum"], |x: i64, y: f64| x as f64 + y);
    insta::assert_snapshot!(text(graph.check()), @r#"task "end": argument 2 is of type f64, but "sum", which it reads, gives i64 (called at _)"#);
    let mut graph = diamond();
    graph.value("text", String::new()).task_of_all("end", ["left", "text"], |all: Vec<i64>| all.len());
    insta::assert_snapshot!(text(graph.check()), @r#"task "end": argument 2 is of type i64, but "text", which it reads, gives alloc::string::String (called at _)"#);
    let mut graph = diamond();
    graph.task("end", ["left"], |x: i64, y: i64| x + y);
    insta::assert_snapshot!(text(graph.check()), @r#"task "end": its function takes 2 arguments; inputs that are named: 1 (called at _)"#);
    let mut graph = diamond();
    graph.task("left", ["top"], |x: i64| x);
    insta::assert_snapshot!(text(graph.check()), @r#"task "left": there is a task of that name already, added at _ (called at _)"#);
    insta::assert_snapshot!(text(diamond().get::<f64>("sum")), @r#"get "sum": it gives i64, not f64: ask for that type (called at _)"#);
    insta::assert_snapshot!(text(diamond().get::<i64>("Sum")), @r#"get "Sum": there is no task of that name: did you mean "sum"? (called at _)"#);
    insta::assert_snapshot!(text(CustomGraph::new().get::<i64>("x")), @r#"get "x": there is no task at all (called at _)"#);
}

#[test]
fn circles_are_named() {
    let mut graph = CustomGraph::new();
    graph.task("me", ["me"], |x: i64| x);
    insta::assert_snapshot!(text(graph.check()), @r#"task "me": "me" reads itself (called at _)"#);
    let mut graph = diamond();
    graph.task("a", ["c", "top"], |x: i64, y: i64| x + y);
    graph.task("b", ["a"], |x: i64| x).task("c", ["left", "b"], |x: i64, y: i64| x + y);
    insta::assert_snapshot!(text(graph.check()), @r#"task "a": a circle: "a" reads "c", which reads "b", which reads "a" (called at _)"#);
    let mut graph = CustomGraph::new();
    let name = |number: usize| format!("task {}", number % 1000);
    for number in 0..1000 {
        graph.task(&name(number), [name(number + 1)], |x: i64| x);
    }
    insta::assert_snapshot!(text(graph.check()), @r#"task "task 0": a circle: "task 0" reads "task 1", which reads "task 2", which reads "task 3", which reads "task 4", which reads "task 5", which reads "task 6", which reads "task 7", which reads "task 8", which reads "task 9", which reads "task 10", which reads "task 11", which reads "task 12", which reads 987 more, the last of which reads "task 0" (called at _)"#);
}

#[test]
fn long_chains_and_many_tasks() {
    let mut graph = CustomGraph::new();
    graph.value("0", 0_i64);
    for number in 1..20_000 {
        graph.task(&number.to_string(), [(number - 1).to_string()], |x: i64| x + 1);
    }
    let names: Vec<String> = graph.names().map(String::from).collect();
    graph.task_of_all("total", &names, |all: Vec<i64>| all.iter().sum::<i64>());
    let total = graph.get::<i64>("total").unwrap();
    assert_eq!(total.compute_on(&builder().build().unwrap()).unwrap(), 19_999 * 20_000 / 2);
}
