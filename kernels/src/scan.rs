//! Running sums and products along an axis, in parts that can be computed apart from each other.
//!
//! The axis is cut into segments of [`SEGMENT`] elements at fixed places: at multiples of it, wherever blocks begin. Within a
//! segment elements are added one after the other; the sum of a segment is added to that of all before in twice the precision;
//! an element of the result is the rounded sum of both. So the bits are a function of the array alone, and segments can be
//! added side by side: the loops are not bound by the latency of an addition.
//!
//! [`scan`] takes a block after what the blocks before it handed on, and says what it hands on itself. Where blocks should not
//! wait for each other, the same comes of [`totals`] of the segments of each block and a [`carry`] from block to block, which is
//! small.
//!
//! Products of floats have no segments: a part of the axis may overflow where the whole does not.

mod loops;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::loops::{Parts, Products, Rule, Sheet, Sums, close_all, scan_columns, scan_row, total_columns, total_row};
use super::block::Block;
use super::dtype::{C64, C128, DType, Element, f16};
use super::error::{KernelError, Result};
use super::number::Number;
use super::pool;
use super::program::Arg;

/// How many elements are added one after the other.
pub const SEGMENT: usize = 128;

/// How many columns are worked on at once: their states stay in the first-level cache.
const TILE: usize = 512;

/// An operation whose every step is kept.
///
/// ```
/// use talatat_kernels::dtype::DType;
/// use talatat_kernels::scan::ScanOp;
/// assert!(ScanOp::Prod.is_chained(DType::F64) && !ScanOp::Sum.is_chained(DType::F64));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ScanOp {
    /// Running sum. Integers wrap.
    Sum,
    /// Running product. Integers wrap.
    Prod,
}

impl ScanOp {
    /// NumPy's name of the function.
    pub fn name(self) -> &'static str {
        match self {
            ScanOp::Sum => "cumsum",
            ScanOp::Prod => "cumprod",
        }
    }

    /// Whether blocks have to go one after the other: products of floats and complex numbers, which could overflow in a segment where the
    /// running product does not.
    pub fn is_chained(self, dtype: DType) -> bool {
        self == ScanOp::Prod && dtype.is_inexact()
    }
}

/// A block as `outer` sheets of `length` rows of `inner` elements.
#[derive(Clone, Copy)]
struct Extent {
    outer: usize,
    length: usize,
    inner: usize,
}

impl Extent {
    fn of(shape: &[usize], axis: usize) -> Result<Extent> {
        let length = *shape.get(axis).ok_or(KernelError::Axis { axis, ndim: shape.len() })?;
        Ok(Extent { outer: shape[..axis].iter().product(), length, inner: shape[axis + 1..].iter().product() })
    }

    /// The shape of a block with another length of the axis.
    fn with(shape: &[usize], axis: usize, length: usize) -> Vec<usize> {
        let mut shape = shape.to_vec();
        shape[axis] = length;
        shape
    }
}

/// Runs `$body` with the type and the rule of an operation; running results are made of 64-bit integers, floats and complex numbers only.
macro_rules! with_rule {
    ($op:expr, $dtype:expr, $T:ident, $R:ident => $body:expr) => {
        with_rule!(@ $op, $dtype, $T, $R, $body, I64 i64, U64 u64, F16 f16, F32 f32, F64 f64, C64 C64, C128 C128)
    };
    (@ $op:expr, $dtype:expr, $T:ident, $R:ident, $body:expr, $($variant:ident $rust:ty),*) => {
        match ($op, $dtype) {
            $(
                (ScanOp::Sum, DType::$variant) => { type $T = $rust; use Sums as $R; $body }
                (ScanOp::Prod, DType::$variant) => { type $T = $rust; use Products as $R; $body }
            )*
            (op, dtype) => Err(KernelError::DTypeUnsupported {
                operation: op.name(),
                dtype,
                help: "cast it to the type of its sum first",
            }),
        }
    };
}

/// The elements in row-major order.
fn rows_of<'a, T: Element>(block: &'a Block, packed: &'a Option<Block>) -> Result<&'a [T]> {
    rows(packed.as_ref().unwrap_or(block))
}

