//! Columns of frames as arrays, and arrays as columns.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{Column, DataFrame, DataType, NamedFrom, Schema, Series};
use serde::{Deserialize, Serialize};
use talatat_graph::{
    Edge, Error as GraphError, Kernel, KernelError, KernelResult, KeyBuilder, Layer, Registry, TaskContext, Value,
};

use crate::array::Array;
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Grid, shape_text};
use crate::array::kernels::Block;
use crate::collection::Collection;
use crate::error::{Error, Result};
use crate::frame::expr::{Facts, FrameExpr, Op as FrameOp};
use crate::frame::{Frame, Partition, col};
use crate::lower::{Foreign, Lowering, lower_array};

const TO_ARRAY: &str = "bridge.to_array";
const TO_COLUMN: &str = "bridge.to_column";

pub(crate) fn register(registry: Registry) -> Registry {
    registry.kernel::<ToArray>(TO_ARRAY).kernel::<ToColumn>(TO_COLUMN)
}

/// Calls a macro with the types that both sides have: element type, polars' type, its accessor.
macro_rules! for_each_shared {
    ($callback:ident) => {
        $callback! {
            Bool, Boolean, bool;
            I32, Int32, i32;
            I64, Int64, i64;
            U32, UInt32, u32;
            U64, UInt64, u64;
            F32, Float32, f32;
            F64, Float64, f64;
        }
    };
}

macro_rules! define_types {
    ($($dtype:ident, $polars:ident, $accessor:ident;)*) => {
        fn polars_type(dtype: DType) -> Option<DataType> {
            match dtype { $(DType::$dtype => Some(DataType::$polars),)* _ => None }
        }
    };
}

for_each_shared!(define_types);

impl Frame {
    /// A column as an array of one axis, a block a partition. How long the blocks are is known only when they are computed;
    /// columns of one frame have the same lengths and can be computed with each other.
    ///
    /// A missing value becomes NaN in arrays of floats; in others it is an error when computed: fill or drop them first.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 3.0], "y" => [0.5, 0.5, 0.5]).unwrap(), 2);
    /// let product = frame.column_array::<f64>("x")? * frame.column_array::<f64>("y")?;
    /// assert_eq!(product.sum(..)?.item()?.compute()?, 3.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such column, or it is of another type than `T`: select a cast of it first.
    #[track_caller]
    pub fn column_array<T: Element>(&self, column: &str) -> Result<Array<T>> {
        let at = Location::caller();
        let frame = self.select([col(column)])?;
        let found = frame.schema().get(column).cloned();
        if found != polars_type(T::DTYPE) || found.is_none() {
            let found = found.map_or_else(|| "of unknown type".to_string(), |found| found.to_string());
            let reason = format!("column {column:?} is {found}, not {}: select a cast of it first", T::DTYPE);
            return Err(Error::invalid_at("column_array", reason, at));
        }
        // The rows are those of the whole frame, whichever column is taken.
        let axis = Axis::Unknown { origin: self.key(), chunks: self.partitions() };
        let content = KeyBuilder::new(TO_ARRAY).key(frame.key()).finish();
        let blocks = Arc::new(ColumnOfFrame { frame, dtype: T::DTYPE, column: column.to_string() });
        Ok(Array::from_expr(Expr::source(T::DTYPE, Grid::new([axis]), Op::Foreign(blocks), content, at)))
    }

    /// An array of one axis as a frame of one column, a partition a block.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::frame::Frame;
    /// let x = talatat::array::linspace(0.0, 1.0, 5)?.rechunk(2)?;
    /// let frame = Frame::from_array("x", &x)?;
    /// assert_eq!((frame.partitions(), frame.compute()?.height()), (3, 5));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array has not exactly one axis, or its type is none that frames have (integers of 8 and 16 bits: use `astype`).
    #[track_caller]
    pub fn from_array<T: Element>(name: &str, array: &Array<T>) -> Result<Frame> {
        let at = Location::caller();
        let expr = array.expr()?.clone();
        let wrong = |reason: String| Error::invalid_at("from_array", reason, at);
        let [axis] = expr.grid.axes() else {
            return Err(wrong(format!("an array of shape {} is no column: it needs one axis", shape_text(&expr.grid))));
        };
        let dtype = polars_type(T::DTYPE).ok_or_else(|| wrong(format!("frames have no {}: use astype", T::DTYPE)))?;
        let rows = axis.longest().unwrap_or(1_000_000) as u64;
        let node = FrameExpr {
            schema: Arc::new(Schema::from_iter([(name.into(), dtype)])),
            key: KeyBuilder::new(TO_COLUMN).key(expr.key).bytes(name.as_bytes()).finish(),
            partitions: axis.chunks(),
            rows,
            inputs: Vec::new(),
            facts: Facts::default(),
            location: at,
            op: FrameOp::Foreign(Arc::new(ArrayAsColumn { expr, name: name.to_string(), dtype: T::DTYPE })),
        };
        Ok(Frame { node: Arc::new(node) })
    }
}

