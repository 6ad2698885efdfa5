//! Frames of delayed values.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, Schema, SchemaRef};
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, Layer, TaskContext, Value};

use super::expr::{Facts, FrameExpr, Op};
use super::step::{columns, row_bytes};
use super::{Frame, Partition};
use crate::collection::Collection;
use crate::delayed::{Delayed, Payload};
use crate::error::{Error, Result};
use crate::lower::{Foreign, Lowering};

/// Bytes that a partition is taken to have: nothing is known of what a call gives.
const GUESS: u64 = 32 << 20;

/// A frame whose partitions are delayed values, in their order: Dask's `from_delayed`. The calls become tasks of the same graph.
///
/// Delayed values cannot leave this process.
///
/// # Errors
/// If there is no value, or no column is promised; one that has other columns than promised is an error of the run.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::frame::{DataType, Schema, df, from_delayed};
/// let read = delayed(|year: i64| df!("year" => [year; 2]).unwrap());
/// let schema = Schema::from_iter([("year".into(), DataType::Int64)]);
/// let years = from_delayed([read.call(2022_i64), read.call(2023_i64)], &schema)?;
/// assert!(years.compute()?.equals(&df!("year" => [2022_i64, 2022, 2023, 2023]).unwrap()));
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn from_delayed(parts: impl IntoIterator<Item = Delayed<DataFrame>>, schema: &Schema) -> Result<Frame> {
    let location = Location::caller();
    let parts: Vec<Delayed<DataFrame>> = parts.into_iter().collect();
    if parts.is_empty() || schema.is_empty() {
        let reason = match parts.is_empty() {
            true => "there is no delayed value; give at least one",
            false => "no column is promised; give the schema of the values",
        };
        return Err(Error::invalid_at("from_delayed", reason, location));
    }
    let schema: SchemaRef = Arc::new(schema.clone());
    let key = parts.iter().fold(KeyBuilder::new(FromDelayedKernel::NAME), |key, part| key.key(part.key())).finish();
    let (partitions, rows) = (parts.len(), GUESS / row_bytes(&schema).max(1));
    let values = DelayedParts { parts, schema: schema.clone(), location };
    Ok(Frame {
        node: Arc::new(FrameExpr {
            op: Op::Foreign(Arc::new(values)),
            inputs: Vec::new(),
            schema,
            key,
            partitions,
            rows,
            facts: Facts::default(),
            location,
        }),
    })
}

struct DelayedParts {
    parts: Vec<Delayed<DataFrame>>,
    schema: SchemaRef,
    location: &'static Location<'static>,
}

impl Foreign for DelayedParts {
    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let kernel = Arc::new(FromDelayedKernel { schema: self.schema.clone() });
        let key = self.parts.iter().fold(KeyBuilder::new("frame.from_delayed.parts"), |key, part| key.key(part.key()));
        let mut values = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            values.extend(part.lower(lowering)?);
        }
        let layer = lowering.graph.layer(Layer::new(key.finish(), kernel).at(self.location));
        let tasks = (0..).zip(values);
        tasks.map(|(block, value)| Ok(lowering.graph.task(layer, block, GUESS, &[value])?.into())).collect()
    }

    fn describe(&self) -> String {
        format!("from_delayed: {} partitions", self.parts.len())
    }
}

/// A value of a delayed call as a partition.
struct FromDelayedKernel {
    schema: SchemaRef,
}

impl FromDelayedKernel {
    const NAME: &'static str = "frame.from_delayed";
}

impl Kernel for FromDelayedKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let value = inputs.first_mut().ok_or_else(|| KernelError::new("the delayed value is missing"))?;
        let frame = DataFrame::from_value(std::mem::take(value))?;
        if **frame.schema() != *self.schema {
            let (found, wanted) = (columns(frame.schema()), columns(&self.schema));
            return Err(KernelError::new(format!("a value has the columns {found}, but {wanted} were promised")));
        }
        Ok(Value::block(Partition(frame)))
    }
}
