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
