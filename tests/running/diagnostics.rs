//! Pictures and explanations of what users hold.

use crate::common::builder;
use talatat::prelude::*;

fn pyramid() -> Delayed<i64> {
    let add = delayed(|a: i64, b: i64| a + b).named("add");
    let one = delayed(|x: i64| x + 1).named("increment");
    let half = add.call((one.call(1_i64), one.call(2_i64)));
    add.call((half.clone(), half))
}

#[test]
fn an_explanation() {
    let session = builder().build().unwrap();
    insta::assert_snapshot!(session.explain(&pyramid()).unwrap(), @r"
    expression
      add
        add
          increment
          increment
        add (as above)

    plan
      cull     4 -> 4 tasks
      dedupe   4 -> 4 tasks
      fuse     4 -> 4 tasks
      check    4 -> 4 tasks
      operation     tasks       reads       makes     largest
      increment         2         0 B         0 B         0 B
      add               2         0 B         0 B         0 B
      projected peak 0 B in increment, no limit
    ");
}

/// A chain, and a call that is written twice.
fn chained() -> Delayed<i64> {
    let (one, twice) = (delayed(|x: i64| x + 1).named("increment"), delayed(|x: i64| 2 * x).named("double"));
    let add = delayed(|a: i64, b: i64| a + b).named("add");
    let chain = |x: i64| twice.call(one.call(one.call(x)));
    add.call((chain(1), chain(5)))
}

#[test]
fn what_passes_change_is_told() {
    let explained = builder().build().unwrap().explain(&chained()).unwrap();
    let text = explained.to_string();
    let passes = text.split("passes\n").nth(1).and_then(|text| text.split("\nplan\n").next()).unwrap();
    insta::assert_snapshot!(passes, @r"
      lowered: 7 tasks, 6 edges
             4  increment
             2  double
             1  add
      fuse: 7 -> 3 tasks, 6 -> 2 edges
        -      4  increment
        -      2  double
        +      2  2 x increment > double
    ");
    assert_eq!(explained.stages().len(), 5);
    let whole = format!("{explained:#}");
    for pass in ["lowered: 7 tasks, 6 edges", "cull: 7 tasks", "fuse: 3 tasks, 2 edges", "check: 3 tasks"] {
        assert!(whole.contains(pass), "{pass}: {whole}");
    }
    assert!(explained.storage().is_none() && !text.contains("files and stores"));
}

/// A collection that asks for a task that is not there.
struct Wrong;

impl Collection for Wrong {
    type Output = ();
    type Persisted = ();

    fn blocks(&self) -> talatat::Result<usize> {
        Ok(1)
    }

    fn lower(&self, _: &mut talatat_collections::Lowering) -> talatat::Result<Vec<talatat::graph::Edge>> {
        Ok(vec![talatat::graph::Edge::whole(talatat::graph::TaskId(7))])
    }

    fn gather(&self, _: Vec<talatat::graph::Value>) -> talatat::Result<()> {
        Ok(())
    }

    fn persisted(&self, _: Vec<talatat::graph::Value>) -> talatat::Result<()> {
        Ok(())
    }

    fn describe_expression(&self, _: bool) -> String {
        "wrong".into()
    }
}

#[test]
fn a_result_of_no_task_is_an_error_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    for session in [builder().build().unwrap(), builder().memory_limit(1 << 20).cache(1 << 10).build().unwrap()] {
        let errors = [
            session.plan(&Wrong).map(drop),
            session.explain(&Wrong).map(drop),
            session.graph(&Wrong).map(drop),
            Wrong.compute_on(&session),
            Wrong.persist_on(&session),
            session.scope(|| Wrong.visualize(folder.path().join("a.svg"))),
        ];
        for error in errors {
            assert!(error.unwrap_err().to_string().contains("there is no task 7"));
        }
    }
}

#[test]
fn a_long_expression_is_cut() {
    let one = delayed(|x: i64| x + 1);
    let chain = (0..100_000).fold(Delayed::ready(0_i64), |x, _| one.call(x));
    let text = chain.describe_expression(false);
    assert!(text.ends_with("...\n") && text.lines().count() == 41, "{text}");
}

#[test]
fn pictures_before_and_after_the_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    builder().build().unwrap().scope(|| {
        pyramid().visualize(path("graph.dot")).unwrap();
        pyramid().visualize(path("new/graph.svg")).unwrap();
        pyramid().visualize_plan(path("new/plan.html")).unwrap();
        let increment = delayed(|x: i64| x + 1);
        increment.call(increment.call(1_i64)).visualize_plan(path("plan.GV")).unwrap();
    });
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    assert_eq!(read("graph.dot").matches(" -> ").count(), 4);
    assert_eq!(read("new/graph.svg").matches("<rect").count(), 5);
    let page = read("new/plan.html");
    assert_eq!(page.matches("data-box=").count(), 4);
    assert!(page.contains("tests/running/diagnostics.rs:") && page.contains("default-src 'none'"));
    assert_eq!(read("plan.GV").matches("fillcolor").count(), 1, "a chain is one task");
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 3, "no temporary file is left");
}

#[test]
fn a_picture_of_no_known_kind_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let line = line!() + 1;
    let error = pyramid().visualize(folder.path().join("graph.png")).unwrap_err().to_string();
    assert!(error.contains("end the name in .svg or .dot or .html"), "{error}");
    assert!(error.contains(&format!("{}:{line}", file!())), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
