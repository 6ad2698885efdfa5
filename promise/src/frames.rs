//! Random computations of frames.

use talatat::Result;
use talatat::frame::{DataType, Expr, Frame, Keep, PolarsError, Schema, SetIndex, col, df, from_map, lit};

use crate::rng::{Rng, mix};

/// Bytes of a row of a source: two numbers, a float and a short text.
const ROW: u64 = 8 + 8 + 8 + 16;

/// A computation of a small frame of numbers from frames of about `bytes` bytes.
pub(crate) fn random_frame(rng: &mut Rng, bytes: u64) -> Result<Frame> {
    let rows = bytes / ROW;
    let mut frame = source(rng, rows)?;
    for _ in 0..1 + rng.below(3) {
        frame = step(rng, frame, rows)?;
    }
    // Whole numbers: sums do not depend on the order of rows.
    frame.agg([col("key").sum().alias("key"), col("other").sum().alias("other"), col("key").count().alias("rows")])
}

fn source(rng: &mut Rng, rows: u64) -> Result<Frame> {
    let parts = 4 + rng.below(12) as u64;
    let seed = rng.next();
    let keys = rng.of(&[50, 5_000, 1 << 40]);
    let schema = Schema::from_iter([
        ("key".into(), DataType::Int64),
        ("other".into(), DataType::Int64),
        ("value".into(), DataType::Float64),
        ("text".into(), DataType::String),
    ]);
    let make = move |part: &u64| -> std::result::Result<_, PolarsError> {
        let range = rows * part / parts..rows * (part + 1) / parts;
        let numbers = || range.clone().map(|row| mix(seed ^ row));
        df!(
            "key" => numbers().map(|number| (number % keys) as i64).collect::<Vec<_>>(),
            "other" => numbers().map(|number| (mix(number) & 0xffff) as i64).collect::<Vec<_>>(),
            "value" => numbers().map(|number| (number >> 40) as f64).collect::<Vec<_>>(),
            "text" => numbers().map(|number| format!("text {}", number % 1000)).collect::<Vec<_>>(),
        )
    };
    from_map(0..parts, make, &schema)
}

/// One operation that keeps the columns.
fn step(rng: &mut Rng, frame: Frame, rows: u64) -> Result<Frame> {
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
            let other = source(rng, rows / 4)?.drop_duplicates(["other"], Keep::First)?;
            let other = other.select([col("other"), col("value").alias("theirs")])?;
            let picked: Vec<Expr> = columns.iter().map(|name| col(*name)).collect();
            frame.merge(&other, "other")?.select(picked)
        }
        _ => frame.repartition(3 + rng.below(20)),
    }
}
