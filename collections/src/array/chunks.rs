//! Dask's grammar of chunks: what a user may say, and what becomes of it.

use std::panic::Location;

use crate::array::grid::{Axis, Grid, MOST_BLOCKS};
use crate::config::{chunk_target, parse_bytes};
use crate::error::{Error, Result};

/// How to cut one axis.
///
/// ```
/// use talatat::array::{AxisChunks, ones};
/// let x = ones::<f64>([10, 10]).rechunk(vec![AxisChunks::Lengths(vec![3, 7]), AxisChunks::Whole])?;
/// assert_eq!(x.numblocks(), [2, 1]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AxisChunks {
    /// So that blocks have about the target size.
    Auto,
    /// One chunk.
    Whole,
    /// Chunks of this length, the last one shorter.
    Length(usize),
    /// Chunks of these lengths, which must add up to the axis.
    Lengths(Vec<usize>),
    /// As [`AxisChunks::Auto`], for blocks of about this many bytes.
    Bytes(u64),
}

/// How to cut an array. Made from what reads best:
///
/// | value | meaning |
/// |---|---|
/// | `"auto"` | blocks of about the target size ([`chunk_target`], 128 MiB unless set) |
/// | `"64MiB"` | blocks of about 64 MiB |
/// | `1000` | chunks of 1000 along every axis |
/// | `-1` | one chunk along every axis |
/// | `[100, 200]` | a length an axis; -1 for one chunk |
/// | `vec![vec![2, 3], vec![5]]` | the lengths of all chunks of each axis |
/// | `(100, "auto")` | each axis in its own way, up to four axes |
/// | `vec![AxisChunks::Auto, AxisChunks::Whole]` | the same for any number of axes |
///
/// ```
/// use talatat::array::zeros;
/// let x = zeros::<f64>([1000, 1000]).rechunk((100, "auto"))?;
/// assert_eq!(x.numblocks(), vec![10, 1]);
/// assert!(zeros::<f64>([10]).rechunk(vec![vec![3, 3]]).is_err());
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// All axes in the same way.
    Same(AxisChunks),
    /// Each axis in its own way.
    PerAxis(Vec<AxisChunks>),
    /// Words that could not be understood.
    Malformed(String),
}

impl Default for Chunks {
    fn default() -> Self {
        Chunks::Same(AxisChunks::Auto)
    }
}

impl From<i64> for AxisChunks {
    /// A length; any negative number means the whole axis, as `-1` does.
    fn from(length: i64) -> Self {
        usize::try_from(length).map_or(AxisChunks::Whole, AxisChunks::Length)
    }
}

impl From<i32> for AxisChunks {
    fn from(length: i32) -> Self {
        i64::from(length).into()
    }
}

impl From<usize> for AxisChunks {
    fn from(length: usize) -> Self {
        AxisChunks::Length(length)
    }
}

impl From<Vec<usize>> for AxisChunks {
    fn from(lengths: Vec<usize>) -> Self {
        AxisChunks::Lengths(lengths)
    }
}

impl TryFrom<&str> for AxisChunks {
    type Error = String;

    fn try_from(text: &str) -> std::result::Result<Self, String> {
        if text.trim().eq_ignore_ascii_case("auto") {
            return Ok(AxisChunks::Auto);
        }
        parse_bytes(text).map(AxisChunks::Bytes)
    }
}

impl From<AxisChunks> for Chunks {
    fn from(axis: AxisChunks) -> Self {
        Chunks::Same(axis)
    }
}

macro_rules! same_on_all_axes {
    ($($type:ty),*) => {$(
        impl From<$type> for Chunks {
            fn from(length: $type) -> Self {
                Chunks::Same(length.into())
            }
        }

        impl<const N: usize> From<[$type; N]> for Chunks {
            fn from(lengths: [$type; N]) -> Self {
                Chunks::PerAxis(lengths.into_iter().map(AxisChunks::from).collect())
            }
        }
    )*};
}

same_on_all_axes!(i32, i64, usize);

impl From<&str> for Chunks {
    fn from(text: &str) -> Self {
        AxisChunks::try_from(text).map_or_else(Chunks::Malformed, Chunks::Same)
    }
}

