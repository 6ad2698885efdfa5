//! A unit as bytes: operations by name, parameters, references, block numbers. Nothing of it is code.

use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Error, GraphBuilder, Kernel, Key, Layer, Plan, Registry, Result, TaskGraph, TaskId, Value};

use crate::units::{Source, Unit};

/// The most tasks of one unit, and the most inputs.
const MOST: usize = 1 << 24;

/// A unit as it travels. Kernels are there once, however many tasks run them; so are layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitData {
    /// The run that it belongs to.
    pub run: u128,
    /// Its number in the run.
    pub number: u32,
    kernels: Vec<KernelData>,
    layers: Vec<LayerData>,
    inputs: Vec<InputData>,
    tasks: Vec<TaskData>,
    outputs: Vec<Reference>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KernelData {
    operation: String,
    parameters: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct LayerData {
    kernel: u32,
    scratch: u64,
    /// The bits of the share of the inputs' bytes.
    scratch_share: u32,
    tiny: bool,
    borrowed: bool,
    estimated: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TaskData {
    layer: u32,
    block: u32,
    bytes: u64,
    inputs: Vec<Reference>,
}

/// An input of the unit, or what one of its tasks makes: inputs have the first numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Reference {
    value: u32,
    part: Option<u32>,
}

/// Where an input of a unit comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum InputData {
    /// An output of another unit, which the engine hands in: which of those, which output, which part of it.
    Other { dependency: u32, output: u32, part: Option<u32> },
    /// It travels with the unit.
    Here { value: Vec<u8>, part: Option<u32> },
}

/// A unit that is ready to travel.
#[derive(Clone, Debug)]
pub struct Packed<D> {
    /// The unit's bytes.
    pub bytes: Vec<u8>,
    /// Whose outputs it reads, in the order in which they are to be handed in.
    pub dependencies: Vec<D>,
}

/// A value that is there before a run.
pub enum Held<D> {
    /// It goes with the units that read it.
    Sent(Value),
    /// An output of what the engine has.
    There {
        /// What the engine has.
        of: D,
        /// Which of its outputs.
        output: u32,
        /// Which part of that output, if not the whole.
        part: Option<u32>,
    },
}

/// Packs a unit: `name` tells what the engine calls a unit of this run, `held` where a value is that is there before it.
///
/// # Errors
/// [`Error::NotPortable`], if an operation cannot be sent: it names it and says how to register it.
pub fn pack<D: Clone + Eq + std::hash::Hash>(
    plan: &Plan,
    unit: &Unit,
    (run, number): (u128, u32),
    registry: &Registry,
    name: impl Fn(u32) -> D,
    held: impl Fn(TaskId) -> Result<Held<D>>,
) -> Result<Packed<D>> {
    let graph = plan.graph();
    let mut dependencies: Vec<D> = Vec::new();
    let mut positions: HashMap<D, u32> = HashMap::new();
    let mut dependency = |of: D| {
        *positions.entry(of.clone()).or_insert_with(|| {
            dependencies.push(of);
            dependencies.len() as u32 - 1
        })
    };
    let mut references: HashMap<Edge, u32> = HashMap::with_capacity(unit.inputs.len());
    let mut inputs = Vec::with_capacity(unit.inputs.len());
    for (at, input) in (0..).zip(&unit.inputs) {
        references.insert(input.edge, at);
        inputs.push(match input.source {
            Source::Unit { unit, output } => {
                InputData::Other { dependency: dependency(name(unit)), output, part: input.part }
            }
            Source::Last(_) => {
                let operation = graph.layer(input.edge.task).kernel.describe();
                return Err(Error::InvalidGraph(format!("{operation} comes last, and its result is read")));
            }
            Source::Held(task) => match held(task)? {
                Held::There { of, output, part } => {
                    InputData::Other { dependency: dependency(of), output, part: part.or(input.part) }
                }
                Held::Sent(value) => {
                    let mut bytes = Vec::new();
                    registry.encode_value(&value, &mut bytes)?;
                    InputData::Here { value: bytes, part: input.part }
                }
            },
        });
    }
    let mut operations = Operations::default();
    let first = inputs.len() as u32;
    let place: HashMap<TaskId, u32> = (first..).zip(&unit.tasks).map(|(at, &task)| (task, at)).collect();
    let refer = |edge: &Edge| match place.get(&edge.task) {
        Some(&value) => Reference { value, part: edge.part() },
        None => Reference { value: references.get(edge).copied().unwrap_or(u32::MAX), part: None },
    };
    let mut tasks = Vec::with_capacity(unit.tasks.len());
    for &task in &unit.tasks {
        tasks.push(TaskData {
            layer: operations.layer(graph.layer(task), graph.layer_id(task).0, graph.block(task))?,
            block: graph.block(task) as u32,
            bytes: graph.bytes(task),
            inputs: graph.inputs(task).iter().map(refer).collect(),
        });
    }
    let outputs = unit.outputs.iter().map(refer).collect();
    let Operations { kernels, layers, .. } = operations;
    let data = UnitData { run, number, kernels, layers, inputs, tasks, outputs };
    let bytes = postcard::to_stdvec(&data).map_err(|error| malformed(&error.to_string()))?;
    Ok(Packed { bytes, dependencies })
}

/// The kernels and layers of a unit that have been met.
#[derive(Default)]
struct Operations {
    kernels: Vec<KernelData>,
    layers: Vec<LayerData>,
    known_kernels: HashMap<(u32, Key), u32>,
    known_layers: HashMap<LayerData, u32>,
}

