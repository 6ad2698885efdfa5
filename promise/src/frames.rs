//! Random computations of frames.

use talatat::frame::{
    DataType, Expr, Frame, Keep, ParquetOptions, PolarsError, Schema, SetIndex, WriteOptions, col, df, from_map, lit,
    read_parquet,
};
use talatat::{Compute, Result};

use crate::rng::{Rng, mix};

/// Bytes of a row of a source: two numbers, a float and a short text.
const ROW: u64 = 8 + 8 + 8 + 16;

/// How many different keys sources have.
const KEYS: [u64; 3] = [50, 5_000, 1 << 40];

/// Row groups of a source's files: as many partitions as a computation may want.
const GROUPS: u64 = 16;

/// Where sources are read from, and how large they are.
pub(crate) struct Sources<'a> {
    pub(crate) folder: &'a str,
    pub(crate) bytes: u64,
}

impl Sources<'_> {
    fn path(&self, keys: u64, rows: u64) -> String {
        format!("{}/{keys}-{rows}", self.folder)
    }

    fn rows(&self) -> u64 {
        self.bytes / ROW
    }

    /// Writes all files that computations read.
    pub(crate) fn prepare(&self) -> Result<()> {
        for keys in KEYS {
            for rows in [self.rows(), self.rows() / 4] {
                let options = WriteOptions::new().overwrite().row_group_rows(rows.div_ceil(GROUPS) as usize);
                source(keys, rows)?.to_parquet(&self.path(keys, rows), options)?.compute()?;
            }
        }
        Ok(())
    }

    /// A frame of some partitions.
    fn read(&self, rng: &mut Rng, rows: u64) -> Result<Frame> {
        let path = self.path(rng.of(&KEYS), rows);
        let parts = 4 + rng.below(12) as u64;
        read_parquet([format!("{path}/*.parquet")], ParquetOptions::new().partition_bytes((rows * ROW).div_ceil(parts)))
    }
}

/// A computation of a small frame of numbers from frames of about `bytes` bytes.
pub(crate) fn random_frame(rng: &mut Rng, sources: &Sources<'_>) -> Result<Frame> {
    let mut frame = sources.read(rng, sources.rows())?;
    for _ in 0..1 + rng.below(3) {
        frame = step(rng, frame, sources)?;
    }
    // Whole numbers: sums do not depend on the order of rows.
    frame.agg([col("key").sum().alias("key"), col("other").sum().alias("other"), col("key").count().alias("rows")])
}

fn source(keys: u64, rows: u64) -> Result<Frame> {
    let schema = Schema::from_iter([
        ("key".into(), DataType::Int64),
        ("other".into(), DataType::Int64),
        ("value".into(), DataType::Float64),
        ("text".into(), DataType::String),
    ]);
    let make = move |part: &u64| -> std::result::Result<_, PolarsError> {
        let range = rows * part / 4..rows * (part + 1) / 4;
        let numbers = || range.clone().map(|row| mix(keys ^ (row << 1)));
        df!(
            "key" => numbers().map(|number| (number % keys) as i64).collect::<Vec<_>>(),
            "other" => numbers().map(|number| (mix(number) & 0xffff) as i64).collect::<Vec<_>>(),
            "value" => numbers().map(|number| (number >> 40) as f64).collect::<Vec<_>>(),
            "text" => numbers().map(|number| format!("text {}", number % 1000)).collect::<Vec<_>>(),
        )
    };
    from_map(0..4, make, &schema)
}

/// One operation that keeps the columns.
fn step(rng: &mut Rng, frame: Frame, sources: &Sources<'_>) -> Result<Frame> {
    let columns = ["key", "other", "value", "text"];
    match rng.below(9) {
        0 => frame.filter(col("other").gt(lit(0x4000))),
        1 => frame.sort_values([rng.of(&["key", "value", "text"])], true),
        2 => frame.set_index("other", SetIndex::default()),
        3 => frame.shuffle(["key"], None),
        4 => frame.drop_duplicates(["key", "other"], Keep::First),
        5 => frame.assign("value", col("value") * lit(0.5)),
        6 => {
            let groups = frame.groupby([col("key")])?;
            groups.agg([
                col("other").sum().alias("other"),
                col("value").mean().alias("value"),
                col("text").first().alias("text"),
            ])
        }
        7 => {
            let other = sources.read(rng, sources.rows() / 4)?.drop_duplicates(["other"], Keep::First)?;
            let other = other.select([col("other"), col("value").alias("theirs")])?;
            let picked: Vec<Expr> = columns.iter().map(|name| col(*name)).collect();
            frame.merge(&other, "other")?.select(picked)
        }
        _ => frame.repartition(3 + rng.below(20)),
    }
}
