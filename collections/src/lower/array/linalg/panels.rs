//! Elimination on panels, which are all rows of some columns: LU with partial pivoting, Cholesky, substitution.
//!
//! A panel is changed in place by one task after the other: by the panels before it, by itself, and, for LU, by the rows that
//! those after it exchange. So pivots are looked for in whole columns, and the work on different panels goes side by side.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, Key, KeyBuilder, TaskContext, Value};
use talatat_linalg::panel::{self, Panel, Triangle};

use super::tsqr::{dims, packed, with_real};
use crate::array::dtype::DType;
use crate::array::expr::Expr;
use crate::array::kernels::Block;
use crate::error::Result;
use crate::lower::array::{Lowering, Operation, array, blocks, encode, layer, owned, source_error};

pub(in crate::lower::array) const STEP: &str = "array.panel";
pub(in crate::lower::array) const ORDER: &str = "array.pivots";

/// What a task does to a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    /// LU of the rows from the offset on; gives the panel and the order of these rows.
    Lu,
    /// The order of another panel's rows, and what its lower triangle takes.
    LuUpdate,
    /// The order of another panel's rows.
    Permute,
    /// Cholesky of the rows from the offset on.
    Cholesky,
    /// What another panel of a Cholesky factor takes; the offset is the panel's own.
    CholeskyUpdate,
    /// A step of a substitution with another panel.
    Substitute { upper: bool, unit: bool },
}

/// `array.panel`: one step. Its block number is the row where a diagonal begins.
#[derive(Clone, Serialize, Deserialize)]
struct Panels {
    step: Step,
    dtype: DType,
}

pub(in crate::lower::array) fn decode(bytes: &[u8]) -> KernelResult<std::sync::Arc<dyn Kernel>> {
    Ok(std::sync::Arc::new(postcard::from_bytes::<Panels>(bytes).map_err(source_error)?))
}

impl Kernel for Panels {
    fn name(&self) -> &str {
        STEP
    }

