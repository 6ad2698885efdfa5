//! QR factors of a tall matrix in chunks of rows: R by a tree, Q by the way back (Demmel, Grigori, Hoemmen and Langou, 2012).

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};
use talatat_linalg::eigen::{self, Scalar};
use talatat_linalg::qr::{Factors, apply_q, factor};
use talatat_linalg::{Matrix, Real};

use crate::array::dtype::{C64, C128, Complex, DType, Element};
use crate::array::expr::Expr;
use crate::array::kernels::Block;
use crate::error::Result;
use crate::lower::array::{Lowering, Operation, array, blocks, encode, layer, source_error};

pub(in crate::lower::array) const FACTOR: &str = "array.qr.factor";
pub(in crate::lower::array) const APPLY: &str = "array.qr.apply";

/// So many R are put under each other and factored.
const ARITY: usize = 8;

/// The parts that a task of `array.qr.factor` gives.
const BASIS: u32 = 0;
const COEFFICIENTS: u32 = 1;
const R: u32 = 2;

/// Runs `$body` with `$T` bound to the Rust type of a floating [`DType`].
macro_rules! with_real {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            other => Err(KernelError::new(format!("a matrix of {other}: linear algebra is on float32 and float64"))),
        }
    };
}
pub(in crate::lower::array) use with_real;

/// A block's elements in row-major order.
pub(in crate::lower::array) fn packed<'a, T: Element>(block: &'a Block) -> KernelResult<std::borrow::Cow<'a, [T]>> {
    let view = block.view::<T>().map_err(source_error)?;
    match view.to_slice() {
        Some(values) => Ok(values.into()),
        None => Ok(view.iter().copied().collect::<Vec<T>>().into()),
    }
}

/// Rows and columns of a block.
pub(in crate::lower::array) fn dims(block: &Block) -> KernelResult<(usize, usize)> {
    match block.shape() {
        &[rows, columns] => Ok((rows, columns)),
        shape => Err(KernelError::new(format!("a block of shape {shape:?} where a matrix was promised"))),
    }
}

/// `array.qr.factor`: factors the inputs, one under the other: the basis and its coefficients, and R.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Factor {
    pub(crate) dtype: DType,
}

