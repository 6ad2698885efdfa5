//! The order of tasks beside others': depth first, Dask's (`fixtures/dask_orders.txt`, made by `fixtures/make_dask_orders.py`), and on small
//! graphs the best there is.
//!
//! ```text
//! cargo test -p talatat-graph --test orders -- --nocapture
//! ```

use std::collections::HashMap;

use talatat_graph::memory::project;
use talatat_graph::testing::{random_weights, shuffle_weights};
use talatat_graph::{Edge, GraphBuilder, Key, Layer, TaskGraph, TaskId, Value, closure_kernel, cull, order};

/// Graphs in the shapes that make Dask's users run out of memory, by name.
fn shapes() -> Vec<(&'static str, TaskGraph)> {
    let mut shapes = vec![
        ("tree sum of 64 blocks", tree(64, 4, 1000)),
        ("shuffle of 8 to 8", shuffle_weights(8, 8, 100)),
        ("anomaly: blocks less the mean of their month", anomaly(36, 12)),
        ("x - mean(x)", anomaly(16, 1)),
        ("sum(x) and max(x)", two_sums(24)),
        ("many variables, written one by one", variables(6, 8)),
    ];
    shapes.extend((0..24).map(|seed| ("random", cull(whole(&random_weights(seed, 16, 1000))))));
    shapes
}

fn layers<const N: usize>(graph: &mut GraphBuilder, names: [&str; N]) -> [talatat_graph::LayerId; N] {
    names.map(|name| {
        let kernel = closure_kernel(name, |_, _| Ok(Value::Unit));
        graph.layer(Layer::new(Key::of(name, &[]), std::sync::Arc::new(kernel)))
    })
}

/// The same graph with whole results in place of parts.
fn whole(parts: &TaskGraph) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let [any] = layers(&mut graph, ["any"]);
    for task in parts.tasks() {
        let inputs: Vec<Edge> = parts.inputs(task).iter().map(|edge| Edge::whole(edge.task)).collect();
        graph.task(any, task.0, parts.bytes(task), &inputs).unwrap();
    }
    parts.outputs().iter().for_each(|edge| graph.output(Edge::whole(edge.task)));
    graph.build()
}

fn tree(leaves: u32, arity: usize, bytes: u64) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let [read, sum] = layers(&mut graph, ["read", "sum"]);
    let mut level: Vec<Edge> = (0..leaves).map(|leaf| graph.task(read, leaf, bytes, &[]).unwrap().into()).collect();
    while level.len() > 1 {
        level = level.chunks(arity).map(|inputs| graph.task(sum, 0, bytes / 4, inputs).unwrap().into()).collect();
    }
    graph.output(level[0]);
    graph.build()
}

/// Blocks are read, the mean of each group is taken, and each block less its mean is written.
fn anomaly(blocks: u32, groups: u32) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let [read, part, mean, less, write] = layers(&mut graph, ["read", "part", "mean", "less", "write"]);
    let blocks: Vec<Edge> = (0..blocks).map(|block| graph.task(read, block, 1000, &[]).unwrap().into()).collect();
    for group in 0..groups {
        let members: Vec<Edge> = blocks.iter().copied().skip(group as usize).step_by(groups as usize).collect();
        let parts: Vec<Edge> =
            members.iter().map(|&member| graph.task(part, group, 100, &[member]).unwrap().into()).collect();
        let mean: Edge = graph.task(mean, group, 100, &parts).unwrap().into();
        for member in members {
            let less = graph.task(less, group, 1000, &[member, mean]).unwrap();
            let written = graph.task(write, group, 1, &[less.into()]).unwrap();
            graph.output(written.into());
        }
    }
    graph.build()
}

fn two_sums(blocks: u32) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let [read, first, second, total] = layers(&mut graph, ["read", "sum", "max", "total"]);
    let blocks: Vec<Edge> = (0..blocks).map(|block| graph.task(read, block, 1000, &[]).unwrap().into()).collect();
    for layer in [first, second] {
        let parts: Vec<Edge> = blocks.iter().map(|&block| graph.task(layer, 0, 8, &[block]).unwrap().into()).collect();
        let total = graph.task(total, 0, 8, &parts).unwrap();
        graph.output(total.into());
    }
    graph.build()
}

fn variables(count: u32, blocks: u32) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let [read, shared, each, write] = layers(&mut graph, ["read", "shared", "each", "write"]);
    for block in 0..blocks {
        let source: Edge = graph.task(read, block, 1000, &[]).unwrap().into();
        let shared: Edge = graph.task(shared, block, 1000, &[source]).unwrap().into();
        for variable in 0..count {
            let made: Edge = graph.task(each, block * count + variable, 1000, &[shared, source]).unwrap().into();
            let written = graph.task(write, block * count + variable, 1, &[made]).unwrap();
            graph.output(written.into());
        }
    }
    graph.build()
}