    fn describe(&self) -> String {
        format!("panel {:?}", self.step)
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let offset = task.block as usize;
        let (first, others) = inputs.split_first_mut().ok_or_else(|| KernelError::new("no panel"))?;
        let mut block = owned(first)?;
        let (rows, width) = dims(&block)?;
        let own = Panel { rows, width };
        let other = |number: usize| -> KernelResult<&Block> {
            array(others.get(number).ok_or_else(|| KernelError::new("a panel is missing"))?)
        };
        with_real!(self.dtype, T => {
            if let Some(packed) = block.packed() {
                block = packed;
            }
            let mut view = block.view_mut::<T>().map_err(source_error)?;
            let values = view.as_slice_mut().ok_or_else(|| KernelError::new("a panel with gaps"))?;
            let by = |number: usize| -> KernelResult<(std::borrow::Cow<'_, [T]>, Panel)> {
                let block = other(number)?;
                let (rows, width) = dims(block)?;
                Ok((packed::<T>(block)?, Panel { rows, width }))
            };
            let mut order = None;
            match self.step {
                Step::Lu => order = Some(panel::lu(values, own, offset).map_err(source_error)?),
                Step::Permute => {
                    let order = packed::<i64>(other(0)?)?;
                    panel::permute(values, own, offset, &order).map_err(source_error)?;
                }
                Step::LuUpdate => {
                    let (by, order) = (by(0)?, packed::<i64>(other(1)?)?);
                    panel::permute(values, own, offset, &order).map_err(source_error)?;
                    let triangle = Triangle { upper: false, unit: true };
                    panel::substitute(values, own, (&by.0, by.1), offset, triangle).map_err(source_error)?;
                }
                Step::Cholesky => panel::cholesky(values, own, offset).map_err(source_error)?,
                Step::CholeskyUpdate => {
                    let by = by(0)?;
                    panel::cholesky_update(values, own, (&by.0, by.1), offset).map_err(source_error)?;
                }
                Step::Substitute { upper, unit } => {
                    let by = by(0)?;
                    panel::substitute(values, own, (&by.0, by.1), offset, Triangle { upper, unit }).map_err(source_error)?;
                }
            }
            match order {
                None => Ok(Value::block(block)),
                Some(order) => {
                    let order = Block::from_vec(&[order.len()], order).map_err(source_error)?;
                    Ok(Value::Parts([Value::block(block), Value::block(order)].into()))
                }
            }
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// Makes the steps of one operation: a layer for each kind.
struct Steps<'a> {
    expr: &'a Expr,
    made: u32,
}

impl Steps<'_> {
    fn layer(&mut self, lowering: &mut Lowering, step: Step) -> talatat_graph::LayerId {
        let kernel = Panels { step, dtype: self.expr.dtype };
        // A panel that others read, too, is copied; and rows on their way to other places.
        let most = self.expr.grid.largest_block(1_000_000) as u64 * self.expr.dtype.size() as u64;
        let mut layer = layer(self.expr, kernel).scratch(most).tiny(false);
        layer.key = self.expr.key.combine(Key::of(STEP, &[]).bits()).block(u64::from(self.made));
        self.made += 1;
        lowering.graph.layer(layer)
    }
}

/// Whether rows change places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Factorization {
    Lu,
    Cholesky,
}

/// The factors of a matrix whose chunks are panels, in its place: LU packed in one matrix, or the lower Cholesky factor.
impl Operation for Factorization {
    fn name(&self) -> &'static str {
        match self {
            Factorization::Lu => "lu",
            Factorization::Cholesky => "cholesky",
        }
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let Some(input) = expr.inputs.first() else { return Ok(Vec::new()) };
        let mut panels = blocks(lowering, input)?.to_vec();
        let [rows, columns] = expr.grid.axes() else { return Ok(Vec::new()) };
        let (Some(rows), Some(bounds)) = (rows.length(), columns.bounds()) else { return Ok(Vec::new()) };
        let bytes: Vec<u64> = (0..panels.len()).map(|panel| expr.block_bytes(&[0, panel])).collect();
        let mut orders: Vec<Edge> = Vec::new();
        let mut steps = Steps { expr, made: 0 };
        for at in 0..panels.len() {
            let offset = bounds[at];
            if offset >= rows {
                break;
            }
            let own = if *self == Factorization::Lu { Step::Lu } else { Step::Cholesky };
            let layer = steps.layer(lowering, own);
            match self {
                Factorization::Cholesky => {
                    panels[at] = lowering.graph.task(layer, offset as u32, bytes[at], &[panels[at]])?.into();
                    let layer = steps.layer(lowering, Step::CholeskyUpdate);
                    for other in at + 1..panels.len() {
                        let edges = [panels[other], panels[at]];
                        panels[other] = lowering.graph.task(layer, bounds[other] as u32, bytes[other], &edges)?.into();
                    }
                }
                Factorization::Lu => {
                    let order_bytes = 8 * (rows - offset) as u64;
                    let task = lowering.graph.task(layer, offset as u32, bytes[at] + order_bytes, &[panels[at]])?;
                    panels[at] = Edge::part_of(task, 0);
                    let order = Edge::part_of(task, 1);
                    orders.push(order);
                    // One layer a panel: a task is known by its layer and the number of its block.
                    for other in (0..panels.len()).filter(|&other| other != at) {
                        let step = if other < at { Step::Permute } else { Step::LuUpdate };
                        let layer = steps.layer(lowering, step);
                        let mut edges: SmallVec<[Edge; 3]> = SmallVec::from_slice(&[panels[other]]);
                        edges.extend((other > at).then_some(panels[at]));
                        edges.push(order);
                        panels[other] = lowering.graph.task(layer, offset as u32, bytes[other], &edges)?.into();
                    }
                }
            }
        }
        lowering.note(orders_of(expr), orders);
        Ok(panels)
    }
}

fn orders_of(expr: &Expr) -> Key {
    expr.key.combine(Key::of(ORDER, &[]).bits())
}

/// The order in which the rows of a matrix were factored (`int64`), or whether it is odd (-1.0) or even (1.0); the input is the packed LU.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) rows: usize,
    /// The type of a sign; nothing for the order itself.
    pub(crate) sign: Option<DType>,
}