impl From<Vec<AxisChunks>> for Chunks {
    fn from(axes: Vec<AxisChunks>) -> Self {
        Chunks::PerAxis(axes)
    }
}

impl From<Vec<Vec<usize>>> for Chunks {
    fn from(axes: Vec<Vec<usize>>) -> Self {
        Chunks::PerAxis(axes.into_iter().map(AxisChunks::Lengths).collect())
    }
}

impl From<Vec<usize>> for Chunks {
    fn from(lengths: Vec<usize>) -> Self {
        Chunks::PerAxis(lengths.into_iter().map(AxisChunks::Length).collect())
    }
}

impl From<&Grid> for Chunks {
    fn from(grid: &Grid) -> Self {
        let axis = |axis: &Axis| axis.lengths().map_or(AxisChunks::Whole, AxisChunks::Lengths);
        Chunks::PerAxis(grid.axes().iter().map(axis).collect())
    }
}

/// One entry of a tuple of chunks.
///
/// ```
/// use talatat::array::{AxisChunks, IntoAxisChunks};
/// assert_eq!((-1_i32).into_axis(), Ok(AxisChunks::Whole));
/// assert_eq!("auto".into_axis(), Ok(AxisChunks::Auto));
/// assert!("much".into_axis().is_err());
/// # Ok::<(), talatat::Error>(())
/// ```
pub trait IntoAxisChunks {
    /// The entry, or why it cannot be understood.
    ///
    /// # Errors
    /// If text is neither `auto` nor a number of bytes.
    fn into_axis(self) -> std::result::Result<AxisChunks, String>;
}

macro_rules! into_axis {
    ($($type:ty),*) => {$(
        impl IntoAxisChunks for $type {
            fn into_axis(self) -> std::result::Result<AxisChunks, String> {
                Ok(self.into())
            }
        }
    )*};
}

into_axis!(i32, i64, usize, Vec<usize>, AxisChunks);

impl IntoAxisChunks for &str {
    fn into_axis(self) -> std::result::Result<AxisChunks, String> {
        self.try_into()
    }
}

macro_rules! tuple_chunks {
    ($(($($name:ident),*);)*) => {$(
        impl<$($name: IntoAxisChunks),*> From<($($name,)*)> for Chunks {
            fn from(axes: ($($name,)*)) -> Self {
                #[allow(non_snake_case)]
                let ($($name,)*) = axes;
                let axes: std::result::Result<Vec<AxisChunks>, String> = [$($name.into_axis()),*].into_iter().collect();
                axes.map_or_else(Chunks::Malformed, Chunks::PerAxis)
            }
        }
    )*};
}

tuple_chunks! {
    (A);
    (A, B);
    (A, B, C);
    (A, B, C, D);
}

