//! What moves in a plan, what is split and what is whole, where everything meets, and where threads will have nothing to do.

use std::collections::BTreeMap;
use std::fmt;

use talatat_graph::memory::Played;
use talatat_graph::{LayerId, Plan, TaskId, format_bytes};

/// Kinds of a thing that are listed; the others are counted.
const LISTED: usize = 8;
/// The part of all threads' time that must be lost for one operation to be warned of.
const LOST: f64 = 0.2;
/// Of plans with fewer bytes, or without bytes and with fewer tasks, nothing is worth saying.
const BYTES: u64 = 1 << 20;
const TASKS: usize = 64;

/// How data flows through a plan; nothing of a small one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Flow {
    threads: usize,
    /// Bytes that tasks without inputs make: what is read or created.
    made: u64,
    /// Bytes that tasks read of each other's results.
    moved: u64,
    /// Bytes of the wanted results.
    wanted: u64,
    lines: Vec<String>,
    warnings: Vec<String>,
}

impl Flow {
    /// The flow of a plan that was played through on so many threads with bytes for costs. O(tasks + edges).
    pub(crate) fn of(plan: &Plan, threads: usize, played: &Played) -> Flow {
        let graph = plan.graph();
        let sources = graph.tasks().filter(|&task| graph.inputs(task).is_empty());
        let all = |bytes: &mut dyn Iterator<Item = u64>| bytes.fold(0, u64::saturating_add);
        let mut flow = Flow {
            threads,
            made: all(&mut sources.map(|task| graph.bytes(task))),
            moved: all(&mut graph.tasks().map(|task| plan.bytes_in(task))),
            wanted: all(&mut graph.outputs().iter().map(|edge| graph.bytes(edge.task))),
            ..Flow::default()
        };
        let bytes = flow.made.saturating_add(flow.moved);
        let small = if bytes > 0 { bytes < BYTES } else { graph.len() < TASKS };
        if small {
            return Flow::default();
        }
        let mut sizes = vec![0_usize; graph.layers().len()];
        graph.tasks().for_each(|task| sizes[graph.layer_id(task).0 as usize] += 1);
        flow.splits(plan, &sizes);
        flow.shuffles(plan);
        flow.wholes(plan, &sizes);
        flow.barriers(plan);
        flow.warn(plan, &sizes, played);
        flow
    }

