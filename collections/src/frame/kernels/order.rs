//! The order of rows over partitions: samples, splitters, and the search for a row's place among them.
//!
//! A few rows of each partition, chosen at random but always the same ones, say where to cut: they are put in order, and those that stand
//! at even distances become the splitters. Rows that are equal in all keys are told apart by the partition and the row they come from,
//! so a value that fills half of a frame fills half of the parts, and a sort is stable.

use polars::prelude::row_encode::_get_rows_encoded_ca;
use polars::prelude::{
    BinaryOffsetChunked, Column, DataFrame, DataType, IdxCa, IdxSize, IntoColumn, NamedFrom, PlSmallStr, PolarsResult,
    Series, SortMultipleOptions,
};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// An order of rows by columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) keys: Vec<OrderKey>,
    /// Whether equal rows may go to different parts, in the order of partitions and rows. If not, they are kept together.
    pub(crate) ties: bool,
}

/// One column of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrderKey {
    pub(crate) column: String,
    pub(crate) descending: bool,
    pub(crate) nulls_last: bool,
}

/// What tells equal rows apart: the partition they come from, and the row in it.
type Origin = (u64, u64);

/// Names of the columns that tables of samples and splitters have behind the keys.
const PARTITION: &str = "partition";
const ROW: &str = "row";
const WEIGHT: &str = "weight";

impl Order {
    /// By one column, missing values last.
    pub(crate) fn ascending(column: &str) -> Order {
        let key = OrderKey { column: column.into(), descending: false, nulls_last: true };
        Order { keys: vec![key], ties: true }
    }

    pub(crate) fn describe(&self) -> String {
        let keys = self.keys.iter().map(|key| match key.descending {
            true => format!("{} descending", key.column),
            false => key.column.clone(),
        });
        keys.collect::<Vec<_>>().join(", ")
    }

    fn descending(&self) -> Vec<bool> {
        self.keys.iter().map(|key| key.descending).collect()
    }

    fn nulls_last(&self) -> Vec<bool> {
        self.keys.iter().map(|key| key.nulls_last).collect()
    }

    fn columns<'a>(&self, frame: &'a DataFrame) -> PolarsResult<Vec<&'a Column>> {
        self.keys.iter().map(|key| frame.column(&key.column)).collect()
    }

    /// The order in the names of tables of samples and splitters.
    fn of_samples(&self) -> Order {
        let key = |(at, key): (usize, &OrderKey)| OrderKey { column: format!("key {at}"), ..key.clone() };
        Order { keys: self.keys.iter().enumerate().map(key).collect(), ties: self.ties }
    }

    /// The frame in order; equal rows stay in theirs.
    pub(crate) fn sort(&self, frame: &DataFrame) -> PolarsResult<DataFrame> {
        let options = SortMultipleOptions::default()
            .with_order_descending_multi(self.descending())
            .with_nulls_last_multi(self.nulls_last())
            .with_maintain_order(true)
            .with_multithreaded(false);
        frame.sort(self.keys.iter().map(|key| key.column.as_str()), options)
    }

    /// Whether the rows are in order.
    pub(crate) fn holds(&self, frame: &DataFrame) -> PolarsResult<bool> {
        let keys = self.columns(frame)?.into_iter().cloned().collect();
        let keys = DataFrame::new(frame.height(), keys)?;
        // Sorting what is sorted takes one pass.
        Ok(self.sort(&keys)?.equals_missing(&keys))
    }

    /// The part of each row: how many splitters are not behind it.
    pub(crate) fn parts(&self, frame: &DataFrame, block: u64, splitters: &DataFrame) -> PolarsResult<Vec<u32>> {
        let rows = self.columns(frame)?;
        let named = self.of_samples();
        let cuts = named.columns(splitters)?;
        let origins = match self.ties {
            true => Some(origins(splitters)?),
            false => None,
        };
        let first = match (rows.first(), cuts.first(), self.keys.first()) {
            (Some(rows), Some(cuts), Some(key)) => {
                Numbers::of(rows, key)?.zip(Numbers::of(cuts, key)?).map(|found| (found, key))
            }
            _ => None,
        };
        let Some(((values, splitters), key)) = first else {
            return self.places_by_bytes((0..frame.height() as u64).collect(), &rows, &cuts, &origins, block);
        };
        if rows.len() == 1 && values.nulls.is_none() && splitters.nulls.is_none() {
            let splitters: Vec<&u64> = splitters.values.iter().collect();
            return Ok(places((0..).zip(values.values.iter()), &splitters, &origins, block));
        }
        let splitters: Vec<(bool, u64)> = splitters.keys(key).collect();
        if rows.len() == 1 {
            return Ok(places((0..).zip(values.keys(key)), &splitters, &origins, block));
        }
        // The first key alone tells for all rows but those in which it equals a splitter's.
        let mut numbers = places((0..).zip(values.keys(key)), &splitters, &None, block);
        let same = |(number, value): (&u32, (bool, u64))| {
            (*number as usize).checked_sub(1).and_then(|last| splitters.get(last)) == Some(&value)
        };
        let tied = numbers.iter().zip(values.keys(key)).enumerate().filter(|(_, row)| same(*row));
        let tied: Vec<u64> = tied.map(|(row, _)| row as u64).collect();
        let index = IdxCa::from_vec(PlSmallStr::EMPTY, tied.iter().map(|&row| row as IdxSize).collect());
        let rows = rows.into_iter().map(|column| column.take(&index)).collect::<PolarsResult<Vec<_>>>()?;
        let rows: Vec<&Column> = rows.iter().collect();
        let exact = self.places_by_bytes(tied.clone(), &rows, &cuts, &origins, block)?;
        for (row, number) in tied.into_iter().zip(exact) {
            if let Some(slot) = numbers.get_mut(row as usize) {
                *slot = number;
            }
        }
        Ok(numbers)
    }

    /// The places of some rows by all keys.
    fn places_by_bytes(
        &self,
        numbers: Vec<u64>,
        rows: &[&Column],
        splitters: &[&Column],
        origins: &Option<Vec<Origin>>,
        block: u64,
    ) -> PolarsResult<Vec<u32>> {
        let (rows, splitters) = (self.encoded(rows)?, self.encoded(splitters)?);
        let splitters: Vec<&[u8]> = splitters.downcast_iter().flat_map(|array| array.values_iter()).collect();
        let rows = rows.downcast_iter().flat_map(|array| array.values_iter());
        Ok(places(numbers.into_iter().zip(rows), &splitters, origins, block))
    }

    /// Bytes that compare as rows do.
    fn encoded(&self, columns: &[&Column]) -> PolarsResult<BinaryOffsetChunked> {
        let columns: Vec<Column> = columns.iter().map(|&column| column.clone()).collect();
        _get_rows_encoded_ca(PlSmallStr::EMPTY, &columns, &self.descending(), &self.nulls_last(), false)
    }
}

