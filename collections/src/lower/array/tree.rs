//! States of blocks that are several blocks themselves, merged as a tree: the largest elements, the different ones, sketches.

use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, Key, KeyBuilder, TaskContext, Value};

use super::reduce::merged;
use super::{Lowering, Operation, array, blocks, encode, largest_bytes, only_input, source_error, step};
use crate::array::expr::{Expr, ExprRef};
use crate::array::grid::{Dims, Grid};
use crate::array::kernels::Block;
use crate::array::kernels::distinct::{Place, merge_unique, unique};
use crate::array::kernels::sketch::Sketch;
use crate::array::kernels::top::Top;
use crate::error::Result;

pub(super) const CHUNK: &str = "array.tree.chunk";
pub(super) const MERGE: &str = "array.tree.merge";
pub(super) const FINISH: &str = "array.sketch.finish";

/// Which states.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// The elements, and their indices along the axis. The result has one chunk along it.
    Top(Top),
    /// The different elements, how often they come, and where first.
    Unique {
        /// Whether it is asked where.
        indexed: bool,
    },
    /// What quantiles are nearly known by.
    Sketch(Sketch),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Top(_) => "topk",
            Kind::Unique { .. } => "unique",
            Kind::Sketch(_) => "quantile_sketch",
        }
    }

    /// The place in the grid of the states of the one that a block goes into.
    fn target(self, mut place: Dims) -> Dims {
        match self {
            Kind::Top(top) => place[top.axis] = 0,
            Kind::Unique { .. } => place = Dims::from_elem(0, 1),
            Kind::Sketch(Sketch { axis: None, .. }) => place.clear(),
            Kind::Sketch(Sketch { axis: Some(axis), .. }) => _ = place.remove(axis),
        }
        place
    }

    /// The most bytes of a state of a block.
    fn state_bytes(self, input: &Expr, place: &[usize]) -> u64 {
        let elements = input.block_bytes(place) / input.dtype.size() as u64;
        match self {
            Kind::Top(top) => {
                let length = input.grid.block_shape(place)[top.axis].max(1);
                elements / length as u64 * top.count.min(length) as u64 * (input.dtype.size() as u64 + 8)
            }
            Kind::Unique { .. } => elements * (input.dtype.size() as u64 + 16),
            Kind::Sketch(sketch) => {
                // How many buckets there are, the elements say; data that span 64 powers of two in both signs fill so many.
                let lanes = sketch.axis.map_or(1, |axis| elements / input.grid.block_shape(place)[axis].max(1) as u64);
                lanes * 8 + elements.min(lanes << (sketch.bits + 7)) * 24
            }
        }
    }
}

fn parts<const N: usize>(made: [Block; N]) -> Value {
    Value::Parts(made.map(Value::block).into())
}

/// The blocks of a state.
fn state<const N: usize>(input: &Value) -> KernelResult<[&Block; N]> {
    let wrong = || KernelError::new("a state of another operation");
    let Value::Parts(parts) = input else { return Err(wrong()) };
    let blocks = parts.iter().map(array).collect::<KernelResult<Vec<&Block>>>()?;
    blocks.try_into().map_err(|_| wrong())
}

fn states<const N: usize>(inputs: &[Value]) -> KernelResult<Vec<[&Block; N]>> {
    inputs.iter().map(state).collect()
}

/// `array.tree.chunk`: the state of a block.
#[derive(Serialize, Deserialize)]
pub(super) struct Chunk {
    kind: Kind,
    grid: Grid,
}

impl Kernel for Chunk {
    fn name(&self) -> &str {
        CHUNK
    }

