//! The results that are alive.

use hashbrown::HashMap;

use crate::error::{KernelError, KernelResult};
use crate::graph::{Edge, TaskGraph};
use crate::plan::Plan;
use crate::task::TaskId;
use crate::value::Value;

/// Holds each result from the end of its task to the end of its last reader; parts die one by one.
#[derive(Default)]
pub struct Store {
    slots: Vec<Value>,
    readers: Vec<u32>,
    parts: HashMap<TaskId, Vec<u32>>,
}

impl Store {
    /// A store for a graph's results.
    pub fn new(graph: &TaskGraph) -> Store {
        let mut readers = vec![0_u32; graph.len()];
        for edge in graph.edges.iter().chain(graph.outputs()) {
            readers[edge.task.index()] += 1;
        }
        let mut slots = Vec::new();
        slots.resize_with(graph.len(), Value::default);
        Store { slots, readers, parts: HashMap::new() }
    }

    /// Appends the inputs of a task to `inputs`. What nobody else reads is moved out, the rest is shared.
    ///
    /// # Errors
    /// If a result has no such part.
    #[inline]
    pub fn gather(&mut self, graph: &TaskGraph, task: TaskId, inputs: &mut Vec<Value>) -> KernelResult<()> {
        for &edge in graph.inputs(task) {
            let slot = &mut self.slots[edge.task.index()];
            let last = self.readers[edge.task.index()] == 1;
            inputs.push(match (edge.part(), &mut *slot) {
                (Some(part), Value::Parts(values)) => {
                    let count = values.len();
                    let value = values.get_mut(part as usize).ok_or_else(|| no_part(edge, count))?;
                    let last = last || self.parts.get(&edge.task).is_some_and(|readers| readers[part as usize] == 1);
                    if last { std::mem::take(value) } else { value.clone() }
                }
                (Some(part), _) if part != 0 => return Err(no_part(edge, 1)),
                _ if last => std::mem::take(slot),
                _ => slot.clone(),
            });
        }
        Ok(())
    }

    /// Keeps a task's result for its readers, or throws it on `trash` if there are none.
    #[inline]
    pub fn put(&mut self, plan: &Plan, task: TaskId, value: Value, trash: &mut Vec<Value>) {
        if self.readers[task.index()] == 0 {
            trash.push(value);
            return;
        }
        if let Value::Parts(values) = &value {
            self.count_parts(plan, task, values.len());
        }
        self.slots[task.index()] = value;
    }

    fn count_parts(&mut self, plan: &Plan, task: TaskId, count: usize) {
        let graph = plan.graph();
        let mut readers = vec![0_u32; count];
        let mut read = |edge: &Edge| match edge.part() {
            Some(part) => readers.get_mut(part as usize).into_iter().for_each(|readers| *readers += 1),
            None => readers.iter_mut().for_each(|readers| *readers += 1),
        };
        let mut last = None;
        for &reader in plan.successors().of(task) {
            // A task that reads several parts stands there several times, side by side.
            if last.replace(reader) != Some(reader) {
                graph.inputs(reader).iter().filter(|edge| edge.task == task).for_each(&mut read);
            }
        }
        graph.outputs().iter().filter(|edge| edge.task == task).for_each(&mut read);
        self.parts.insert(task, readers);
    }

    /// A task is done with its inputs: throws those that nobody else reads on `trash`.
    /// To be called after [`put`](Store::put).
    #[inline]
    pub fn release(&mut self, graph: &TaskGraph, task: TaskId, trash: &mut Vec<Value>) {
        for &edge in graph.inputs(task) {
            let at = edge.task.index();
            self.readers[at] -= 1;
            let slot = &mut self.slots[at];
            if self.readers[at] == 0 {
                if !matches!(slot, Value::Unit) {
                    trash.push(std::mem::take(slot));
                }
                if !self.parts.is_empty() {
                    self.parts.remove(&edge.task);
                }
            } else if let Value::Parts(values) = slot
                && let Some(readers) = self.parts.get_mut(&edge.task)
            {
                let read = match edge.part() {
                    Some(part) => part as usize..part as usize + 1,
                    None => 0..values.len(),
                };
                for part in read {
                    readers[part] -= 1;
                    if readers[part] == 0 {
                        trash.push(std::mem::take(&mut values[part]));
                    }
                }
            }
        }
    }

    /// Whether all readers of a task's result are done.
    pub(crate) fn is_dead(&self, task: TaskId) -> bool {
        self.readers[task.index()] == 0
    }

    /// The wanted results.
    ///
    /// # Errors
    /// If a result has no such part.
    pub fn outputs(&self, graph: &TaskGraph) -> KernelResult<Vec<Value>> {
        graph
            .outputs()
            .iter()
            .map(|edge| {
                let value = &self.slots[edge.task.index()];
                match edge.part() {
                    None => Ok(value.clone()),
                    Some(part) => {
                        let count = if let Value::Parts(parts) = value { parts.len() } else { 1 };
                        value.part(part).cloned().ok_or_else(|| no_part(*edge, count))
                    }
                }
            })
            .collect()
    }
}

fn no_part(edge: Edge, count: usize) -> KernelError {
    KernelError::new(format!("reads part {} of a result of {count} parts", edge.part().unwrap_or(0)))
}