    /// Where parallelism is lost, with the user's line.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn list(&mut self, lines: Vec<String>) {
        let more = lines.len().saturating_sub(LISTED);
        self.lines.extend(lines.into_iter().take(LISTED));
        if more > 0 {
            self.lines.push(format!("and {more} more of these"));
        }
    }

    fn splits(&mut self, plan: &Plan, sizes: &[usize]) {
        let graph = plan.graph();
        let most = sizes.iter().copied().max().unwrap_or(0);
        let split: usize = sizes.iter().filter(|&&size| size > 1).count();
        let single: usize = sizes.iter().filter(|&&size| size == 1).count();
        if most > 1 {
            let widest = sizes.iter().position(|&size| size == most).unwrap_or(0);
            let blocks = graph.tasks().filter(|&task| graph.layer_id(task) == LayerId(widest as u32));
            let largest = blocks.map(|task| graph.bytes(task)).max().unwrap_or(0);
            let name = graph.layers()[widest].kernel.describe();
            self.lines.push(format!(
                "split: {split} layers of several blocks, {single} of one; the widest is {name}, {most} blocks of up to {}",
                format_bytes(largest)
            ));
        }
    }

    /// Results that are read in parts by tasks that each read parts of several.
    fn shuffles(&mut self, plan: &Plan) {
        let graph = plan.graph();
        let mut found: BTreeMap<(u32, u32), (usize, u64)> = BTreeMap::new();
        for task in graph.tasks() {
            let mut parts: BTreeMap<u32, (usize, u64)> = BTreeMap::new();
            for edge in graph.inputs(task).iter().filter(|edge| edge.part().is_some()) {
                parts.entry(graph.layer_id(edge.task).0).or_default().0 += 1;
            }
            let reader = graph.layer_id(task).0;
            for (layer, (count, _)) in parts.into_iter().filter(|(_, (count, _))| *count > 1) {
                let all = graph.inputs(task).len().max(1);
                let entry = found.entry((layer, reader)).or_default();
                let bytes = u128::from(plan.bytes_in(task)) * count as u128 / all as u128;
                *entry = (entry.0 + 1, entry.1.saturating_add(bytes as u64));
            }
        }
        let name = |layer: u32| graph.layers()[layer as usize].kernel.describe();
        let line = |(&(from, to), &(tasks, bytes)): (&(u32, u32), &(usize, u64))| {
            format!(
                "shuffle: {} -> {}, {tasks} tasks read parts of others' results, {}",
                name(from),
                name(to),
                format_bytes(bytes)
            )
        };
        self.list(found.iter().map(line).collect());
    }

    /// Results that all tasks of a wide layer read: every worker needs the whole.
    fn wholes(&mut self, plan: &Plan, sizes: &[usize]) {
        let graph = plan.graph();
        let mut lines = Vec::new();
        for task in graph.tasks() {
            let readers = plan.successors().of(task);
            if readers.len() < 2 {
                continue;
            }
            let mut by_layer: BTreeMap<u32, usize> = BTreeMap::new();
            let mut last = None;
            for &reader in readers {
                if last.replace(reader) != Some(reader) {
                    *by_layer.entry(graph.layer_id(reader).0).or_default() += 1;
                }
            }
            let whole = |task: TaskId, reader: u32| {
                let of_layer = readers.iter().find(|&&at| graph.layer_id(at).0 == reader);
                of_layer
                    .is_some_and(|&at| graph.inputs(at).iter().any(|edge| edge.task == task && edge.part().is_none()))
            };
            for (layer, count) in
                by_layer.into_iter().filter(|&(layer, count)| count > 1 && count == sizes[layer as usize])
            {
                if whole(task, layer) {
                    let reader = graph.layers()[layer as usize].kernel.describe();
                    let bytes = format_bytes(graph.bytes(task));
                    lines.push(format!(
                        "whole for every worker: {}, {bytes}, read by all {count} tasks of {reader}",
                        name(plan, task)
                    ));
                }
            }
        }
        self.list(lines);
    }

    /// Tasks that all later ones wait for. If only one task is so many steps away from the sources, each task that is further away has
    /// it among what it waits for: the longest way there passes every number of steps.
    fn barriers(&mut self, plan: &Plan) {
        let graph = plan.graph();
        let mut depth = vec![0_usize; graph.len()];
        let mut levels: Vec<(usize, TaskId)> = Vec::new();
        for task in graph.tasks() {
            let steps = graph.inputs(task).iter().map(|edge| depth[edge.task.index()] + 1).max().unwrap_or(0);
            depth[task.index()] = steps;
            if levels.len() <= steps {
                levels.resize(steps + 1, (0, task));
            }
            levels[steps] = (levels[steps].0 + 1, task);
        }
        let (mut before, mut lines) = (0, Vec::new());
        for (number, &(width, task)) in levels.iter().enumerate() {
            let after = graph.len() - before - width;
            // Of a chain of such tasks the first one is the barrier.
            if width == 1 && number > 0 && levels[number - 1].0 > 1 && after > 0 {
                lines.push(format!(
                    "barrier: all {after} later tasks wait for {}{}",
                    name(plan, task),
                    place(plan, task)
                ));
            }
            before += width;
        }
        self.list(lines);
    }

    fn warn(&mut self, plan: &Plan, sizes: &[usize], played: &Played) {
        let graph = plan.graph();
        let all = played.elapsed as f64 * self.threads as f64;
        if self.threads < 2 || all <= 0.0 {
            return;
        }
        // One line of the user's program may be several layers.
        let mut groups: BTreeMap<(String, String), (f64, usize, TaskId)> = BTreeMap::new();
        let mut first = vec![None; sizes.len()];
        for task in graph.tasks() {
            first[graph.layer_id(task).0 as usize].get_or_insert(task);
        }
        for (layer, &lost) in played.lost.iter().enumerate() {
            let Some(task) = first[layer].filter(|_| lost > 0.0) else { continue };
            let group =
                groups.entry((graph.layers()[layer].kernel.describe(), place(plan, task))).or_insert((0.0, 0, task));
            *group = (group.0 + lost, group.1 + sizes[layer], group.2);
        }
        let mut groups: Vec<_> = groups.into_iter().filter(|(_, (lost, ..))| lost / all >= LOST).collect();
        groups.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
        for ((operation, place), (lost, tasks, task)) in groups {
            let layer = graph.layer_id(task);
            let reads_own = |task: TaskId| graph.inputs(task).iter().any(|edge| graph.layer_id(edge.task) == layer);
            let chained = graph.tasks().filter(|&task| graph.layer_id(task) == layer && reads_own(task)).count();
            let why = if tasks == 1 {
                "it is one task: cut what it works on into more blocks, or let other work not wait for it".to_string()
            } else if chained + 1 >= tasks {
                format!("its {tasks} tasks wait for each other, one after the other")
            } else if tasks < self.threads {
                format!("its {tasks} tasks are fewer than the {} threads: use smaller chunks", self.threads)
            } else {
                format!(
                    "towards their end its {tasks} tasks leave threads without work: use smaller chunks, or give them other work"
                )
            };
            self.warnings.push(format!(
                "parallelism is lost at {operation}{place}: while it runs, {:.0}% of the threads' time has nothing to do; {why}",
                lost / all * 100.0
            ));
        }
    }
}

