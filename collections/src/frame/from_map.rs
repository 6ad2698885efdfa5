//! Frames of what a user's function reads.

use std::fmt::Display;
use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, Schema};
use talatat_graph::{Kernel, KernelError, Key, KeyBuilder};

use super::Frame;
use super::expr::FrameExpr;
use super::kernels::FromMapKernel;
use super::wire::unique;
use crate::error::{Error, Result};
use crate::lower::frame::FromMap;

/// A frame of what a function makes of each item, one partition each: a reader of one's own. Dask's `from_map`.
///
/// The function is called when the frame is computed, on any thread; what it gives must have the promised columns, in order. It gives all of them, whatever is used later: read fewer
/// columns in the function if that saves work. A closure cannot leave this process; for other processes use [`from_map_with`].
///
/// ```
/// use talatat_collections::frame::{DataType, PolarsError, Schema, df, from_map};
/// # use talatat::Compute;
/// let schema = Schema::from_iter([("year".into(), DataType::Int64), ("rain".into(), DataType::Float64)]);
/// let years = from_map([2022, 2023, 2024], |year: &i64| df!("year" => [*year; 12], "rain" => [0.5; 12]), &schema)?;
/// assert_eq!((years.partitions(), years.len().compute()?), (3, 36));
/// # Ok::<(), talatat_collections::Error>(())
/// ```
///
/// # Errors
/// If there is no item, or no column is promised.
#[track_caller]
pub fn from_map<T, F, E>(items: impl IntoIterator<Item = T>, function: F, schema: &Schema) -> Result<Frame>
where
    T: Send + Sync + 'static,
    F: Fn(&T) -> std::result::Result<DataFrame, E> + Send + Sync + 'static,
    E: Display,
{
    let items: Vec<T> = items.into_iter().collect();
    let count = items.len();
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}").to_string();
    let read = move |number: usize| match items.get(number) {
        Some(item) => function(item).map_err(|error| KernelError::new(format!("item {number}: {error}"))),
        None => Err(KernelError::new(format!("there is no item {number}"))),
    };
    let kernel = FromMapKernel { name, read, schema: schema.clone() };
    // A closure equals only itself.
    let identity = KeyBuilder::new("closure").number(unique()).finish();
    made(Arc::new(kernel), count, schema, identity, Location::caller())
}

/// A frame of what a kernel makes, as [`from_map`], by the number of the partition: it has no inputs and gives a [`Partition`](super::Partition) with the promised
/// columns. A kernel that is registered and encodes its parameters runs in other processes, too. `identity` names what it does: equal ones make equal
/// partitions.
///
/// ```
/// use std::sync::Arc;
/// use talatat_collections::frame::{DataType, Partition, Schema, df, from_map_with};
/// use talatat_graph::{Key, KernelError, Value, closure_kernel};
/// let kernel = closure_kernel("count", |task, _| {
///     Ok(Value::block(Partition(df!("n" => [task.block]).map_err(KernelError::from_source)?)))
/// });
/// let schema = Schema::from_iter([("n".into(), DataType::UInt64)]);
/// let numbers = from_map_with(Arc::new(kernel), 4, &schema, Key::of("count", &[]))?;
/// assert_eq!(numbers.partitions(), 4);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
///
/// # Errors
/// As [`from_map`].
#[track_caller]
pub fn from_map_with(kernel: Arc<dyn Kernel>, partitions: usize, schema: &Schema, identity: Key) -> Result<Frame> {
    made(kernel, partitions, schema, identity, Location::caller())
}

fn made(
    kernel: Arc<dyn Kernel>,
    partitions: usize,
    schema: &Schema,
    identity: Key,
    at: &'static Location<'static>,
) -> Result<Frame> {
    if partitions == 0 {
        return Err(Error::invalid_at("from_map", "there is no item; give at least one", at));
    }
    if schema.is_empty() {
        return Err(Error::invalid_at(
            "from_map",
            "no column is promised; give the schema of what the function returns",
            at,
        ));
    }
    let operation = FromMap { kernel, partitions, schema: Arc::new(schema.clone()), identity };
    Ok(Frame { node: FrameExpr::custom(Arc::new(operation), Vec::new(), at)? })
}
