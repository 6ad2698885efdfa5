//! Tasks that make others wait, and graphs that share nothing with what is there.

use std::panic::Location as Line;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use talatat_graph::{
    Edge, Kernel, KernelError, KernelResult, Key, Layer, Registry, Result as GraphResult, TaskContext, Value,
};

use super::{DelayedTasks, Lowering};
use crate::error::Result;

pub(crate) fn register(registry: Registry) -> Registry {
    registry.kernel::<Tick>(Tick::NAME).kernel::<Pass>(Pass::NAME)
}

impl Lowering {
    /// Lowers something as if nothing had been lowered before: its tasks share nothing with those that are there, but for those that make `shared` results.
    pub(crate) fn apart<R>(
        &mut self,
        shared: Option<&[Edge]>,
        lower: impl FnOnce(&mut Lowering) -> Result<R>,
    ) -> Result<R> {
        let mut inner = Lowering::new(self.options.clone());
        inner.registry = self.registry.clone();
        inner.graph = std::mem::take(&mut self.graph);
        inner.trace = self.trace.take();
        if let Some(edges) = shared {
            let behind = inner.graph.behind(edges);
            let is_shared =
                |edges: &[Edge]| edges.iter().all(|edge| behind.get(edge.task.index()).copied().unwrap_or(false));
            let memo = self.memo.iter().filter(|(_, edges)| is_shared(edges));
            inner.memo = memo.map(|(key, edges)| (*key, edges.clone())).collect();
            #[cfg(feature = "array")]
            {
                inner.arrays = self.arrays.shared(&inner.memo);
            }
            inner.delayed = DelayedTasks::beside(std::mem::take(&mut self.delayed), behind);
        }
        let result = lower(&mut inner);
        if let Some(delayed) = inner.delayed.take_others() {
            self.delayed = delayed;
        }
        DelayedTasks::finish(&mut inner);
        self.graph = inner.graph;
        self.trace = inner.trace;
        result
    }

    /// A task that ends when all of these results are there. It gives nothing, and holds none of them.
    pub(crate) fn barrier(&mut self, key: Key, edges: &[Edge], line: &'static Line<'static>) -> Result<Edge> {
        let layer = |name: &str| Layer::new(key.combine(Key::of(name, &[]).bits()), Arc::new(Tick)).at(line).tiny(true);
        let (each, all) = (self.graph.layer(layer("each")), self.graph.layer(layer("all")));
        let ticks =
            edges.iter().zip(0..).map(|(&edge, block)| self.graph.task(each, block, 0, &[edge]).map(Edge::whole));
        let ticks = ticks.collect::<GraphResult<Vec<Edge>>>()?;
        Ok(self.graph.task(all, 0, 0, &ticks)?.into())
    }

    /// The same results, which are not handed on before `after` has ended.
    pub(crate) fn held_back(
        &mut self,
        key: Key,
        edges: &[Edge],
        after: Edge,
        line: &'static Line<'static>,
    ) -> Result<Vec<Edge>> {
        let layer = Layer::new(key.combine(Key::of(Pass::NAME, &[]).bits()), Arc::new(Pass)).at(line).tiny(true);
        // How large the results are is what their own layers say, and that may be a guess.
        let layer = self.graph.layer(Layer { estimated: true, ..layer });
        let pass = |(&edge, block): (&Edge, u32)| {
            let bytes = self.graph.bytes(edge.task);
            Ok(self.graph.task(layer, block, bytes, &[edge, after])?.into())
        };
        edges.iter().zip(0..).map(pass).collect()
    }
}

/// Ends when its inputs are there.
#[derive(Serialize, Deserialize)]
struct Tick;

impl Tick {
    const NAME: &str = "graph.tick";
}

impl Kernel for Tick {
    fn name(&self) -> &str {
        Tick::NAME
    }

    fn describe(&self) -> String {
        "checkpoint".into()
    }

    fn run(&self, _: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        Ok(Value::Unit)
    }

    fn encode(&self, _: u64) -> GraphResult<Vec<u8>> {
        Ok(Vec::new())
    }
}

/// Hands its first input on.
#[derive(Serialize, Deserialize)]
struct Pass;

impl Pass {
    const NAME: &str = "graph.pass";
}

impl Kernel for Pass {
    fn name(&self) -> &str {
        Pass::NAME
    }

    fn describe(&self) -> String {
        "wait_on".into()
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        inputs.first_mut().map(std::mem::take).ok_or_else(|| KernelError::new("there is nothing to hand on"))
    }

    fn encode(&self, _: u64) -> GraphResult<Vec<u8>> {
        Ok(Vec::new())
    }
}
