//! Lines through points.

use super::block::Block;
use super::error::{KernelError, Result};

/// NumPy's `interp`: the line through points at the elements of a block of `float64`; bit by bit what NumPy has. `places` ascend. Before the first
/// and behind the last point it is `outside`, or as high as there. `log m` comparisons an element.
///
/// ```
/// use talatat_kernels::{Block, interp::interpolate};
/// let [places, values] = [vec![1.0, 3.0], vec![10.0, 20.0]].map(|line| Block::from_vec(&[2], line));
/// let found = interpolate(&Block::from_vec(&[3], vec![0.0, 2.0, 3.0])?, &places?, &values?, None)?;
/// assert_eq!(found, Block::from_vec(&[3], vec![10.0, 15.0, 20.0])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If there are no points, or not as many places as values.
pub fn interpolate(x: &Block, places: &Block, values: &Block, outside: Option<(f64, f64)>) -> Result<Block> {
    let (places, values): (Vec<f64>, Vec<f64>) =
        (places.view::<f64>()?.iter().copied().collect(), values.view::<f64>()?.iter().copied().collect());
    let (Some(&first), Some(&last), true) = (values.first(), values.last(), places.len() == values.len()) else {
        let reason =
            format!("{} places and {} values: give a value for each, and at least one", places.len(), values.len());
        return Err(KernelError::Parameter { operation: "interp", reason });
    };
    let (before, behind) = outside.unwrap_or((first, last));
    let at = |x: f64| {
        if x.is_nan() {
            return x;
        }
        let next = places.partition_point(|&place| place <= x);
        let Some(own) = next.checked_sub(1) else { return before };
        let (Some(&to), Some(&up)) = (places.get(next), values.get(next)) else {
            return if x > places[own] { behind } else { last };
        };
        let (from, low) = (places[own], values[own]);
        if from == x {
            return low;
        }
        let slope = (up - low) / (to - from);
        let found = slope * (x - from) + low;
        if !found.is_nan() {
            return found;
        }
        // Infinities on the way: from the other side, or the line is level.
        let found = slope * (x - to) + up;
        if found.is_nan() && low == up { low } else { found }
    };
    Ok(Block::from_array(x.view::<f64>()?.mapv(at)))
}
