//! Random computations of arrays.

use talatat::Result;
use talatat::array::{Array, Item, uniform};

use crate::rng::Rng;

/// A computation of one number from arrays of about `bytes` bytes.
pub(crate) fn random_item(rng: &mut Rng, bytes: u64) -> Result<Item<f64>> {
    let side = ((bytes / 8) as f64).sqrt() as usize;
    let mut x = source(rng, side, side)?;
    for _ in 0..1 + rng.below(4) {
        x = step(rng, x, side)?;
    }
    end(rng, &x)
}

fn source(rng: &mut Rng, rows: usize, columns: usize) -> Result<Array<f64>> {
    let seed = rng.next();
    let chunk = |rng: &mut Rng, length: usize| length.div_ceil(2 + rng.below(7));
    let chunks = [chunk(rng, rows), chunk(rng, columns)];
    uniform(-1.0, 1.0, [rows, columns], seed)?.rechunk(chunks)
}

/// One operation that keeps the shape.
fn step(rng: &mut Rng, x: Array<f64>, side: usize) -> Result<Array<f64>> {
    let chunk = |rng: &mut Rng| side.div_ceil(1 + rng.below(9));
    match rng.below(12) {
        0 => x.rechunk([chunk(rng), chunk(rng)]),
        1 => x.rechunk([side, chunk(rng)]),
        2 => Ok(&x + &x.t()),
        3 => Ok(&x - &x.mean(0)?),
        4 => Ok((&x * 2.0 + 1.0).sqrt().abs()),
        5 => Ok(x.t()),
        6 => x.sort(1),
        7 => x.cumsum(0),
        8 => x.roll(1 + rng.below(side) as isize, 0),
        9 => Ok(&x + &source(rng, side, side)?),
        // A function that no rewrite looks into: its blocks are all made.
        10 => x.map_blocks::<f64, _>(|_, block| block.mapv(|value| value * 0.5)),
        _ => Ok(&x * &(x.std(1)?.reshape([side as isize, 1])? + 1.0)),
    }
}

/// One number that depends on all elements.
fn end(rng: &mut Rng, x: &Array<f64>) -> Result<Item<f64>> {
    match rng.below(5) {
        0 => x.sum(..)?.item(),
        1 => (x.sum(..)? + x.t().rechunk([-1, 64])?.max(..)?).item(),
        2 => (x - &x.mean(0)?).std(..)?.item(),
        3 => x.median(0)?.sum(..)?.item(),
        _ => x.mean(1)?.max(..)?.item(),
    }
}