/// A column of numbers as unsigned integers that compare as they do.
struct Numbers {
    values: Vec<u64>,
    nulls: Option<Vec<bool>>,
}

impl Numbers {
    /// `None` if the column is not of numbers or times of at most 64 bits.
    fn of(column: &Column, key: &OrderKey) -> PolarsResult<Option<Numbers>> {
        const SIGN: u64 = 1 << 63;
        if matches!(column.dtype(), DataType::Categorical(..) | DataType::Enum(..) | DataType::Decimal(..)) {
            return Ok(None);
        }
        let column = column.to_physical_repr();
        let dtype = column.dtype();
        let values: Vec<u64> = if dtype.is_float() {
            let column = column.cast(&DataType::Float64)?;
            let bits = |value: f64| match (value.is_nan(), (value + 0.0).to_bits()) {
                (true, _) => u64::MAX,
                (false, bits) if bits & SIGN != 0 => !bits,
                (false, bits) => bits | SIGN,
            };
            column.f64()?.iter().map(|value| bits(value.unwrap_or(0.0))).collect()
        } else if dtype.is_unsigned_integer() && *dtype != DataType::UInt128 {
            column.cast(&DataType::UInt64)?.u64()?.iter().map(|value| value.unwrap_or(0)).collect()
        } else if dtype.is_signed_integer() && *dtype != DataType::Int128 || dtype.is_bool() {
            let column = column.cast(&DataType::Int64)?;
            column.i64()?.iter().map(|value| value.unwrap_or(0) as u64 ^ SIGN).collect()
        } else {
            return Ok(None);
        };
        let values = if key.descending { values.into_iter().map(|value| !value).collect() } else { values };
        let nulls = (column.null_count() > 0).then(|| column.is_null().iter().map(|null| null == Some(true)).collect());
        Ok(Some(Numbers { values, nulls }))
    }

    /// Values with their nulls: those compare as the first or the last of all, whether the order is descending or not.
    fn keys(&self, key: &OrderKey) -> impl Iterator<Item = (bool, u64)> {
        let last = key.nulls_last;
        self.values.iter().enumerate().map(move |(row, &value)| {
            match self.nulls.as_ref().and_then(|nulls| nulls.get(row)) == Some(&true) {
                true => (last, 0),
                false => (!last, value),
            }
        })
    }
}

fn origins(splitters: &DataFrame) -> PolarsResult<Vec<Origin>> {
    let (partitions, rows) = (splitters.column(PARTITION)?.u64()?, splitters.column(ROW)?.u64()?);
    Ok(partitions.iter().zip(rows.iter()).map(|(partition, row)| (partition.unwrap_or(0), row.unwrap_or(0))).collect())
}

