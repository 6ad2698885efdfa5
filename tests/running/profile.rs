//! Profiles of runs: what is in them, in which forms, and that they stay small.

use std::sync::Arc;

use crate::common::builder;
use serde_json::Value as Json;
use talatat::Session;
use talatat::diagnostics::Profile;
use talatat::graph::testing::{random_graph, shuffle_weights, tree_graph, weights};
use talatat::graph::{Executor, Outputs, Plan, PlanOptions, RunContext, Synchronous, TaskGraph, Threads, Value};
use talatat::prelude::*;

fn executors() -> [Arc<dyn Executor>; 3] {
    [Arc::new(Synchronous), Arc::new(Threads::new(1)), Arc::new(Threads::new(3))]
}

fn profile_of(session: &Session, graph: TaskGraph) -> Profile {
    let (values, profile) = session.run_profiled(session.plan_graph(graph).unwrap());
    values.unwrap();
    profile
}

/// Checks what the format asks for, and what a viewer needs: times that do not go back, slices of a track that nest; gives the slices.
fn checked(text: &str) -> Vec<Json> {
    let trace: Json = serde_json::from_str(text).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let mut last = 0.0;
    let mut open: std::collections::HashMap<u64, Vec<f64>> = std::collections::HashMap::new();
    let mut slices = Vec::new();
    let mut tracks = std::collections::HashSet::new();
    for event in events {
        assert_eq!(event["pid"], 1);
        match event["ph"].as_str().unwrap() {
            "M" => {
                tracks.extend(event["tid"].as_u64());
                assert!(event["args"]["name"].is_string());
                continue;
            }
            "C" => assert!(event["args"].as_object().unwrap().values().all(|value| value.as_f64().unwrap() >= 0.0)),
            "X" => {
                let (start, length) = (event["ts"].as_f64().unwrap(), event["dur"].as_f64().unwrap());
                let track = event["tid"].as_u64().unwrap();
                assert!(length >= 0.0 && tracks.contains(&track), "{event}");
                let outer = open.entry(track).or_default();
                // A nanosecond is the unit; half of one is rounding.
                outer.retain(|&end| end > start + 0.0005);
                assert!(outer.iter().all(|&end| start + length <= end + 0.0005), "{event} does not nest");
                outer.push(start + length);
                slices.push(event.clone());
            }
            other => panic!("an event of kind {other:?}"),
        }
        let start = event["ts"].as_f64().unwrap();
        assert!(start >= last, "{event} comes after {last}");
        last = start;
    }
    slices
}

#[test]
fn each_task_is_a_slice_of_its_thread() {
    for executor in executors() {
        let session = builder().custom_executor(executor.clone()).skip("fuse").build().unwrap();
        for seed in 0..20 {
            let profile = profile_of(&session, random_graph(seed, 60));
            let slices = checked(&profile.to_chrome_json());
            let tasks: usize = profile.report().operations.iter().map(|row| row.tasks).sum();
            assert_eq!(slices.len(), tasks);
            assert!(slices.iter().all(|slice| slice["tid"].as_u64().unwrap() < executor.threads() as u64));
        }
    }
}

#[test]
fn many_tasks_are_summed_and_none_is_lost() {
    let session = builder().threads(2).build().unwrap();
    let graph = tree_graph(100_000, 2);
    let all = graph.len() as u64;
    let profile = profile_of(&session, graph);
    let text = profile.to_chrome_json();
    let mut tasks = 0;
    for slice in checked(&text) {
        tasks += if slice["cat"] == "summed" { slice["args"]["tasks that ended"].as_u64().unwrap() } else { 1 };
    }
    assert_eq!(tasks, all);
    assert!(text.contains(&format!("of {all} tasks are shown one by one")), "the reader is told");
    assert!(text.len() < 16 << 20 && profile.to_html().len() < 4 << 20, "{} {}", text.len(), profile.to_html().len());
}

