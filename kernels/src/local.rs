//! Functions of whole blocks that give one block: a table, so that they can be written into graphs and sent.

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::along::{push, put_along};
use super::bins::uniform_edges;
use super::block::Block;
use super::distinct::SetOp;
use super::dtype::DType;
use super::error::{KernelError, Result};
use super::fft::Fourier;
use super::interp::interpolate;
use super::quantile::Quantile;
use super::sort::{sorted, sorted_values, take_along};
use super::sorted::search;

/// A function of whole blocks.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::local::LocalOp;
/// let ends = [Block::from_vec(&[], vec![0])?, Block::from_vec(&[], vec![4])?];
/// let edges = LocalOp::UniformEdges { bins: 2 }.run(&[&ends[0], &ends[1]])?;
/// assert_eq!(edges, Block::from_vec(&[3], vec![0.0, 2.0, 4.0])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LocalOp {
    /// Quantiles of a block along an axis; the result's first axis goes along the quantiles.
    Quantile {
        /// Which.
        quantile: Quantile,
        /// The axis.
        axis: usize,
    },
    /// Where the values of the second block would be put into the first, which is sorted.
    Search {
        /// Behind their equals.
        right: bool,
        /// The result gets an axis of length 1 in front.
        stacked: bool,
    },
    /// A block sorted along an axis.
    Sort {
        /// The axis.
        axis: usize,
        /// The places of the elements, not the elements.
        places: bool,
    },
    /// The elements of the first block along an axis at the indices of the second.
    TakeAlong {
        /// The axis.
        axis: usize,
    },
    /// The first block with the elements of the third along an axis at the indices of the second.
    PutAlong {
        /// The axis.
        axis: usize,
    },
    /// A block with the last number before it in the place of each NaN.
    Push {
        /// The axis.
        axis: usize,
        /// How far at most; all the way for none.
        most: Option<usize>,
    },
    /// The line through points (places and values are the second and the third block) at the elements of the first.
    Interpolate {
        /// Before the first and behind the last point; their own values for none.
        outside: Option<(f64, f64)>,
    },
    /// The lines along an axis transformed.
    Fourier(Fourier),
    /// A set made of two blocks of different elements.
    Set(SetOp),
    /// The edges of equal bins between the only elements of two blocks.
    UniformEdges {
        /// How many bins.
        bins: usize,
    },
}

impl LocalOp {
    /// NumPy's name of the function.
    pub fn name(&self) -> &'static str {
        match self {
            LocalOp::Quantile { quantile, .. } => match (quantile.method, quantile.skip_nan) {
                (Some(_), false) => "quantile",
                (Some(_), true) => "nanquantile",
                (None, false) => "median",
                (None, true) => "nanmedian",
            },
            LocalOp::Search { .. } => "searchsorted",
            LocalOp::Sort { places: false, .. } => "sort",
            LocalOp::Sort { places: true, .. } => "argsort",
            LocalOp::TakeAlong { .. } => "take_along_axis",
            LocalOp::PutAlong { .. } => "put_along_axis",
            LocalOp::Push { .. } => "push",
            LocalOp::Interpolate { .. } => "interp",
            LocalOp::Fourier(fourier) => fourier.name(),
            LocalOp::Set(op) => op.name(),
            LocalOp::UniformEdges { .. } => "histogram_bin_edges",
        }
    }

    /// The axis along which each line of the blocks gives a line of the result, if that is what the function does: it may then be applied
    /// to some of the lines.
    pub fn along(&self) -> Option<usize> {
        match self {
            LocalOp::Sort { axis, .. }
            | LocalOp::PutAlong { axis }
            | LocalOp::Push { axis, .. }
            | LocalOp::Fourier(Fourier { axis, .. }) => Some(*axis),
            _ => None,
        }
    }

    /// About how many bytes [`LocalOp::run`] takes beside its result, on blocks of `read` bytes.
    pub fn working_bytes(&self, from: DType, read: u64) -> u64 {
        match self {
            LocalOp::Fourier(fourier) => fourier.working_bytes(from, read),
            // Copies of what is read at most.
            _ => read,
        }
    }

    /// The block of the result.
    ///
    /// # Errors
    /// If there are not as many blocks as the function takes, or they are not as it wants them.
    pub fn run(&self, blocks: &[&Block]) -> Result<Block> {
        match (self, blocks) {
            (LocalOp::Quantile { quantile, axis }, [block]) => quantile.run(block, *axis),
            (LocalOp::Search { right, stacked: false }, [sorted, values]) => search(sorted, values, *right),
            (LocalOp::Search { right, stacked: true }, [sorted, values]) => {
                let places = search(sorted, values, *right)?.into_array::<i64>()?;
                Ok(Block::from_array(places.insert_axis(Axis(0))))
            }
            (LocalOp::Sort { axis, places: false }, [block]) => sorted_values(block, *axis),
            (LocalOp::Sort { axis, places: true }, [block]) => {
                let [_, places] = sorted(block, *axis, 0)?;
                Ok(places)
            }
            (LocalOp::TakeAlong { axis }, [block, indices]) => take_along(block, indices, *axis),
            (LocalOp::PutAlong { axis }, [block, indices, values]) => put_along(block, indices, values, *axis),
            (LocalOp::Push { axis, most }, [block]) => push(block, *axis, *most),
            (LocalOp::Interpolate { outside }, [x, places, values]) => interpolate(x, places, values, *outside),
            (LocalOp::Fourier(fourier), [block]) => fourier.run(block),
            (LocalOp::Set(op), [a, b]) => op.of(a, b),
            (LocalOp::UniformEdges { bins }, [low, high]) => {
                let only = |block: &Block| -> Result<f64> {
                    Ok(block.cast(DType::F64).view::<f64>()?.first().copied().unwrap_or(f64::NAN))
                };
                let edges = uniform_edges(*bins, only(low)?, only(high)?)?;
                Block::from_vec(&[edges.len()], edges)
            }
            (_, blocks) => {
                let expected = match self {
                    LocalOp::Quantile { .. } | LocalOp::Sort { .. } | LocalOp::Push { .. } | LocalOp::Fourier(_) => 1,
                    LocalOp::PutAlong { .. } | LocalOp::Interpolate { .. } => 3,
                    _ => 2,
                };
                Err(KernelError::Arguments { operation: self.name(), expected, found: blocks.len() })
            }
        }
    }
}