/// The elements of a block that is in row-major order.
fn rows<T: Element>(block: &Block) -> Result<&[T]> {
    let found = block.dtype();
    // The strides of an empty block may be anything.
    if block.is_empty() && found == T::DTYPE {
        return Ok(&[]);
    }
    block.memory().as_ref().and_then(T::slice).ok_or(KernelError::DTypeMismatch {
        operation: "scan",
        expected: T::DTYPE,
        found,
    })
}

fn fresh<T: Element>(shape: &[usize]) -> Vec<T> {
    pool::take::<T>(shape.iter().product())
}

/// The results of the segments that begin in a block: along the axis one for each that ends in it, and one more for what
/// the last one has in it. `origin` is the index of the block's first element along the axis.
///
/// # Errors
/// If the axis or the element type is none for it.
pub fn totals(op: ScanOp, block: &Block, axis: usize, origin: usize) -> Result<Block> {
    let extent = Extent::of(block.shape(), axis)?;
    let parts = Parts::new(origin, extent.length, false);
    let shape = Extent::with(block.shape(), axis, parts.full + 1);
    let packed = block.packed();
    with_rule!(op, block.dtype(), T, R => {
        let x = rows_of::<T>(block, &packed)?;
        let mut totals = fresh::<T>(&shape);
        let (size, count) = ((extent.length * extent.inner).max(1), ((parts.full + 1) * extent.inner).max(1));
        let sheets = x.chunks(size).chain(std::iter::repeat_n(&[][..], if x.is_empty() { extent.outer } else { 0 }));
        for (x, totals) in sheets.zip(totals.chunks_mut(count)) {
            if extent.inner == 1 {
                total_row::<T, R>(x, totals, parts, R);
            } else {
                let sheet = Sheet { inner: extent.inner, parts };
                for start in (0..extent.inner).step_by(TILE) {
                    total_columns::<T, R>(x, totals, sheet, start, TILE.min(extent.inner - start), R);
                }
            }
        }
        Block::from_vec(&shape, totals)
    })
}

/// The state of each line of a block: three rows, `hi`, `lo` and `local`, from a block of three rows along the axis.
fn states<T: Number, R: Rule<T>>(before: Option<&Block>, extent: Extent) -> Result<Vec<T>> {
    let mut state = fresh::<T>(&[extent.outer, 3, extent.inner]);
    match before {
        Some(before) => {
            let packed = before.packed();
            let from = rows_of::<T>(before, &packed)?;
            if from.len() != state.len() {
                return Err(KernelError::ShapeMismatch {
                    operation: "state of a scan".into(),
                    expected: vec![extent.outer, 3, extent.inner],
                    found: before.shape().to_vec(),
                });
            }
            state.copy_from_slice(from);
        }
        None => {
            for sheet in state.chunks_mut(3 * extent.inner.max(1)) {
                let (hi, rest) = sheet.split_at_mut(extent.inner);
                let (lo, local) = rest.split_at_mut(extent.inner);
                hi.fill(R::identity());
                lo.fill(T::ZERO);
                local.fill(R::identity());
            }
        }
    }
    Ok(state)
}

/// The three rows of one sheet's state.
fn three<T>(sheet: &mut [T], inner: usize) -> [&mut [T]; 3] {
    let (hi, rest) = sheet.split_at_mut(inner);
    let (lo, local) = rest.split_at_mut(inner);
    [hi, lo, local]
}

/// What the blocks up to this one hand on: from what those before it handed on (nothing for the first), its totals, and its
/// elements up to the first segment that begins in it.
///
/// # Errors
/// If the shapes or the element types do not fit together.
pub fn carry(
    op: ScanOp,
    before: Option<&Block>,
    totals: &Block,
    block: &Block,
    axis: usize,
    origin: usize,
) -> Result<Block> {
    let extent = Extent::of(block.shape(), axis)?;
    let parts = Parts::new(origin, extent.length, false);
    let expected = Extent::with(block.shape(), axis, parts.full + 1);
    if totals.shape() != expected {
        return Err(KernelError::ShapeMismatch {
            operation: "totals of a scan".into(),
            expected,
            found: totals.shape().to_vec(),
        });
    }
    let packed = (parts.head > 0).then(|| block.packed()).flatten();
    let packed_totals = totals.packed();
    with_rule!(op, block.dtype(), T, R => {
        let mut state = states::<T, R>(before, extent)?;
        let totals = rows_of::<T>(totals, &packed_totals)?;
        // A view that is not in order is only looked at if it has a head.
        let x = if parts.head > 0 { rows_of::<T>(block, &packed)? } else { &[] };
        let inner = extent.inner;
        for (outer, state) in state.chunks_mut(3 * inner.max(1)).enumerate() {
            let [hi, lo, local] = three(state, inner);
            for row in 0..parts.head {
                let at = (outer * extent.length + row) * inner;
                let row = x.get(at..at + inner).unwrap_or_default();
                local.iter_mut().zip(row).for_each(|(local, &x)| *local = R::join(*local, x));
            }
            if parts.closes {
                close_all::<T, R>(hi, lo, local);
            }
            let at = outer * (parts.full + 1) * inner;
            let totals = totals.get(at..at + (parts.full + 1) * inner).unwrap_or_default();
            for (number, total) in totals.chunks(inner.max(1)).enumerate() {
                local.iter_mut().zip(total).for_each(|(local, &total)| *local = R::join(*local, total));
                if number < parts.full {
                    close_all::<T, R>(hi, lo, local);
                }
            }
        }
        Block::from_vec(&Extent::with(block.shape(), axis, 3), state)
    })
}