#[test]
fn traffic_with_the_disk_is_on_the_timeline() {
    for executor in executors() {
        let session = builder().custom_executor(executor).registry(weights()).memory_limit(20_000).build().unwrap();
        let options = PlanOptions {
            memory_limit: Some(20_000),
            spill: true,
            outputs: Outputs::Anywhere,
            ..PlanOptions::default()
        };
        let plan = talatat::graph::Plan::new(shuffle_weights(10, 10, 1000), &options).unwrap();
        let (values, profile) = session.run_profiled(plan);
        values.unwrap();
        let slices = checked(&profile.to_chrome_json());
        let bytes = |name: &str| -> u64 {
            let of_name = slices.iter().filter(|slice| slice["name"] == name);
            of_name.map(|slice| slice["args"]["bytes"].as_u64().unwrap()).sum()
        };
        assert_eq!((bytes("to the disk"), bytes("from the disk")), profile.report().spilled);
        assert!(profile.report().spilled.0 > 0);
        assert!(profile.to_html().contains("to the disk / back"));
    }
}

#[test]
fn a_run_that_fails_has_a_profile_that_says_so() {
    let session = builder().threads(2).build().unwrap();
    let bad =
        try_delayed(|x: i64| if x > 0 { Err(std::io::Error::other("no & <no>")) } else { Ok(x) }).named("<b>bad</b>");
    let (values, profile) = session.run_profiled(session.plan(&bad.call(1_i64)).unwrap());
    assert!(values.is_err());
    let slices = checked(&profile.to_chrome_json());
    assert!(slices[0]["args"]["error"].as_str().unwrap().contains("no & <no>"));
    assert!(slices[0]["args"]["called at"].as_str().unwrap().contains("profile.rs:"));
    let page = profile.to_html();
    assert!(page.contains("the run failed: &lt;b&gt;bad&lt;/b&gt;") && !page.contains("<b>bad"));
}

#[test]
fn a_page_is_one_file_that_loads_nothing() {
    let session = builder().threads(2).build().unwrap();
    let page = profile_of(&session, tree_graph(50, 2)).to_html();
    assert!(page.contains("default-src 'none'"));
    for reference in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn files_are_written_by_their_ending() {
    let folder = tempfile::tempdir().unwrap();
    let session = builder().threads(1).build().unwrap();
    let profile = profile_of(&session, tree_graph(3, 2));
    profile.save(folder.path().join("run.HTML")).unwrap();
    profile.save(folder.path().join("new/run.json")).unwrap();
    assert!(std::fs::read_to_string(folder.path().join("run.HTML")).unwrap().starts_with("<!DOCTYPE html>"));
    checked(&std::fs::read_to_string(folder.path().join("new/run.json")).unwrap());
    let line = line!() + 1;
    let error = profile.save(folder.path().join("run.png")).unwrap_err().to_string();
    assert!(
        error.contains("end the name in .html or .json") && error.contains(&format!("{}:{line}", file!())),
        "{error}"
    );
}

/// Runs here and says that its two threads are machines.
struct Machines;

impl Executor for Machines {
    fn name(&self) -> &str {
        "machines"
    }

    fn threads(&self) -> usize {
        2
    }

    fn lanes(&self) -> Vec<String> {
        ["<left>:1", "right:2", "others"].map(String::from).into()
    }

    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> talatat::graph::Result<Vec<Value>> {
        Threads::new(2).execute(plan, context)
    }
}

#[test]
fn lanes_have_the_names_of_machines() {
    let session = builder().custom_executor(Arc::new(Machines)).build().unwrap();
    let profile = profile_of(&session, tree_graph(100, 4));
    let trace: Json = serde_json::from_str(&profile.to_chrome_json()).unwrap();
    let names = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["name"] == "thread_name");
    let names: Vec<&str> = names.map(|event| event["args"]["name"].as_str().unwrap()).collect();
    // Nothing ran on others.
    assert_eq!(names, ["<left>:1", "right:2"]);
    assert_eq!(profile.report().threads, 2);
    let page = profile.to_html();
    assert!(page.contains("right:2") && !page.contains("<left>"), "names are escaped");
}