/// The place of each row among sorted splitters; rows that equal a splitter go by their origins.
fn places<K: Ord>(
    rows: impl Iterator<Item = (u64, K)>,
    splitters: &[K],
    origins: &Option<Vec<Origin>>,
    block: u64,
) -> Vec<u32> {
    let place = |(row, key): (u64, K)| {
        let end = splitters.partition_point(|splitter| *splitter <= key);
        let equal = end.checked_sub(1).and_then(|last| splitters.get(last)) == Some(&key);
        let Some(origins) = origins.as_ref().filter(|_| equal) else { return end as u32 };
        let start = splitters.partition_point(|splitter| *splitter < key);
        let tied = origins.get(start..end).unwrap_or_default();
        (start + tied.partition_point(|origin| *origin <= (block, row))) as u32
    };
    rows.map(place).collect()
}

/// Rows of a partition, chosen at random, with where they come from and how many rows each stands for.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SampleKernel {
    pub(crate) order: Order,
    pub(crate) rows: u32,
}

impl SampleKernel {
    pub(crate) const NAME: &'static str = "frame.sort.sample";

    pub(crate) fn sample(&self, block: u64, frame: &DataFrame) -> PolarsResult<DataFrame> {
        let (rows, weights) = spread(block, frame.height() as u64, u64::from(self.rows));
        let count = rows.len();
        let index = IdxCa::from_vec(PlSmallStr::EMPTY, rows.iter().map(|&row| row as IdxSize).collect());
        let keys = self.order.columns(frame)?.into_iter().enumerate();
        let keys = keys.map(|(at, column)| Ok(column.take(&index)?.with_name(format!("key {at}").into())));
        let mut columns = keys.collect::<PolarsResult<Vec<_>>>()?;
        let number = |name: &str, values: Vec<u64>| Series::new(name.into(), values).into_column();
        columns.push(number(PARTITION, vec![block; count]));
        columns.push(number(ROW, rows));
        columns.push(number(WEIGHT, weights));
        DataFrame::new(count, columns)
    }
}

/// Rows of a partition chosen at random, always the same ones, and how many each stands for.
pub(super) fn spread(block: u64, height: u64, most: u64) -> (Vec<u64>, Vec<u64>) {
    let count = height.min(most);
    let start = |at: u64| (u128::from(at) * u128::from(height) / u128::from(count.max(1))) as u64;
    // One row of each stretch: even distances alone would meet what is periodic.
    let row = |at: u64| start(at) + scattered(block, at) % (start(at + 1) - start(at));
    ((0..count).map(row).collect(), (0..count).map(|at| start(at + 1) - start(at)).collect())
}

/// A number that looks random and is always the same: the finalizer of SplitMix64.
fn scattered(block: u64, at: u64) -> u64 {
    let mut x = (block << 32 ^ at).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Kernel for SampleKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frame = Partition::take(inputs.first_mut().ok_or_else(|| missing("the partition"))?)?;
        let table = alone(|| self.sample(task.block, &frame)).map_err(failed)?;
        Ok(Value::block(Partition(table)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// The table of splitters from the samples of all partitions: `parts - 1` rows, at even distances by the rows they stand for.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SplittersKernel {
    pub(crate) order: Order,
    pub(crate) parts: u32,
}

impl SplittersKernel {
    pub(crate) const NAME: &'static str = "frame.sort.splitters";

    pub(crate) fn splitters(&self, samples: Vec<DataFrame>) -> PolarsResult<DataFrame> {
        let mut order = self.order.of_samples();
        let origin = |column: &str| OrderKey { column: column.into(), descending: false, nulls_last: true };
        order.keys.extend([origin(PARTITION), origin(ROW)]);
        let samples = order.sort(&join(samples)?)?;
        if samples.height() == 0 {
            return Ok(samples);
        }
        let weights = samples.column(WEIGHT)?.u64()?;
        let mut ends: Vec<u128> = Vec::with_capacity(weights.len());
        for weight in weights.iter() {
            ends.push(ends.last().copied().unwrap_or(0) + u128::from(weight.unwrap_or(0)));
        }
        let total = ends.last().copied().unwrap_or(0);
        let parts = u128::from(self.parts);
        // The part begins with the first sample that has its share of rows before it.
        let first = |part: u128| ends.partition_point(|&end| end * parts < part * total) + 1;
        let rows = (1..parts).map(first).filter(|&row| row < samples.height());
        samples.take(&IdxCa::from_vec(PlSmallStr::EMPTY, rows.map(|row| row as IdxSize).collect()))
    }
}

impl Kernel for SplittersKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let samples = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
        Ok(Value::block(Partition(alone(|| self.splitters(samples)).map_err(failed)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