/// The running results of a block, after what the blocks before it handed on, and what it hands on itself; in place if the block
/// is given up. Takes time in proportion to the elements.
///
/// ```
/// use talatat_kernels::scan::{ScanOp, scan};
/// use talatat_kernels::{Arg, Block};
/// let (a, b) = (Block::from_vec(&[2], vec![1.0, 2.0])?, Block::from_vec(&[2], vec![3.0, 4.0])?);
/// let [_, state] = scan(ScanOp::Sum, Arg::Dying(a), None, 0, 0)?;
/// let [sums, _] = scan(ScanOp::Sum, Arg::Dying(b), Some(&state), 0, 2)?;
/// assert_eq!(sums, Block::from_vec(&[2], vec![6.0, 10.0])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If the axis, the shapes or the element types do not fit.
pub fn scan(op: ScanOp, block: Arg<'_>, before: Option<&Block>, axis: usize, origin: usize) -> Result<[Block; 2]> {
    let given: &Block = match &block {
        Arg::Dying(block) => block,
        Arg::Borrowed(block) => block,
    };
    let (shape, dtype) = (given.shape().to_vec(), given.dtype());
    let extent = Extent::of(&shape, axis)?;
    let parts = Parts::new(origin, extent.length, op.is_chained(dtype));
    let packed = given.packed();
    with_rule!(op, dtype, T, R => {
        let mut state = states::<T, R>(before, extent)?;
        // A block that is given up, or had to be copied anyhow, is written over.
        let (own, source) = match (packed, block) {
            (Some(packed), _) => (Some(packed), None),
            (None, Arg::Dying(block)) => (Some(block), None),
            (None, Arg::Borrowed(block)) => (None, Some(block)),
        };
        // One that turns out to be shared is not.
        let mut own = own;
        let (mut out, shared) = match own.take_if(|own| own.memory_mut().is_some()) {
            Some(own) => (own, None),
            None => (Block::from_vec(&shape, fresh::<T>(&shape))?, own),
        };
        let source = shared.as_ref().or(source).map(rows::<T>).transpose()?;
        let mut view = out.view_mut::<T>()?;
        let rows = view.as_slice_mut().unwrap_or_default();
        let size = (extent.length * extent.inner).max(1);
        for (number, (rows, state)) in rows.chunks_mut(size).zip(state.chunks_mut(3 * extent.inner.max(1))).enumerate() {
            let source = source.and_then(|source| source.get(number * size..(number + 1) * size));
            let [hi, lo, local] = three(state, extent.inner);
            if let ([hi], [lo], [local]) = (&mut *hi, &mut *lo, &mut *local) {
                scan_row::<T, R>(rows, source, parts, [hi, lo, local], R);
                continue;
            }
            let sheet = Sheet { inner: extent.inner, parts };
            let tiles = hi.chunks_mut(TILE).zip(lo.chunks_mut(TILE)).zip(local.chunks_mut(TILE));
            for (tile, ((hi, lo), local)) in tiles.enumerate() {
                scan_columns::<T, R>(rows, source, sheet, tile * TILE, [hi, lo, local], R);
            }
        }
        Ok([out, Block::from_vec(&Extent::with(&shape, axis, 3), state)?])
    })
}
