//! A task that failed is run again alone.

use std::sync::{Arc, Mutex};

use crate::common::{builder, sessions};
use talatat::graph::{Edge, GraphBuilder, KernelError, Key, Layer, Value, closure_kernel};
use talatat::prelude::*;

#[test]
fn a_failed_task_is_run_on_the_calling_thread_with_its_inputs() {
    for session in sessions() {
        assert!(session.last_failure().is_none());
        let runs = Arc::new(Mutex::new(Vec::new()));
        let noted = runs.clone();
        let source = delayed(|x: i64| x + 1).named("source");
        let bad = try_delayed(move |a: i64, b: i64| {
            noted.lock().unwrap().push(std::thread::current().id());
            if a + b > 4 { Err(std::io::Error::other(format!("{a} and {b}"))) } else { Ok(a + b) }
        });
        // Others of the same kind do not fail.
        let sums: Vec<Delayed<i64>> = (0..3_i64).map(|x| bad.call((source.call(x), source.call(x)))).collect();
        let line = line!() - 1;
        let error = sums.compute_on(&session).unwrap_err().to_string();
        assert!(error.contains("3 and 3"), "{error}");
        let failed = session.last_failure().unwrap();
        assert!(failed.to_string().ends_with(&format!("{}:{line}", file!())), "{failed}");
        runs.lock().unwrap().clear();
        let inputs = failed.inputs().unwrap();
        assert!(inputs.iter().all(|input| matches!(input, Value::I64(3))), "{inputs:?}");
        assert!(runs.lock().unwrap().is_empty(), "only what leads to the inputs ran");
        assert!(failed.rerun().unwrap_err().to_string().contains("3 and 3"));
        assert!(matches!(failed.rerun_with(vec![Value::I64(1), Value::I64(2)]), Ok(Value::I64(3))));
        assert_eq!(*runs.lock().unwrap(), [std::thread::current().id(); 2]);
    }
}

#[test]
fn parts_are_inputs_too() {
    let mut graph = GraphBuilder::new();
    let parts = closure_kernel("parts", |_, _| Ok(Value::Parts(Box::new([Value::I64(5), Value::I64(7)]))));
    let parts = graph.layer(Layer::new(Key::of("parts", &[]), Arc::new(parts)));
    let bad = closure_kernel("bad", |_, inputs: &mut [Value]| Err(KernelError::new(format!("{inputs:?}"))));
    let bad = graph.layer(Layer::new(Key::of("bad", &[]), Arc::new(bad)));
    let both = graph.task(parts, 0, 0, &[]).unwrap();
    let failing = graph.task(bad, 0, 0, &[Edge::part_of(both, 1), Edge::part_of(both, 0)]).unwrap();
    graph.output(failing.into());
    let session = builder().threads(2).build().unwrap();
    session.run(session.plan_graph(graph.build()).unwrap()).unwrap_err();
    let inputs = session.last_failure().unwrap().inputs().unwrap();
    assert!(matches!(inputs[..], [Value::I64(7), Value::I64(5)]), "{inputs:?}");
}

#[test]
fn a_cancel_is_no_failure() {
    let session = builder().threads(1).build().unwrap();
    session.cancel_handle().cancel();
    delayed(|x: i64| x).call(1_i64).compute_on(&session).unwrap_err();
    assert!(session.last_failure().is_none());
}
