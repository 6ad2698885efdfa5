//! Elements counted, or their weights added up, by bins.
//!
//! The states are those of sums ([`Accumulator`]): counts are exact, and so are sums of weights until they are rounded once, so
//! neither depends on how the array was cut.

mod edges;
mod tally;

use serde::{Deserialize, Serialize};

pub use self::edges::uniform_edges;

use self::edges::Edges;
use self::tally::Tally;
use super::block::Block;
use super::dtype::{DType, Element, with_dtype};
use super::error::{KernelError, Result};
use super::number::CastFrom;
use super::reduce::Accumulator;

/// How many elements are sorted into bins at once.
const TILE: usize = 1024;

/// What is counted.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::bins::Binning;
/// use talatat_kernels::reduce::LaneValues;
/// let x = Block::from_vec(&[4], vec![0.0, 0.4, 1.0, 7.0])?;
/// let edges = Block::from_vec(&[3], vec![0.0, 0.5, 1.0])?;
/// let histogram = Binning::Edges { uniform: vec![true], weighted: false };
/// assert_eq!(histogram.count(&[&x, &edges])?.finish()?, LaneValues::I64(vec![2, 1]));
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Binning {
    /// Points between edges: the blocks are the coordinates, one block for each, then the weights if there are any, then the
    /// edges of each coordinate (`float64`, ascending). A bin has its left edge, the last one both.
    Edges {
        /// Whether the edges of a coordinate are equally far from each other.
        uniform: Vec<bool>,
        /// Whether there are weights.
        weighted: bool,
    },
    /// Whole numbers: the blocks are the numbers, then the weights if there are any, then the largest number of all.
    Numbers {
        /// At least so many bins.
        least: usize,
        /// Whether there are weights.
        weighted: bool,
    },
}