/// A task of `kernel` for each block.
fn one_each(lowering: &mut Lowering, layer: Layer, blocks: &[Edge], bytes: impl Fn(usize) -> u64) -> Result<Vec<Edge>> {
    let layer = lowering.graph.layer(layer);
    let tasks = blocks.iter().enumerate();
    tasks.map(|(block, edge)| Ok(lowering.graph.task(layer, block as u32, bytes(block), &[*edge])?.into())).collect()
}

struct ColumnOfFrame {
    frame: Frame,
    dtype: DType,
    column: String,
}

impl Foreign for ColumnOfFrame {
    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let blocks = self.frame.lower(lowering)?;
        let key = KeyBuilder::new(TO_ARRAY).key(self.frame.key()).finish();
        let layer = Layer::new(key, Arc::new(ToArray { dtype: self.dtype })).at(self.frame.node.location);
        let bytes = self.frame.partition_bytes();
        one_each(lowering, layer, &blocks, |_| bytes)
    }

    fn describe(&self) -> String {
        format!("column {:?} of a frame of {} partitions", self.column, self.frame.partitions())
    }
}

struct ArrayAsColumn {
    expr: ExprRef,
    name: String,
    dtype: DType,
}

impl Foreign for ArrayAsColumn {
    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let expr = crate::array::rewrite::rewrite(&self.expr, &lowering.options.skip_rewrites);
        let blocks = lower_array(lowering, &expr)?;
        let key = KeyBuilder::new(TO_COLUMN).key(expr.key).bytes(self.name.as_bytes()).finish();
        let kernel = ToColumn { name: self.name.clone(), dtype: self.dtype };
        let layer = Layer::new(key, Arc::new(kernel)).at(expr.location);
        one_each(lowering, layer, &blocks, |block| expr.block_bytes(&[block]))
    }

    fn describe(&self) -> String {
        format!("column {:?} of an array of shape {}", self.name, shape_text(&self.expr.grid))
    }
}

fn encode<T: Serialize>(kernel: &T, name: &str) -> talatat_graph::Result<Vec<u8>> {
    let reason = |error: postcard::Error| GraphError::NotPortable { operation: name.into(), reason: error.to_string() };
    postcard::to_stdvec(kernel).map_err(reason)
}

/// The only column of a partition as a block.
#[derive(Serialize, Deserialize)]
struct ToArray {
    dtype: DType,
}

impl Kernel for ToArray {
    fn name(&self) -> &str {
        TO_ARRAY
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let input = inputs.first_mut().ok_or_else(|| KernelError::new("there is no partition"))?;
        let frame = Partition::take(input)?;
        let [column] = frame.columns() else {
            return Err(KernelError::new(format!("a partition of {} columns where one was promised", frame.width())));
        };
        let series = column.as_materialized_series();
        let missing = series.null_count();
        if missing > 0 && !self.dtype.is_float() {
            let reason =
                format!("column {:?} has {missing} missing values, which {} cannot hold", series.name(), self.dtype);
            return Err(KernelError::new(format!("{reason}: fill or drop them first")));
        }
        macro_rules! elements {
            ($($dtype:ident, $polars:ident, $accessor:ident;)*) => {
                match self.dtype {
                    $(DType::$dtype => {
                        let values = series.$accessor().map_err(KernelError::from_source)?;
                        let values: Vec<$accessor> = values.iter().map(|value| value.unwrap_or(missing_value())).collect();
                        Block::from_vec(&[values.len()], values).map_err(KernelError::from_source)?
                    })*
                    other => return Err(KernelError::new(format!("frames have no {other}"))),
                }
            };
        }
        Ok(Value::block(for_each_shared!(elements)))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self, TO_ARRAY)
    }
}

/// What stands for a missing value: NaN. Types without it never ask.
fn missing_value<T: Element>() -> T {
    crate::array::kernels::Scalar::from(f64::NAN).get()
}

/// A block of one axis as a partition of one column.
#[derive(Serialize, Deserialize)]
struct ToColumn {
    name: String,
    dtype: DType,
}

impl Kernel for ToColumn {
    fn name(&self) -> &str {
        TO_COLUMN
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let input = inputs.first().ok_or_else(|| KernelError::new("there is no block"))?;
        let block = input.get::<Block>()?;
        macro_rules! columns {
            ($($dtype:ident, $polars:ident, $accessor:ident;)*) => {
                match self.dtype {
                    $(DType::$dtype => {
                        let view = block.view::<$accessor>().map_err(KernelError::from_source)?;
                        let values: Vec<$accessor> = view.iter().copied().collect();
                        Series::new(self.name.as_str().into(), values)
                    })*
                    other => return Err(KernelError::new(format!("frames have no {other}"))),
                }
            };
        }
        let column: Column = for_each_shared!(columns).into();
        let frame = DataFrame::new(block.len(), vec![column]).map_err(KernelError::from_source)?;
        Ok(Value::block(Partition(frame)))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self, TO_COLUMN)
    }
}