/// From each output down, inputs as they stand.
fn depth_first(graph: &TaskGraph) -> Vec<TaskId> {
    let mut placed = vec![false; graph.len()];
    let mut order = Vec::new();
    let mut stack: Vec<(TaskId, bool)> = graph.outputs().iter().rev().map(|edge| (edge.task, false)).collect();
    while let Some((task, expanded)) = stack.pop() {
        if placed[task.index()] {
            continue;
        }
        if expanded {
            placed[task.index()] = true;
            order.push(task);
        } else {
            stack.push((task, true));
            stack.extend(graph.inputs(task).iter().rev().map(|edge| (edge.task, false)));
        }
    }
    order
}

/// The least peak of all orders, by looking at every set of tasks that can have run: for graphs of up to 16 tasks without parts.
fn best(graph: &TaskGraph) -> Option<u64> {
    let wanted: Vec<TaskId> = depth_first(graph);
    if wanted.len() > 16 || graph.tasks().any(|task| graph.inputs(task).iter().any(|edge| edge.part().is_some())) {
        return None;
    }
    let number: HashMap<TaskId, usize> = wanted.iter().enumerate().map(|(at, &task)| (task, at)).collect();
    let inputs: Vec<u32> = wanted
        .iter()
        .map(|&task| graph.inputs(task).iter().fold(0, |set, edge| set | 1 << number[&edge.task]))
        .collect();
    let outputs = graph.outputs().iter().fold(0_u32, |set, edge| set | 1 << number[&edge.task]);
    let live = |set: u32| -> u64 {
        let alive = |at: usize| {
            outputs >> at & 1 == 1
                || (0..wanted.len()).any(|reader| set >> reader & 1 == 0 && inputs[reader] >> at & 1 == 1)
        };
        (0..wanted.len()).filter(|&at| set >> at & 1 == 1 && alive(at)).map(|at| graph.bytes(wanted[at])).sum()
    };
    let mut peaks: Vec<Option<u64>> = vec![None; 1 << wanted.len()];
    peaks[0] = Some(0);
    for set in 0..peaks.len() as u32 {
        let Some(peak) = peaks[set as usize] else { continue };
        let held = live(set);
        for (at, &task) in wanted.iter().enumerate() {
            if set >> at & 1 == 0 && inputs[at] & !set == 0 {
                let next = &mut peaks[(set | 1 << at) as usize];
                let with = peak.max(held + graph.need(task));
                *next = Some(next.map_or(with, |known| known.min(with)));
            }
        }
    }
    peaks.last().copied().flatten()
}

/// The same graphs for Dask: one a line, `name|task:bytes<input,input;task...|outputs`.
fn exported() -> String {
    let line = |(number, (name, graph)): (usize, &(&str, TaskGraph))| {
        let task = |task: TaskId| {
            let inputs: Vec<String> = graph.inputs(task).iter().map(|edge| edge.task.0.to_string()).collect();
            format!("{}:{}<{}", task.0, graph.bytes(task), inputs.join(","))
        };
        let tasks: Vec<String> = graph.tasks().map(task).collect();
        let outputs: Vec<String> = graph.outputs().iter().map(|edge| edge.task.0.to_string()).collect();
        format!("{number} {name}|{}|{}\n", tasks.join(";"), outputs.join(","))
    };
    shapes().iter().enumerate().map(line).collect()
}

/// Dask's orders, by the number of the graph.
fn dask_orders() -> Vec<Vec<TaskId>> {
    let text = include_str!("fixtures/dask_orders.txt");
    let numbers = |line: &str| line.split_whitespace().map(|word| TaskId(word.parse().unwrap())).collect();
    text.lines().filter(|line| !line.starts_with('#')).map(numbers).collect()
}

#[test]
fn peaks_beside_others() {
    if let Ok(file) = std::env::var("ORDERS_EXPORT") {
        std::fs::write(file, exported()).unwrap();
        return;
    }
    let dask = dask_orders();
    println!("| graph | tasks | here | depth first | Dask | best |");
    println!("|---|---|---|---|---|---|");
    let (mut here_sum, mut dask_sum, mut best_sum, mut here_small) = (0.0, 0.0, 0, 0);
    for ((name, graph), dask) in shapes().iter().zip(dask) {
        let peak = |order: Vec<TaskId>| project(graph, order).bytes;
        let here = peak(order(graph, &graph.successors()));
        let (first, theirs, best) = (peak(depth_first(graph)), peak(dask), best(graph));
        let best_text = best.map_or("".into(), |best| best.to_string());
        println!("| {name} | {} | {here} | {first} | {theirs} | {best_text} |", graph.len());
        here_sum += (here as f64 / first as f64).ln();
        dask_sum += (here as f64 / theirs as f64).ln();
        if let Some(best) = best {
            assert!(best <= here.min(first));
            best_sum += best;
            here_small += here;
        }
    }
    println!("here / depth first, geometric mean: {:.2}", (here_sum / shapes().len() as f64).exp());
    println!(
        "here / Dask: {:.2}; here / best on small graphs: {:.2}",
        (dask_sum / shapes().len() as f64).exp(),
        here_small as f64 / best_sum as f64
    );
    assert!(dask_sum <= 0.0, "Dask's order holds less");
    assert!(here_small as f64 <= best_sum as f64 * 1.15, "{here_small} bytes where {best_sum} would do");
}