impl Kernel for Factor {
    fn name(&self) -> &str {
        FACTOR
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        with_real!(self.dtype, T => {
            let parts: Vec<&Block> = inputs.iter().map(array).collect::<KernelResult<_>>()?;
            let columns = dims(parts.first().ok_or_else(|| KernelError::new("a factor of nothing"))?)?.1;
            let mut rows = 0;
            let mut stacked: Vec<T> = Vec::new();
            for part in &parts {
                let (own, width) = dims(part)?;
                if width != columns {
                    return Err(KernelError::new(format!("blocks of {width} and {columns} columns under each other")));
                }
                rows += own;
                if parts.len() > 1 {
                    stacked.extend_from_slice(&packed::<T>(part)?);
                }
            }
            let only = if parts.len() == 1 { packed::<T>(parts[0])? } else { stacked.into() };
            let (factors, r) = factor(Matrix::new(&only, rows, columns).map_err(source_error)?).map_err(source_error)?;
            let flat = |values: Vec<T>| Block::from_vec(&[values.len()], values).map_err(source_error);
            let r = Block::from_vec(&[rows.min(columns), columns], r).map_err(source_error)?;
            let parts = [flat(factors.basis)?, flat(factors.coefficients)?, r];
            Ok(Value::Parts(parts.into_iter().map(Value::block).collect()))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.qr.apply`: Q of a node of the tree times a matrix: rows of one that the node above gave, of one that is given, or of the
/// identity.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Apply {
    dtype: DType,
    /// For each task the rows and columns that were factored, and which rows of the last input are multiplied.
    nodes: Vec<(usize, usize, std::ops::Range<usize>)>,
}

impl Apply {
    fn product<T: Element + Real>(&self, block: u64, inputs: &[Value]) -> KernelResult<Value> {
        let node = self.nodes.get(block as usize).ok_or_else(|| KernelError::new("a node beyond its tree"))?;
        let (rows, columns, own) = node.clone();
        let [basis, coefficients, rest @ ..] = inputs else {
            return Err(KernelError::new("factors are missing"));
        };
        let factors = Factors {
            basis: packed::<T>(array(basis)?)?.into_owned(),
            coefficients: packed::<T>(array(coefficients)?)?.into_owned(),
        };
        let (top, width) = match rest.first() {
            Some(top) => {
                let top = array(top)?;
                let (height, width) = dims(top)?;
                if own.end > height {
                    return Err(KernelError::new(format!("rows {own:?} of {height}")));
                }
                let values = packed::<T>(top)?;
                (values[own.start * width..own.end * width].to_vec(), width)
            }
            None => {
                let size = own.len();
                let mut identity = vec![T::default(); size * size];
                identity.iter_mut().step_by(size + 1).for_each(|one| *one = <T as Real>::ONE);
                (identity, size)
            }
        };
        let top = Matrix::new(&top, own.len(), width).map_err(source_error)?;
        let values = apply_q(&factors, rows, columns, top).map_err(source_error)?;
        Ok(Value::block(Block::from_vec(&[rows, width], values).map_err(source_error)?))
    }
}

impl Kernel for Apply {
    fn name(&self) -> &str {
        APPLY
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        with_real!(self.dtype, T => self.product::<T>(task.block, inputs))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The tree over some numbers of rows, from the leaves up: each node has the rows it factors, and its parts' places among those.
struct Tree {
    /// The rows of the nodes of each level.
    levels: Vec<Vec<usize>>,
}

impl Tree {
    fn new(rows: impl Iterator<Item = usize>, columns: usize) -> Tree {
        let mut levels = vec![rows.collect::<Vec<_>>()];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let above = last.chunks(ARITY).map(|parts| parts.iter().map(|rows| rows.min(&columns)).sum());
            levels.push(above.collect());
        }
        Tree { levels }
    }

    /// Which rows of its parent's product a node multiplies.
    fn within(&self, level: usize, node: usize, columns: usize) -> std::ops::Range<usize> {
        let size = |rows: &usize| *rows.min(&columns);
        let first = node / ARITY * ARITY;
        let start: usize = self.levels[level][first..node].iter().map(size).sum();
        start..start + size(&self.levels[level][node])
    }
}

fn tree(expr: &Expr) -> Option<(Tree, usize)> {
    let [rows, columns] = expr.grid.axes() else { return None };
    let columns = columns.length()?;
    Some((Tree::new(rows.lengths()?.into_iter(), columns), columns))
}

/// R of a matrix in one chunk of columns: as one block.
impl Operation for Factor {
    fn name(&self) -> &'static str {
        "qr"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let Some(input) = expr.inputs.first() else { return Ok(Vec::new()) };
        let Some((tree, columns)) = tree(input) else { return Ok(Vec::new()) };
        let sources = blocks(lowering, input)?;
        let size = expr.dtype.size() as u64;
        let mut nodes: Vec<Edge> = Vec::new();
        let mut below: Vec<Edge> = sources.to_vec();
        let mut number = 0;
        let largest = tree.levels.iter().flatten().max().copied().unwrap_or(0);
        // Blocks that are put under each other, and one that is not in row-major order.
        let scratch = (largest * columns) as u64 * size;
        let layer = lowering.graph.layer(layer(expr, self.clone()).scratch(scratch).tiny(false));
        for (level, rows) in tree.levels.iter().enumerate() {
            let parts = if level == 0 { 1 } else { ARITY };
            let mut edges: Vec<Edge> = Vec::with_capacity(rows.len());
            for (parts, rows) in below.chunks(parts).zip(rows) {
                // The basis has a few rows more for each piece, R and the coefficients are small beside it.
                let bytes = ((rows + rows / 2 + 2 * columns) * columns) as u64 * size;
                let task = lowering.graph.task(layer, number, bytes, parts)?;
                number += 1;
                nodes.push(Edge::part_of(task, BASIS));
                nodes.push(Edge::part_of(task, COEFFICIENTS));
                edges.push(Edge::part_of(task, R));
            }
            below = edges;
        }
        // What Q is made of.
        lowering.note(factors_of(expr), nodes);
        Ok(below)
    }
}

fn factors_of(expr: &Expr) -> talatat_graph::Key {
    expr.key.combine(talatat_graph::Key::of(APPLY, &[]).bits())
}

/// Q times a matrix; the inputs are the array that was factored, R, and perhaps the matrix, in one block.
pub(crate) struct TallProduct;

impl Operation for TallProduct {
    fn name(&self) -> &'static str {
        "qr_product"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let [input, r, rest @ ..] = expr.inputs.as_slice() else { return Ok(Vec::new()) };
        let Some((tree, columns)) = tree(input) else { return Ok(Vec::new()) };
        let factors = blocks(lowering, r)
            .and_then(|_| lowering.seen(factors_of(r)).ok_or_else(|| lost("the factors of a matrix").into()))?;
        let top = match rest.first() {
            Some(top) => Some(*blocks(lowering, top)?.first().ok_or_else(|| lost("a matrix"))?),
            None => None,
        };
        let width = expr.grid.axes().last().and_then(|axis| axis.length()).unwrap_or(0);
        let size = expr.dtype.size() as u64;
        // The nodes are numbered from the leaves up, and made from the root down.
        let mut nodes = Vec::new();
        for (level, rows) in tree.levels.iter().enumerate() {
            for (node, &rows) in rows.iter().enumerate() {
                let own = match level + 1 < tree.levels.len() {
                    true => tree.within(level, node, columns),
                    false => 0..rows.min(columns),
                };
                nodes.push((rows, columns, own));
            }
        }
        let largest = nodes.iter().map(|(rows, ..)| *rows).max().unwrap_or(0);
        // The factors again, and a piece.
        let scratch = 2 * (largest * (columns + columns / 2 + width)) as u64 * size;
        let layer = layer(expr, Apply { dtype: expr.dtype, nodes: nodes.clone() }).scratch(scratch).tiny(false);
        let layer = lowering.graph.layer(layer);
        let mut above: Vec<Edge> = Vec::new();
        let mut begin = nodes.len();
        for (level, rows) in tree.levels.iter().enumerate().rev() {
            begin -= rows.len();
            let mut made = Vec::with_capacity(rows.len());
            for node in 0..rows.len() {
                let number = begin + node;
                let root = level + 1 == tree.levels.len();
                let mut edges: SmallVec<[Edge; 3]> = factors[2 * number..2 * number + 2].into();
                edges.extend(if root { top } else { above.get(node / ARITY).copied() });
                let bytes = (nodes[number].0 * width) as u64 * size;
                made.push(lowering.graph.task(layer, number as u32, bytes, &edges)?.into());
            }
            above = made;
        }
        Ok(above)
    }
}

fn lost(what: &str) -> talatat_graph::Error {
    talatat_graph::Error::InvalidGraph(format!("{what} was not lowered"))
}

/// What is done to a matrix in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Whole {
    /// `U`, the singular values, `V` transposed.
    Svd,
    /// Eigenvalues and eigenvectors of a symmetric matrix, from its lower or upper triangle.
    Eigh { upper: bool },
    /// Eigenvalues of a symmetric matrix.
    Eigvalsh { upper: bool },
    /// Eigenvalues and eigenvectors of any square matrix.
    Eig,
    /// Eigenvalues of any square matrix.
    Eigvals,
}

/// `array.dense`: decompositions of a matrix in one block; gives parts.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Dense {
    pub(crate) what: Whole,
    pub(crate) dtype: DType,
}

pub(in crate::lower::array) const DENSE: &str = "array.dense";

impl Dense {
    /// Eigenvalues, and eigenvectors if they are asked for: complex ones, whatever the matrix is made of.
    fn eigen<T: Element + Scalar>(&self, block: &Block) -> KernelResult<Value>
    where
        Complex<T::Part>: Element,
    {
        let (rows, columns) = dims(block)?;
        let values = packed::<T>(block)?;
        let matrix = Matrix::new(&values, rows, columns).map_err(source_error)?;
        let flat = |values: Vec<_>| Block::from_vec(&[values.len()], values).map_err(source_error);
        let parts = if self.what == Whole::Eig {
            let (values, vectors) = eigen::eigen(matrix).map_err(source_error)?;
            vec![flat(values)?, Block::from_vec(&[rows, rows], vectors).map_err(source_error)?]
        } else {
            vec![flat(eigen::eigenvalues(matrix).map_err(source_error)?)?]
        };
        Ok(together(parts.into_iter().map(Value::block).collect()))
    }
}

/// One part is the result itself.
fn together(mut parts: Vec<Value>) -> Value {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => Value::Parts(parts.into_iter().chain(last).collect()),
    }
}

impl Kernel for Dense {
    fn name(&self) -> &str {
        DENSE
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let block = array(inputs.first().ok_or_else(|| KernelError::new("no matrix"))?)?;
        let (rows, columns) = dims(block)?;
        match (self.what, self.dtype) {
            (Whole::Eig | Whole::Eigvals, DType::C64) => return self.eigen::<C64>(block),
            (Whole::Eig | Whole::Eigvals, DType::C128) => return self.eigen::<C128>(block),
            _ => {}
        }
        with_real!(self.dtype, T => {
            if matches!(self.what, Whole::Eig | Whole::Eigvals) {
                return self.eigen::<T>(block);
            }
            let values = packed::<T>(block)?;
            let matrix = Matrix::new(&values, rows, columns).map_err(source_error)?;
            let block = |shape: &[usize], values: Vec<T>| -> KernelResult<Value> {
                Ok(Value::block(Block::from_vec(shape, values).map_err(source_error)?))
            };
            let k = rows.min(columns);
            let parts = match self.what {
                Whole::Svd => {
                    let (u, s, vt) = talatat_linalg::dense::svd(matrix).map_err(source_error)?;
                    vec![block(&[rows, k], u)?, block(&[k], s)?, block(&[k, columns], vt)?]
                }
                Whole::Eigh { upper } => {
                    let (values, vectors) = talatat_linalg::dense::eigh(matrix, upper, true).map_err(source_error)?;
                    vec![block(&[k], values)?, block(&[k, k], vectors)?]
                }
                Whole::Eigvalsh { upper } => {
                    let (values, _) = talatat_linalg::dense::eigh(matrix, upper, false).map_err(source_error)?;
                    vec![block(&[k], values)?]
                }
                Whole::Eig | Whole::Eigvals => Vec::new(),
            };
            Ok(together(parts))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Operation for Dense {
    fn name(&self) -> &'static str {
        match self.what {
            Whole::Svd => "svd",
            Whole::Eigh { .. } => "eigh",
            Whole::Eigvalsh { .. } => "eigvalsh",
            Whole::Eig => "eig",
            Whole::Eigvals => "eigvals",
        }
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.what)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let Some(input) = expr.inputs.first() else { return Ok(Vec::new()) };
        let source = blocks(lowering, input)?;
        // The parts, and about as much again while they are made.
        let bytes = 3 * input.block_bytes(&input.grid.place(0));
        // Complex numbers are twice as large, and the matrix is copied to its triangular form.
        let scratch = if matches!(self.what, Whole::Eig | Whole::Eigvals) { 2 * bytes } else { bytes };
        let layer = lowering.graph.layer(layer(expr, self.clone()).scratch(scratch).tiny(false));
        Ok(vec![lowering.graph.task(layer, 0, bytes, &source)?.into()])
    }
}