impl Chunks {
    /// The grid for an array of this shape whose elements have `itemsize` bytes.
    ///
    /// `Auto` axes share what the other axes leave of the target: the longest are cut first, so that blocks become
    /// as square as their axes allow.
    ///
    /// # Errors
    /// If there is not one entry for each axis, or lengths do not add up to their axis. Notes the caller's line.
    #[track_caller]
    pub fn grid(&self, operation: &str, shape: &[usize], itemsize: usize) -> Result<Grid> {
        let at = Location::caller();
        let invalid = |reason: String| Error::invalid_at(operation, reason, at);
        let regular = |length: usize, chunk: usize| match length.div_ceil(chunk.max(1)) {
            count if count > MOST_BLOCKS => {
                Err(invalid(format!("an axis of length {length} in chunks of {chunk} has {count}: use larger chunks")))
            }
            _ => Ok(Axis::regular(length, chunk).lengths()),
        };
        let mut target = chunk_target();
        let axes: Vec<AxisChunks> = match self {
            Chunks::Malformed(reason) => return Err(invalid(reason.clone())),
            Chunks::Same(axis @ AxisChunks::Lengths(_)) if shape.len() == 1 => vec![axis.clone()],
            Chunks::Same(axis) => vec![axis.clone(); shape.len()],
            Chunks::PerAxis(axes) => axes.clone(),
        };
        if axes.len() != shape.len() {
            let reason = format!("chunks for {} axes, but the shape {shape:?} has {}", axes.len(), shape.len());
            return Err(invalid(reason));
        }
        let mut lengths: Vec<Option<Vec<usize>>> = Vec::with_capacity(shape.len());
        let mut fixed = itemsize.max(1) as u64;
        for (axis, (chunks, &length)) in axes.iter().zip(shape).enumerate() {
            let longest = match chunks {
                AxisChunks::Auto => None,
                AxisChunks::Bytes(bytes) => {
                    target = *bytes;
                    None
                }
                AxisChunks::Whole => Some(vec![length]),
                AxisChunks::Length(0) if length > 0 => {
                    return Err(invalid(format!("chunks of length 0 along axis {axis}: give at least 1")));
                }
                AxisChunks::Length(chunk) => regular(length, *chunk)?,
                AxisChunks::Lengths(lengths) => {
                    let sum = lengths.iter().fold(0, |sum: usize, length| sum.saturating_add(*length));
                    if sum != length {
                        let reason =
                            format!("chunks {lengths:?} of axis {axis} add up to {sum}, its length is {length}");
                        return Err(invalid(reason));
                    }
                    Some(lengths.clone())
                }
            };
            if let Some(lengths) = &longest {
                fixed = fixed.saturating_mul(lengths.iter().copied().max().unwrap_or(0).max(1) as u64);
            }
            lengths.push(longest);
        }
        let free: Vec<usize> = (0..shape.len()).filter(|&axis| lengths[axis].is_none()).collect();
        for (axis, length) in auto_lengths(shape, &free, (target / fixed).max(1)) {
            lengths[axis] = regular(shape[axis], length)?;
        }
        let grid = Grid::new(lengths.into_iter().map(|lengths| Axis::from_lengths(lengths.unwrap_or_default())));
        grid.excess().map_or(Ok(grid), |reason| Err(invalid(reason)))
    }
}

/// Chunk lengths for the `free` axes whose product is at most `elements`: each gets an equal share (in ratio),
/// and what a short axis does not use goes to the longer ones.
fn auto_lengths(shape: &[usize], free: &[usize], elements: u64) -> Vec<(usize, usize)> {
    let mut axes: Vec<usize> = free.to_vec();
    axes.sort_by_key(|&axis| shape[axis]);
    let mut left = elements as f64;
    let mut chosen = Vec::new();
    for (done, &axis) in axes.iter().enumerate() {
        let share = left.powf(1.0 / (axes.len() - done) as f64).max(1.0);
        // The root of a power may miss a whole number by a hair.
        let length = ((share + 1e-9) as usize).clamp(1, shape[axis].max(1));
        left = (left / length as f64).max(1.0);
        chosen.push((axis, length));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(chunks: impl Into<Chunks>, shape: &[usize]) -> Vec<Vec<usize>> {
        let grid = chunks.into().grid("test", shape, 8).unwrap();
        grid.axes().iter().map(|axis| axis.lengths().unwrap()).collect()
    }

    #[test]
    fn grammar() {
        assert_eq!(lengths(4, &[10]), [vec![4, 4, 2]]);
        assert_eq!(lengths(-1, &[10, 3]), [vec![10], vec![3]]);
        assert_eq!(lengths([5, -1], &[10, 3]), [vec![5, 5], vec![3]]);
        assert_eq!(lengths((vec![3_usize, 7], 2), &[10, 3]), [vec![3, 7], vec![2, 1]]);
        assert_eq!(lengths("800B", &[10, 20]), [vec![10], vec![10, 10]]);
        assert_eq!(lengths(("800B", 20), &[10, 20]), [vec![5, 5], vec![20]]);
        assert_eq!(lengths("auto", &[0]), [vec![0]]);
        assert_eq!(lengths("auto", &[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn bad_chunks() {
        for (chunks, shape, words) in [
            (Chunks::from([1, 2]), vec![3], "1"),
            (Chunks::from(0), vec![3], "at least 1"),
            (Chunks::from(vec![vec![1, 1]]), vec![3], "add up to 2"),
            (Chunks::from("many"), vec![3], "many"),
        ] {
            let error = chunks.grid("rechunk", &shape, 8).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("rechunk"), "{error}");
        }
    }
}