impl Binning {
    /// NumPy's name.
    pub fn name(&self) -> &'static str {
        match self {
            Binning::Edges { uniform, .. } => match uniform.len() {
                1 => "histogram",
                2 => "histogram2d",
                _ => "histogramdd",
            },
            Binning::Numbers { .. } => "bincount",
        }
    }

    /// How many blocks lie along the array: coordinates and weights.
    pub fn aligned(&self) -> usize {
        match self {
            Binning::Edges { uniform, weighted } => uniform.len() + usize::from(*weighted),
            Binning::Numbers { weighted, .. } => 1 + usize::from(*weighted),
        }
    }

    /// Whether weights are added up.
    pub fn is_weighted(&self) -> bool {
        matches!(self, Binning::Edges { weighted: true, .. } | Binning::Numbers { weighted: true, .. })
    }

    /// The element type of what is added up.
    pub fn summed(&self) -> DType {
        if self.is_weighted() { DType::F64 } else { DType::I64 }
    }

    /// The counts, or the sums of weights, of one block.
    ///
    /// # Errors
    /// If the blocks are not those that are asked for, an edge is not finite, or a number is negative.
    pub fn count(&self, blocks: &[&Block]) -> Result<Accumulator> {
        let wrong =
            || KernelError::Arguments { operation: self.name(), expected: self.aligned() + 1, found: blocks.len() };
        let (points, rest) = blocks.split_at_checked(self.aligned()).ok_or_else(wrong)?;
        let (points, weights) = points.split_at(points.len() - usize::from(self.is_weighted()));
        let counted = points.first().ok_or_else(wrong)?;
        if let Some(other) = points.iter().chain(weights).find(|other| other.shape() != counted.shape()) {
            return Err(KernelError::ShapeMismatch {
                operation: self.name().into(),
                expected: counted.shape().to_vec(),
                found: other.shape().to_vec(),
            });
        }
        let mut sides = Vec::with_capacity(points.len());
        match self {
            Binning::Edges { uniform, .. } => {
                if rest.len() != uniform.len() {
                    return Err(wrong());
                }
                for (edges, uniform) in rest.iter().zip(uniform) {
                    sides.push(Side::Edges(Edges::new(self.name(), edges, *uniform)?));
                }
            }
            Binning::Numbers { least, .. } => {
                let most = rest.first().ok_or_else(wrong)?.cast(DType::I64);
                let most = most.view::<i64>()?.first().copied().unwrap_or(-1);
                // Of no numbers there is no largest one.
                let bins = match usize::try_from(most) {
                    Ok(most) => most + 1,
                    Err(_) if counted.is_empty() => 0,
                    Err(_) => return Err(self.negative()),
                };
                sides.push(Side::Numbers(bins.max(*least)));
            }
        }
        let lanes = sides.iter().map(Side::bins).try_fold(1_usize, usize::checked_mul);
        let lanes = lanes
            .filter(|&lanes| lanes < 1 << 40)
            .ok_or_else(|| KernelError::TooLarge { shape: sides.iter().map(Side::bins).collect() })?;
        let mut tally = Tally::new(lanes, weights.first().map(|weights| weights.len()));
        let packed: Vec<Option<Block>> = points.iter().map(|block| block.packed()).collect();
        let points: Vec<&Block> =
            points.iter().zip(&packed).map(|(block, packed)| packed.as_ref().unwrap_or(block)).collect();
        match (sides.as_slice(), points.as_slice()) {
            ([side], [block]) => with_dtype!(block.dtype(), T => self.line::<T>(side, block, &mut tally))?,
            (sides, points) => self.grid(sides, points, lanes, &mut tally)?,
        }
        tally.finish(weights.first().copied())
    }

    /// The elements of one coordinate.
    fn line<T: Element>(&self, side: &Side, block: &Block, tally: &mut Tally) -> Result<()>
    where
        f64: CastFrom<T>,
        i64: CastFrom<T>,
    {
        let view = block.view::<T>()?;
        let mut places = [0_u32; TILE];
        for x in view.as_slice().unwrap_or_default().chunks(TILE) {
            let places = &mut places[..x.len()];
            self.places(side, x, places)?;
            tally.add(places);
        }
        Ok(())
    }

    /// The points of several coordinates.
    fn grid(&self, sides: &[Side], points: &[&Block], lanes: usize, tally: &mut Tally) -> Result<()> {
        let length = points.first().map_or(0, |block| block.len());
        let mut places = [0_u32; TILE];
        let mut flat = [0_usize; TILE];
        for start in (0..length).step_by(TILE) {
            let count = TILE.min(length - start);
            let (places, flat) = (&mut places[..count], &mut flat[..count]);
            flat.fill(0);
            for (side, block) in sides.iter().zip(points) {
                with_dtype!(block.dtype(), T => {
                    let view = block.view::<T>()?;
                    let x = view.as_slice().and_then(|x| x.get(start..start + count)).unwrap_or_default();
                    self.places(side, x, places)?;
                });
                let bins = side.bins();
                for (flat, &place) in flat.iter_mut().zip(&*places) {
                    let inside = (place as usize) < bins && *flat < lanes;
                    *flat = if inside { *flat * bins + place as usize } else { lanes };
                }
            }
            tally.add_wide(flat);
        }
        Ok(())
    }

    /// The bins of some elements along one side.
    fn places<T: Element>(&self, side: &Side, x: &[T], places: &mut [u32]) -> Result<()>
    where
        f64: CastFrom<T>,
        i64: CastFrom<T>,
    {
        match side {
            Side::Edges(edges) => edges.places(x, places),
            Side::Numbers(_) => {
                for (place, &x) in places.iter_mut().zip(x) {
                    *place = u32::try_from(i64::cast_from(x)).unwrap_or(u32::MAX);
                }
                if places.contains(&u32::MAX) {
                    return Err(self.negative());
                }
            }
        }
        Ok(())
    }

    fn negative(&self) -> KernelError {
        KernelError::Parameter {
            operation: self.name(),
            reason: "a number is negative or too large to be counted: numbers must be from 0 to 2^32 - 2".into(),
        }
    }
}

/// One axis of the bins.
enum Side {
    Edges(Edges),
    Numbers(usize),
}

impl Side {
    fn bins(&self) -> usize {
        match self {
            Side::Edges(edges) => edges.bins(),
            Side::Numbers(bins) => *bins,
        }
    }
}
