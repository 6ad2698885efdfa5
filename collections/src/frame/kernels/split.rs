//! Cutting a partition into parts, the first half of a shuffle: one task cuts a partition, another takes the parts of one number.
//!
//! The number of a row's part is found in one pass over its keys; rows are then sorted by number, by counting, and gathered part by
//! part. Rows of a part keep their order. A part owns its memory: it is free as soon as the part has been read.

use polars::prelude::row_encode::encode_rows_unordered;
use polars::prelude::{
    Column, DataFrame, DataType, IdxCa, IdxSize, IntoColumn, NamedFrom, PlSmallStr, PolarsError, PolarsResult, Series,
};
use polars_utils::aliases::{PlSeedableRandomStateQuality, SeedableFromU64SeedExt};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use super::order::Order;
use super::skew::Frequent;
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;
use crate::frame::wire::WireDtype;

/// Cuts a partition into `parts` parts. Inputs: the partition, and the table of splitters or frequent keys if the rule asks for one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SplitKernel {
    pub(crate) by: SplitBy,
    pub(crate) parts: u32,
    /// The name of a last column that says where each row comes from, see [`origin`].
    pub(crate) origin: Option<String>,
}

/// Which part a row goes to.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum SplitBy {
    /// Rows with equal keys go to the same part, of whatever frame they are.
    Hash(Vec<HashKey>),
    /// The same, but for the rows whose keys are in a table of frequent ones, the second input.
    Skewed(Vec<HashKey>, Frequent),
    /// The first part has the rows before the first splitter, the second those from it to the next one ...
    Ranges(Order),
    /// Each row goes to the partition that this column says it came from.
    Origin(String),
    /// As many rows in each part, but for one.
    Even,
}

/// Bits of an origin that are the row's number in its partition; those above are the partition's.
const ROW_BITS: u32 = 40;

/// Where a row comes from, as a number: origins have the order of rows over all partitions.
pub(crate) fn origin(partition: u64, row: u64) -> u64 {
    (partition << ROW_BITS) | row
}

/// A column to hash, and the type it is cast to before: keys of two frames are equal if they are equal in the common type.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct HashKey {
    pub(crate) column: String,
    pub(crate) cast: Option<WireDtype>,
}

impl HashKey {
    /// A column with the type it has.
    pub(crate) fn plain(column: impl Into<String>) -> HashKey {
        HashKey { column: column.into(), cast: None }
    }

    fn of(&self, frame: &DataFrame) -> PolarsResult<Column> {
        let column = frame.column(&self.column)?;
        match &self.cast {
            Some(dtype) if dtype.0 != *column.dtype() => column.strict_cast(&dtype.0),
            _ => Ok(column.clone()),
        }
    }
}

impl SplitKernel {
    pub(crate) const NAME: &'static str = "frame.split";
    /// Bytes a row that numbering and sorting rows take: a hash, a number and an index.
    pub(crate) const ROW_SCRATCH: u64 = 16;

    fn numbers(&self, block: u64, frame: &DataFrame, splitters: Option<&DataFrame>) -> PolarsResult<Vec<u32>> {
        match &self.by {
            SplitBy::Hash(keys) => hash_parts(frame, keys, self.parts),
            SplitBy::Origin(column) => {
                Ok(frame.column(column)?.u64()?.iter().map(|from| (from.unwrap_or(0) >> ROW_BITS) as u32).collect())
            }
            SplitBy::Even | SplitBy::Skewed(..) => Ok(Vec::new()),
            SplitBy::Ranges(order) => {
                let splitters =
                    splitters.ok_or_else(|| PolarsError::ComputeError("the table of splitters is missing".into()))?;
                order.parts(frame, block, splitters)
            }
        }
    }

    pub(crate) fn split(
        &self,
        block: u64,
        frame: DataFrame,
        splitters: Option<&DataFrame>,
    ) -> PolarsResult<Vec<DataFrame>> {
        if let SplitBy::Even = self.by {
            let at = |part: u64| (frame.height() as u64 * part / u64::from(self.parts)) as usize;
            let part = |part: u64| frame.slice(at(part) as i64, at(part + 1) - at(part));
            return Ok((0..u64::from(self.parts)).map(part).collect());
        }
        let numbers = self.numbers(block, &frame, splitters)?;
        let mut frame = frame;
        if let Some(name) = &self.origin {
            let from: Vec<u64> = (0..frame.height() as u64).map(|row| origin(block, row)).collect();
            frame.with_column(Series::new(name.as_str().into(), from).into_column())?;
        }
        if let SplitBy::Skewed(keys, frequent) = &self.by {
            let table =
                splitters.ok_or_else(|| PolarsError::ComputeError("the table of frequent keys is missing".into()))?;
            return frequent.cut(block, frame, keys, self.parts, table);
        }
        cut(frame, &numbers, self.parts)
    }
}

