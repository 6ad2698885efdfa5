//! Increments of many numbers, summed pair by pair: functions called lazily, one graph, computed in parallel.
//!
//! ```text
//! cargo run --release --example tree_sum [PICTURE.svg]
//! ```
//!
//! Draws the graph of 16 numbers into the file (default `target/tree_sum.svg`), then computes 100,000.

use talatat::prelude::*;

fn increment(x: i64) -> i64 {
    x + 1
}

fn add(a: i64, b: i64) -> i64 {
    a + b
}

/// The sum of the increments of `0..count`, without computing anything.
fn tree_sum(count: i64) -> Delayed<i64> {
    let (increment, add) = (delayed(increment), delayed(add));
    let mut level: Vec<Delayed<i64>> = (0..count.max(1)).map(|x| increment.call(x)).collect();
    while level.len() > 1 {
        level = (level.chunks(2))
            .map(|pair| match pair {
                [a, b] => add.call((a.clone(), b.clone())),
                rest => rest[0].clone(),
            })
            .collect();
    }
    level.swap_remove(0)
}

fn main() -> talatat::Result<()> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "target/tree_sum.svg".into());
    tree_sum(16).visualize(&file)?;
    println!("the graph of 16 numbers is in {file}\n");

    let total = tree_sum(100_000);
    println!("{}", total.explain()?);
    let (sum, report) = total.compute_reported()?;
    println!("{report}");
    println!("1 + 2 + ... + 100,000 = {sum}");
    assert_eq!(sum, 100_000 * 100_001 / 2);
    Ok(())
}