    fn describe(&self) -> String {
        format!("{} of blocks", self.kind.name())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let block = array(inputs.first().ok_or_else(|| KernelError::new("a block is missing"))?)?;
        let origin = self.grid.block_origin(&self.grid.place(task.block as usize));
        let lost = || KernelError::new("places in an array of unknown shape");
        match self.kind {
            Kind::Top(top) => {
                let at = origin.get(top.axis).copied().unwrap_or(0);
                top.of(block, at).map(parts)
            }
            Kind::Unique { indexed: false } => unique(block, None).map(parts),
            Kind::Unique { indexed: true } => {
                let shape = self.grid.shape().ok_or_else(lost)?;
                unique(block, Some(Place { origin: &origin, shape: &shape })).map(parts)
            }
            Kind::Sketch(sketch) => sketch.of(block).map(parts),
        }
        .map_err(source_error)
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.tree.merge`: one state of several.
#[derive(Serialize, Deserialize)]
pub(super) struct Merge {
    kind: Kind,
}

impl Kernel for Merge {
    fn name(&self) -> &str {
        MERGE
    }

    fn describe(&self) -> String {
        format!("{} combine", self.kind.name())
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        match self.kind {
            Kind::Top(top) => top.merge(&states(inputs)?).map(parts),
            Kind::Unique { .. } => merge_unique(&states(inputs)?).map(parts),
            Kind::Sketch(sketch) => sketch.merge(&states(inputs)?).map(parts),
        }
        .map_err(source_error)
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// One block of the merged state: several expressions may take theirs from the same states.
pub(crate) struct States {
    pub(crate) kind: Kind,
    pub(crate) part: u32,
}

impl States {
    fn key(&self, input: &ExprRef) -> Key {
        KeyBuilder::new("states").key(input.key).value(&self.kind).finish()
    }

    /// The states: one for each block of a grid. They are made once, whoever asks.
    fn states(&self, lowering: &mut Lowering, expr: &Expr, grid: &Grid) -> Result<std::rc::Rc<[Edge]>> {
        let input = only_input(expr)?;
        let key = self.key(input);
        if let Some(states) = lowering.seen(key) {
            return Ok(states);
        }
        let made = self.make(lowering, expr, input, grid)?;
        Ok(lowering.note(key, made))
    }

    fn make(&self, lowering: &mut Lowering, expr: &Expr, input: &ExprRef, grid: &Grid) -> Result<Vec<Edge>> {
        let sources = blocks(lowering, input)?;
        let (kind, key, largest) = (self.kind, self.key(input), largest_bytes(input));
        let mut shared = |name: &str, layer: talatat_graph::Layer| {
            let key = key.combine(Key::of(name, &[]).bits());
            lowering.graph.layer(talatat_graph::Layer { key, ..layer })
        };
        // Pairs of an element and its place are sorted.
        let chunk = Chunk { kind, grid: input.grid.clone() };
        let chunk = shared(CHUNK, step(expr, CHUNK, chunk, largest).scratch(3 * largest));
        let merge = shared(MERGE, step(expr, MERGE, Merge { kind }, largest).scratch(3 * largest));
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); grid.blocks()];
        for block in 0..input.grid.blocks() {
            groups[grid.block_at(&kind.target(input.grid.place(block)))].push(block);
        }
        let mut made = Vec::with_capacity(groups.len());
        let mut number = 0;
        for group in groups {
            let mut level = Vec::with_capacity(group.len());
            let mut bytes = 0;
            for block in group {
                let state = kind.state_bytes(input, &input.grid.place(block));
                bytes += state;
                level.push(lowering.graph.task(chunk, block as u32, state, &[sources[block]])?.into());
            }
            made.extend(merged(lowering, merge, level, bytes, &mut number)?);
        }
        Ok(made)
    }
}

impl Operation for States {
    fn name(&self) -> &'static str {
        match (self.kind, self.part) {
            (Kind::Top(_), 1) => "argtopk",
            (kind, _) => kind.name(),
        }
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&(self.kind, self.part))
    }

    fn describe(&self) -> String {
        match self.kind {
            Kind::Top(top) => format!("{} {} along {}", self.name(), top.count, top.axis),
            Kind::Unique { .. } | Kind::Sketch(_) => self.name().into(),
        }
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let states = self.states(lowering, expr, &expr.grid)?;
        Ok(states.iter().map(|state| Edge::part_of(state.task, self.part)).collect())
    }
}

/// `array.sketch.finish`: quantiles of a state.
#[derive(Serialize, Deserialize)]
pub(super) struct Finish {
    sketch: Sketch,
    points: Vec<f64>,
    grid: Grid,
}

impl Kernel for Finish {
    fn name(&self) -> &str {
        FINISH
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let input = inputs.first().ok_or_else(|| KernelError::new("a state is missing"))?;
        let found = self.sketch.quantiles(state(input)?, &self.points).map_err(source_error)?;
        let mut shape = self.grid.block_shape(&self.grid.place(task.block as usize));
        // At most one length is not known: it is what the others leave.
        if let Some(unknown) = self.grid.axes().iter().position(|axis| axis.length().is_none()) {
            let others: usize =
                shape.iter().enumerate().filter(|(axis, _)| *axis != unknown).map(|(_, length)| length).product();
            shape[unknown] = found.len() / others.max(1);
        }
        let flat = found.into_array::<f64>().map_err(source_error)?.into_raw_vec_and_offset().0;
        Ok(Value::block(Block::from_vec(&shape, flat).map_err(source_error)?))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// Quantiles from sketches: the first axis goes along the points, the others are those of the input but the sketch's.
#[derive(Clone, Serialize)]
pub(crate) struct SketchedQuantiles {
    pub(crate) sketch: Sketch,
    pub(crate) points: Vec<f64>,
}

impl Operation for SketchedQuantiles {
    fn name(&self) -> &'static str {
        "quantile_sketch"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(self)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let lanes = Grid::new(expr.grid.axes().iter().skip(1).cloned());
        let states = States { kind: Kind::Sketch(self.sketch), part: 0 }.states(lowering, expr, &lanes)?;
        let kernel = Finish { sketch: self.sketch, points: self.points.clone(), grid: expr.grid.clone() };
        let layer = lowering.graph.layer(step(expr, FINISH, kernel, largest_bytes(expr)));
        let finish = |(block, state): (usize, &Edge)| {
            let bytes = expr.block_bytes(&expr.grid.place(block));
            Ok(lowering.graph.task(layer, block as u32, bytes, std::slice::from_ref(state))?.into())
        };
        states.iter().enumerate().map(finish).collect()
    }
}