impl Kernel for Order {
    fn name(&self) -> &str {
        ORDER
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let mut order: Vec<i64> = (0..self.rows as i64).collect();
        for input in inputs.iter() {
            let step = packed::<i64>(array(input)?)?;
            let whole = Panel { rows: self.rows, width: 1 };
            let offset = self.rows.checked_sub(step.len()).ok_or_else(|| KernelError::new("an order of more rows"))?;
            let before = order.clone();
            if whole.rows != before.len() {
                return Err(KernelError::new("an order of other rows"));
            }
            for (row, &was) in order[offset..].iter_mut().zip(step.iter()) {
                let was = usize::try_from(was).ok().and_then(|was| before.get(offset + was));
                *row = *was.ok_or_else(|| KernelError::new("an order of rows that are not there"))?;
            }
        }
        let Some(dtype) = self.sign else {
            return Ok(Value::block(Block::from_vec(&[self.rows], order).map_err(source_error)?));
        };
        // A cycle of even length is odd.
        let mut seen = vec![false; self.rows];
        let mut odd = false;
        for start in 0..self.rows {
            let (mut at, mut length) = (start, 0_usize);
            while !std::mem::replace(&mut seen[at], true) {
                at = usize::try_from(order[at]).unwrap_or(start);
                length += 1;
            }
            odd ^= length > 0 && length.is_multiple_of(2);
        }
        let sign = if odd { -1.0 } else { 1.0 };
        Ok(Value::block(Block::full(&[], sign).map_err(source_error)?.cast(dtype)))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Operation for Order {
    fn name(&self) -> &'static str {
        "pivots"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.sign)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let Some(input) = expr.inputs.first() else { return Ok(Vec::new()) };
        let lost = || talatat_graph::Error::InvalidGraph("the pivots of a matrix were not lowered".into());
        let orders = lowering.seen(orders_of(input)).ok_or_else(lost)?;
        let bytes = expr.block_bytes(&expr.grid.place(0));
        let layer = lowering.graph.layer(layer(expr, self.clone()).scratch(16 * self.rows as u64));
        Ok(vec![lowering.graph.task(layer, 0, bytes, &orders)?.into()])
    }
}

/// Solves with the triangles of a matrix whose chunks are panels. The inputs are the right-hand sides, in chunks of whole columns, the matrix,
/// and perhaps the order in which their rows are to be taken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Solve {
    /// The lower triangle, and whether its diagonal counts as ones.
    pub(crate) lower: Option<bool>,
    /// The upper triangle, after the lower one, and whether its diagonal counts as ones.
    pub(crate) upper: Option<bool>,
}

impl Operation for Solve {
    fn name(&self) -> &'static str {
        "solve"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&(self.lower, self.upper))
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let [values, matrix, rest @ ..] = expr.inputs.as_slice() else { return Ok(Vec::new()) };
        let (mut values, panels) = (blocks(lowering, values)?.to_vec(), blocks(lowering, matrix)?);
        let Some(bounds) = matrix.grid.axes().last().and_then(|axis| axis.bounds()).cloned() else {
            return Ok(Vec::new());
        };
        let mut steps = Steps { expr, made: 0 };
        let bytes: Vec<u64> = (0..values.len()).map(|block| expr.block_bytes(&[0, block])).collect();
        if let Some(order) = rest.first() {
            let order = blocks(lowering, order)?;
            for (value, &bytes) in values.iter_mut().zip(&bytes) {
                let layer = steps.layer(lowering, Step::Permute);
                let mut edges: SmallVec<[Edge; 2]> = SmallVec::from_slice(&[*value]);
                edges.extend(order.first().copied());
                *value = lowering.graph.task(layer, 0, bytes, &edges)?.into();
            }
        }
        let mut passes: Vec<(Step, Vec<usize>)> = Vec::new();
        if let Some(unit) = self.lower {
            passes.push((Step::Substitute { upper: false, unit }, (0..panels.len()).collect()));
        }
        if let Some(unit) = self.upper {
            passes.push((Step::Substitute { upper: true, unit }, (0..panels.len()).rev().collect()));
        }
        for (step, order) in passes {
            for (value, &bytes) in values.iter_mut().zip(&bytes) {
                let layer = steps.layer(lowering, step);
                for &at in &order {
                    if bounds[at] < bounds[at + 1] {
                        *value = lowering.graph.task(layer, bounds[at] as u32, bytes, &[*value, panels[at]])?.into();
                    }
                }
            }
        }
        Ok(values)
    }
}