impl Kernel for SplitKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn describe(&self) -> String {
        let by = match &self.by {
            SplitBy::Hash(keys) | SplitBy::Skewed(keys, _) => {
                let keys: Vec<&str> = keys.iter().map(|key| key.column.as_str()).collect();
                format!("hash of {}", keys.join(", "))
            }
            SplitBy::Ranges(order) => format!("ranges of {}", order.describe()),
            SplitBy::Origin(_) => "origin".into(),
            SplitBy::Even => "rows".into(),
        };
        format!("{}({by} -> {} parts)", Self::NAME, self.parts)
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (first, rest) = inputs.split_first_mut().ok_or_else(|| missing("the partition"))?;
        let frame = Partition::take(first)?;
        let splitters = rest.first().map(|value| value.get::<Partition>()).transpose()?.map(|table| &table.0);
        let parts = alone(|| self.split(task.block, frame, splitters)).map_err(failed)?;
        Ok(Value::Parts(parts.into_iter().map(|part| Value::block(Partition(part))).collect()))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(&self.describe(), self)
    }
}

/// Puts parts one below the other, in the order of the task's inputs.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GatherKernel;

impl GatherKernel {
    pub(crate) const NAME: &'static str = "frame.gather";
}

impl Kernel for GatherKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let parts = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
        let frame = alone(|| gathered(parts)).map_err(failed)?;
        Ok(Value::block(Partition(frame)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// Frames one below the other, as one piece of memory: there may be hundreds of parts, and polars' kernels do some work for each.
pub(crate) fn gathered(parts: Vec<DataFrame>) -> PolarsResult<DataFrame> {
    let mut frame = join(parts)?;
    frame.rechunk_mut();
    Ok(frame)
}

/// The seed of all shuffles. It is fixed: a task that runs again elsewhere must cut the same way.
const SEED: u64 = 0x74_61_6c_61_74_61_74;

/// The hash of each row's keys. Nulls are equal, as are 0.0 and -0.0, and all NaNs.
pub(super) fn hashes(frame: &DataFrame, keys: &[HashKey]) -> PolarsResult<Vec<u64>> {
    let mut hashes: Vec<u64> = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        let column = hashable(&key.of(frame)?)?;
        let state = PlSeedableRandomStateQuality::seed_from_u64(SEED);
        match at {
            0 => column.vec_hash(state, &mut hashes)?,
            _ => column.vec_hash_combine(state, &mut hashes)?,
        }
    }
    hashes.resize(frame.height(), 0);
    Ok(hashes)
}

/// The part of a hash: the high half of the product, even without the remainder's division.
pub(super) fn part_of(hash: u64, parts: u32) -> u32 {
    ((u128::from(hash) * u128::from(parts)) >> 64) as u32
}

/// The part of each row by the hash of its keys.
pub(crate) fn hash_parts(frame: &DataFrame, keys: &[HashKey], parts: u32) -> PolarsResult<Vec<u32>> {
    Ok(hashes(frame, keys)?.into_iter().map(|hash| part_of(hash, parts)).collect())
}

/// The column in a form whose hash depends on values alone: codes of categories depend on the process, and what is nested is hashed
/// as bytes.
fn hashable(column: &Column) -> PolarsResult<Column> {
    match column.dtype() {
        DataType::Categorical(..) | DataType::Enum(..) => column.cast(&DataType::String),
        dtype if dtype.is_nested() => {
            let rows = encode_rows_unordered(std::slice::from_ref(column))?;
            Ok(rows.into_column())
        }
        _ => Ok(column.clone()),
    }
}

/// Cuts a frame into parts by the number of each row. Rows keep their order.
pub(crate) fn cut(mut frame: DataFrame, numbers: &[u32], parts: u32) -> PolarsResult<Vec<DataFrame>> {
    if parts == 1 {
        return Ok(vec![frame]);
    }
    let mut starts = vec![0_usize; parts as usize + 1];
    for &number in numbers {
        if let Some(count) = starts.get_mut(number as usize + 1) {
            *count += 1;
        }
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    if frame.width() == 0 {
        let heights = starts.windows(2).map(|pair| pair[1] - pair[0]);
        return Ok(heights.map(DataFrame::empty_with_height).collect());
    }
    if frame.max_n_chunks() > 1 {
        frame.rechunk_mut();
    }
    let mut rows: Vec<IdxSize> = vec![0; starts.last().copied().unwrap_or(0)];
    let mut next = starts.clone();
    for (row, &number) in numbers.iter().enumerate() {
        let Some(place) = next.get_mut(number as usize) else { continue };
        if let Some(slot) = rows.get_mut(*place) {
            *slot = row as IdxSize;
        }
        *place += 1;
    }
    let rows = IdxCa::from_vec(PlSmallStr::EMPTY, rows);
    let pieces = starts.windows(2).map(|pair| frame.take(&rows.slice(pair[0] as i64, pair[1] - pair[0])));
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoLazy, df};
    use proptest::prelude::*;

    use super::*;
    use crate::frame::kernels::order::{OrderKey, SampleKernel, SplittersKernel};
    use crate::frame::wire::Wire;

    fn parts_of(frame: &DataFrame, keys: &[&str], parts: u32) -> Vec<u32> {
        hash_parts(frame, &keys.iter().map(|&key| HashKey::plain(key)).collect::<Vec<_>>(), parts).unwrap()
    }

    #[test]
    fn parts_are_the_same_in_every_process() {
        let frame = df!("i" => [1_i64, 2, 3, 4]).unwrap();
        assert_eq!(parts_of(&frame, &["i"], 1000), [871, 22, 524, 864]);
    }

    #[test]
    fn equal_keys_go_to_the_same_part() {
        let floats = df!("x" => [Some(0.0), Some(-0.0), Some(f64::NAN), Some(-f64::NAN), None, None]).unwrap();
        let parts = parts_of(&floats, &["x"], 1 << 30);
        assert!(parts[0] == parts[1] && parts[2] == parts[3] && parts[4] == parts[5], "{parts:?}");
        assert!(parts[0] != parts[2] && parts[2] != parts[4], "{parts:?}");
        let narrow = df!("x" => [Some(1_i16), Some(-7), None], "y" => ["a", "b", "c"]).unwrap();
        let wide = df!("x" => [Some(1_i64), Some(-7), None], "y" => ["a", "b", "c"]).unwrap();
        let keys = [HashKey { column: "x".into(), cast: Some(Wire(DataType::Int64)) }, HashKey::plain("y")];
        assert_eq!(hash_parts(&narrow, &keys, 1 << 30).unwrap(), hash_parts(&wide, &keys, 1 << 30).unwrap());
        // Codes of categories follow the order in which a process meets them.
        let text = df!("x" => ["b", "a", "b", "c"]).unwrap();
        let categories = polars::prelude::Categories::global();
        let dtype = DataType::from_categories(categories);
        let cast = text.clone().lazy().with_column(polars::prelude::col("x").cast(dtype)).collect().unwrap();
        assert_eq!(parts_of(&text, &["x"], 1 << 30), parts_of(&cast, &["x"], 1 << 30));
    }

    #[test]
    fn parts_are_even_and_nested_keys_have_one() {
        let frame = df!("x" => (0_i64..10_000).collect::<Vec<_>>()).unwrap();
        let kernel = SplitKernel { by: SplitBy::Hash(vec![HashKey::plain("x")]), parts: 10, origin: None };
        let parts = kernel.split(0, frame, None).unwrap();
        assert_eq!(parts.iter().map(DataFrame::height).sum::<usize>(), 10_000);
        assert!(parts.iter().all(|part| (850..1150).contains(&part.height())), "{parts:?}");
        let lists = Series::new("x".into(), [Series::new("".into(), [1_i64]), Series::new("".into(), [1_i64])]);
        let lists = DataFrame::new(2, vec![lists.into()]).unwrap();
        let parts = parts_of(&lists, &["x"], 1 << 30);
        assert_eq!(parts[0], parts[1]);
    }

    #[test]
    fn cutting_keeps_rows_without_columns() {
        let parts = cut(DataFrame::empty_with_height(5), &[0, 2, 2, 0, 2], 4).unwrap();
        assert_eq!(parts.iter().map(DataFrame::height).collect::<Vec<_>>(), [2, 0, 3, 0]);
    }

    /// Samples, splitters, split, gather, sort: the parts one below the other.
    fn sorted(parts: &[DataFrame], order: &Order, count: u32, samples: u32) -> Vec<DataFrame> {
        let kernel = SampleKernel { order: order.clone(), rows: samples };
        let samples = parts.iter().enumerate().map(|(at, part)| kernel.sample(at as u64, part).unwrap()).collect();
        let splitters = SplittersKernel { order: order.clone(), parts: count }.splitters(samples).unwrap();
        let split = SplitKernel { by: SplitBy::Ranges(order.clone()), parts: count, origin: None };
        let pieces: Vec<Vec<DataFrame>> =
            (0_u64..).zip(parts).map(|(at, part)| split.split(at, part.clone(), Some(&splitters)).unwrap()).collect();
        let part = |number: usize| pieces.iter().map(|pieces| pieces[number].clone()).collect();
        (0..count as usize).map(|number| order.sort(&gathered(part(number)).unwrap()).unwrap()).collect()
    }

    fn check(data: &DataFrame, order: &Order, cuts: &[usize], count: u32, samples: u32) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (data.height() + 1)).chain([0, data.height()]).collect();
        cuts.sort_unstable();
        let parts: Vec<DataFrame> = cuts.windows(2).map(|pair| data.slice(pair[0] as i64, pair[1] - pair[0])).collect();
        let got = gathered(sorted(&parts, order, count, samples)).unwrap();
        let expect = order.sort(data).unwrap();
        assert!(got.equals_missing(&expect), "{order:?}, {cuts:?}, {count} parts of\n{data}\n{got}\n{expect}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

        #[test]
        fn parts_in_order_are_the_frame_in_order(
            rows in prop::collection::vec((
                prop::option::weighted(0.9, -3_i8..4),
                prop::option::weighted(0.9, prop::sample::select(vec![0.0, -0.0, 1.5, -2.5, f64::NAN, f64::NEG_INFINITY])),
                prop::option::weighted(0.9, "[ab]{0,2}"),
            ), 0..80),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
            keys in prop::sample::subsequence(vec!["i", "f", "s", "b", "u"], 1..4).prop_shuffle(),
            flags in prop::collection::vec(any::<(bool, bool)>(), 4),
            ties in any::<bool>(),
            (count, samples) in (1_u32..9, 1_u32..20),
        ) {
            let data = df!(
                "i" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
                "f" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
                "s" => rows.iter().map(|row| row.2.clone()).collect::<Vec<_>>(),
                "b" => rows.iter().map(|row| row.0.map(|x| x > 0)).collect::<Vec<_>>(),
                "u" => rows.iter().map(|row| row.0.map(|x| x.unsigned_abs() as u64)).collect::<Vec<_>>(),
                "row" => (0..rows.len() as u64).collect::<Vec<_>>()
            ).unwrap();
            let key = |(column, (descending, nulls_last)): (&&str, &(bool, bool))| OrderKey {
                column: column.to_string(), descending: *descending, nulls_last: *nulls_last,
            };
            let order = Order { keys: keys.iter().zip(&flags).map(key).collect(), ties };
            check(&data, &order, &cuts, count, samples);
        }
    }

    #[test]
    fn one_value_fills_all_parts_if_ties_are_split() {
        let data = df!("x" => vec![7_i64; 1000], "row" => (0_u64..1000).collect::<Vec<_>>()).unwrap();
        let key = OrderKey { column: "x".into(), descending: false, nulls_last: true };
        let parts: Vec<DataFrame> = (0..4).map(|at| data.slice(at * 250, 250)).collect();
        let split = sorted(&parts, &Order { keys: vec![key.clone()], ties: true }, 4, 50);
        assert!(split.iter().all(|part| (200..300).contains(&part.height())));
        assert!(gathered(split).unwrap().equals(&data));
        let together = sorted(&parts, &Order { keys: vec![key], ties: false }, 4, 50);
        assert_eq!(together.iter().map(DataFrame::height).collect::<Vec<_>>(), [0, 0, 0, 1000]);
    }
}