impl Operations {
    fn layer(&mut self, layer: &Layer, number: u32, block: u64) -> Result<u32> {
        let parameters = layer.kernel.encode(block)?;
        // By their hash: parameters may be a block of an array.
        let known = self.known_kernels.entry((number, Key::of("", &parameters)));
        let kernel = *known.or_insert_with(|| {
            let operation = layer.kernel.name().to_string();
            self.kernels.push(KernelData { operation, parameters });
            self.kernels.len() as u32 - 1
        });
        let &Layer { scratch, scratch_share, tiny, borrowed, estimated, .. } = layer;
        let data = LayerData { kernel, scratch, scratch_share: scratch_share.to_bits(), tiny, borrowed, estimated };
        let next = self.layers.len() as u32;
        let at = *self.known_layers.entry(data).or_insert(next);
        if at == next {
            self.layers.push(data);
        }
        Ok(at)
    }
}

impl UnitData {
    /// Reads a unit back. Garbage gives an error, never a panic; memory is taken in proportion to the bytes.
    ///
    /// # Errors
    /// [`Error::NotPortable`] if the bytes are not a unit's.
    pub fn decode(bytes: &[u8]) -> Result<UnitData> {
        let (data, rest): (UnitData, _) =
            postcard::take_from_bytes(bytes).map_err(|error| malformed(&error.to_string()))?;
        if !rest.is_empty() {
            return Err(malformed(&format!("{} bytes follow it", rest.len())));
        }
        if data.tasks.len() > MOST || data.inputs.len() > MOST {
            return Err(malformed(&format!("{} tasks, {} inputs", data.tasks.len(), data.inputs.len())));
        }
        Ok(data)
    }

    /// How many tasks it has.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether it has no tasks.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The unit as a graph whose first tasks hand in its inputs: `other` gives outputs of its dependencies, by their positions.
    ///
    /// # Errors
    /// If it names an operation that the registry does not know, or a value that is not there.
    pub fn graph(&self, registry: &Registry, mut other: impl FnMut(u32, u32) -> Result<Value>) -> Result<TaskGraph> {
        let mut graph = GraphBuilder::new();
        let edges: usize = self.tasks.iter().map(|task| task.inputs.len()).sum();
        graph.reserve(self.inputs.len() + self.tasks.len(), edges);
        let values = self.inputs.iter().map(|input| match input {
            &InputData::Other { dependency, output, part } => pick(other(dependency, output)?, part),
            InputData::Here { value, part } => pick(registry.decode_value(&mut value.as_slice())?, *part),
        });
        let values: Vec<Value> = values.collect::<Result<_>>()?;
        if !values.is_empty() {
            let kernel: Arc<dyn Kernel> = Arc::new(HandIn(values));
            let layer = graph.layer(Layer::new(Key::of(HAND_IN, &[]), kernel).borrowed(true).tiny(true));
            (0..self.inputs.len() as u32).try_for_each(|at| graph.task(layer, at, 0, &[]).map(drop))?;
        }
        let kernels = self.kernels.iter().map(|kernel| registry.decode_kernel(&kernel.operation, &kernel.parameters));
        let kernels: Vec<Arc<dyn Kernel>> = kernels.collect::<Result<_>>()?;
        let mut layers = Vec::with_capacity(self.layers.len());
        for (number, data) in (0..).zip(&self.layers) {
            let &LayerData { kernel, scratch, scratch_share, tiny, borrowed, estimated } = data;
            let kernel = kernels.get(kernel as usize).ok_or_else(|| malformed("a kernel that is not there"))?;
            // Nothing here compares keys: each layer may have any of its own.
            let key = Key::of("unit", &[]).block(number);
            let layer = Layer::new(key, kernel.clone()).scratch(scratch).tiny(tiny).borrowed(borrowed);
            // A share that is no number would make no sense of any plan.
            let share = f32::from_bits(scratch_share);
            let share = if share.is_finite() { share.max(0.0) } else { 0.0 };
            layers.push(graph.layer(Layer { estimated, ..layer }.scratch_of_inputs(share)));
        }
        let mut edges = Vec::new();
        for task in &self.tasks {
            edges.clear();
            edges.extend(task.inputs.iter().map(Reference::edge));
            let layer = layers.get(task.layer as usize).ok_or_else(|| malformed("a layer that is not there"))?;
            graph.task(*layer, task.block, task.bytes, &edges)?;
        }
        for output in &self.outputs {
            if output.value as usize >= graph.len() {
                return Err(malformed("an output that is not there"));
            }
            graph.output(output.edge());
        }
        Ok(graph.build())
    }
}

impl Reference {
    fn edge(&self) -> Edge {
        match self.part {
            Some(part) => Edge::part_of(TaskId(self.value), part),
            None => Edge::whole(TaskId(self.value)),
        }
    }
}

/// The name of the tasks that hand in a unit's inputs.
const HAND_IN: &str = "cluster.input";

struct HandIn(Vec<Value>);

impl Kernel for HandIn {
    fn name(&self) -> &str {
        HAND_IN
    }

    fn run(&self, task: talatat_graph::TaskContext, _: &mut [Value]) -> talatat_graph::KernelResult<Value> {
        let value = self.0.get(task.block as usize).cloned();
        value.ok_or_else(|| talatat_graph::KernelError::new("an input that is not there"))
    }
}

/// One part of a value, or the whole.
fn pick(value: Value, part: Option<u32>) -> Result<Value> {
    let Some(part) = part else { return Ok(value) };
    let count = if let Value::Parts(parts) = &value { parts.len() } else { 1 };
    value
        .part(part)
        .cloned()
        .ok_or_else(|| Error::InvalidGraph(format!("reads part {part} of a result of {count} parts")))
}

fn malformed(reason: &str) -> Error {
    Error::NotPortable { operation: "unit".into(), reason: format!("malformed bytes: {reason}") }
}