fn name(plan: &Plan, task: TaskId) -> String {
    format!("{}/{}", plan.graph().layer(task).kernel.describe(), plan.graph().block(task))
}

fn place(plan: &Plan, task: TaskId) -> String {
    let place = plan.graph().location(task);
    place.map_or_else(String::new, |place| format!(" (called at {}:{})", place.file(), place.line()))
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.made > 0 || self.moved > 0 || self.wanted > 0 {
            let (made, moved, wanted) = (format_bytes(self.made), format_bytes(self.moved), format_bytes(self.wanted));
            writeln!(f, "bytes: {made} read or created, {moved} handed from task to task, {wanted} wanted")?;
        }
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use talatat_graph::memory::play;
    use talatat_graph::testing::{shuffle_weights, sum_kernel, tree_graph};
    use talatat_graph::{Edge, GraphBuilder, Key, Layer, PlanOptions, TaskGraph};

    fn flow(graph: TaskGraph, threads: usize) -> Flow {
        let options = PlanOptions { skip_passes: vec!["fuse".into()], ..PlanOptions::default() };
        let plan = Arc::new(Plan::new(graph, &options).unwrap());
        let cost = |task| plan.graph().need(task) + plan.bytes_in(task) + 1;
        Flow::of(&plan, threads, &play(&plan, threads, cost, 0.0).unwrap())
    }

    /// Eight blocks of a mebibyte, `model` in one task after all of them, eight tasks that read it and a block each.
    #[track_caller]
    fn around_one(model: u64) -> TaskGraph {
        let (mut graph, here) = (GraphBuilder::new(), std::panic::Location::caller());
        let layer = |graph: &mut GraphBuilder, name: &str| {
            graph.layer(Layer::new(Key::of(name, &[]), Arc::new(sum_kernel(name))).at(here))
        };
        let (read, fit, apply) = (layer(&mut graph, "read"), layer(&mut graph, "fit"), layer(&mut graph, "apply"));
        let blocks: Vec<Edge> = (0..8).map(|block| graph.task(read, block, 1 << 20, &[]).unwrap().into()).collect();
        let fitted = graph.task(fit, 0, model, &blocks).unwrap().into();
        for (block, &edge) in blocks.iter().enumerate() {
            let applied = graph.task(apply, block as u32, 1 << 20, &[edge, fitted]).unwrap();
            graph.output(applied.into());
        }
        graph.build()
    }

    #[test]
    fn one_task_that_everything_waits_for() {
        let (flow, here) = (flow(around_one(1000), 4), format!("{}:{}", file!(), line!()));
        let text = flow.to_string().replace(&here, "FILE:LINE");
        insta::assert_snapshot!(text, @r"
        bytes: 8.0 MiB read or created, 16.0 MiB handed from task to task, 8.0 MiB wanted
        split: 2 layers of several blocks, 1 of one; the widest is read, 8 blocks of up to 1.0 MiB
        whole for every worker: fit/0, 1000 B, read by all 8 tasks of apply
        barrier: all 8 later tasks wait for fit/0 (called at FILE:LINE)
        warning: parallelism is lost at fit (called at FILE:LINE): while it runs, 43% of the threads' time has nothing to do; it is one task: cut what it works on into more blocks, or let other work not wait for it
        ");
        assert_eq!(flow.warnings().len(), 1);
    }

    #[test]
    fn nothing_is_lost_where_there_is_enough_to_do() {
        assert_eq!(self::flow(around_one(1000), 1).warnings(), [""; 0], "one thread is never without work");
        assert_eq!(self::flow(tree_graph(1000, 2), 4).warnings(), [""; 0]);
    }

    #[test]
    fn chains_are_warned_of() {
        let mut graph = GraphBuilder::new();
        let layer = graph.layer(Layer::new(Key::of("step", &[]), Arc::new(sum_kernel("step"))));
        let mut last: Vec<Edge> = Vec::new();
        for block in 0..100 {
            last = vec![graph.task(layer, block, 1 << 20, &last).unwrap().into()];
        }
        graph.output(last[0]);
        let flow = flow(graph.build(), 2);
        assert!(
            flow.warnings()[0].contains("50% of the threads' time")
                && flow.warnings()[0].contains("one after the other"),
            "{flow}"
        );
    }

    #[test]
    fn shuffles_are_found() {
        let text = flow(shuffle_weights(10, 20, 1_000_000), 2).to_string();
        insta::assert_snapshot!(text, @r"
        bytes: 190.7 MiB read or created, 190.7 MiB handed from task to task, 160 B wanted
        split: 2 layers of several blocks, 0 of one; the widest is testing.weigh, 20 blocks of up to 8 B
        shuffle: testing.weigh -> testing.weigh, 20 tasks read parts of others' results, 190.7 MiB
        ");
    }
}
