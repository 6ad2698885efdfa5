//! Quantiles along an axis, by selection: the elements that are asked for are put in their places, the rest stays in no order.

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::dtype::{Element, with_dtype};
use super::error::{KernelError, Result};
use super::number::CastFrom;
use super::pool;
use super::sorted::order;

/// Between which elements a quantile lies, and how far from them: NumPy's methods, after Hyndman and Fan (1996).
///
/// ```
/// use talatat_kernels::quantile::Method;
/// assert_eq!(Method::ALL.len(), 13);
/// assert_eq!(Method::default().name(), "linear");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// Hyndman and Fan's 1: the least element that at least the share `q` of all does not exceed.
    InvertedCdf,
    /// 2: the same, with the mean of two where the share is met exactly.
    AveragedInvertedCdf,
    /// 3: the nearest element, of two the one at the even place.
    ClosestObservation,
    /// 4: along the line between two elements.
    InterpolatedInvertedCdf,
    /// 5.
    Hazen,
    /// 6.
    Weibull,
    /// 7, NumPy's default: the least element is the quantile 0, the greatest the quantile 1, in between along lines.
    #[default]
    Linear,
    /// 8: best if the distribution is not known.
    MedianUnbiased,
    /// 9: best if it is a normal distribution.
    NormalUnbiased,
    /// [`Method::Linear`], but the lower of the two elements.
    Lower,
    /// [`Method::Linear`], but the higher of the two elements.
    Higher,
    /// [`Method::Linear`], but the mean of the two elements.
    Midpoint,
    /// [`Method::Linear`], but the nearer of the two elements; of two equally near, the one at the even place.
    Nearest,
}

impl Method {
    /// All methods.
    pub const ALL: [Method; 13] = [
        Method::InvertedCdf,
        Method::AveragedInvertedCdf,
        Method::ClosestObservation,
        Method::InterpolatedInvertedCdf,
        Method::Hazen,
        Method::Weibull,
        Method::Linear,
        Method::MedianUnbiased,
        Method::NormalUnbiased,
        Method::Lower,
        Method::Higher,
        Method::Midpoint,
        Method::Nearest,
    ];

    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            Method::InvertedCdf => "inverted_cdf",
            Method::AveragedInvertedCdf => "averaged_inverted_cdf",
            Method::ClosestObservation => "closest_observation",
            Method::InterpolatedInvertedCdf => "interpolated_inverted_cdf",
            Method::Hazen => "hazen",
            Method::Weibull => "weibull",
            Method::Linear => "linear",
            Method::MedianUnbiased => "median_unbiased",
            Method::NormalUnbiased => "normal_unbiased",
            Method::Lower => "lower",
            Method::Higher => "higher",
            Method::Midpoint => "midpoint",
            Method::Nearest => "nearest",
        }
    }

    /// Where the quantile `q` of `count` elements lies, counted from 0, and how the part behind the point is to be taken.
    fn place(self, q: f64, count: usize) -> (f64, Part) {
        let n = count as f64;
        let last = (n - 1.0) * q;
        let between = |alpha: f64, beta: f64| n * q + (alpha + q * (1.0 - alpha - beta)) - 1.0;
        let discrete = |index: f64, down: fn(f64) -> bool| {
            let floor = index.floor();
            if index == floor && down(floor) { floor } else { floor + 1.0 }.max(0.0)
        };
        match self {
            Method::InvertedCdf => (discrete(n * q - 1.0, |_| true), Part::Exact),
            Method::AveragedInvertedCdf => (n * q - 1.0, Part::HalfOrNext),
            Method::ClosestObservation => (discrete(n * q - 1.5, |floor| floor % 2.0 == 1.0), Part::Exact),
            Method::InterpolatedInvertedCdf => (between(0.0, 1.0), Part::Linear),
            Method::Hazen => (between(0.5, 0.5), Part::Linear),
            Method::Weibull => (between(0.0, 0.0), Part::Linear),
            Method::Linear => (last, Part::Linear),
            Method::MedianUnbiased => (between(1.0 / 3.0, 1.0 / 3.0), Part::Linear),
            Method::NormalUnbiased => (between(3.0 / 8.0, 3.0 / 8.0), Part::Linear),
            Method::Lower => (last.floor(), Part::Exact),
            Method::Higher => (last.ceil(), Part::Exact),
            Method::Midpoint => (0.5 * (last.floor() + last.ceil()), Part::Linear),
            Method::Nearest => (last.round_ties_even(), Part::Exact),
        }
    }
}

/// What to make of the part of a place behind the point.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// There is none.
    Exact,
    /// A share of the way from one element to the next.
    Linear,
    /// Half of the way without one, else all of it.
    HalfOrNext,
}

/// Which quantiles, and how.
///
/// ```
/// use talatat_kernels::quantile::{Method, Quantile};
/// use talatat_kernels::Block;
/// let x = Block::from_vec(&[2, 3], vec![3.0, 1.0, 2.0, 6.0, 4.0, 5.0])?;
/// let ends = Quantile { points: vec![0.0, 1.0], method: Some(Method::Linear), skip_nan: false };
/// assert_eq!(ends.run(&x, 1)?, Block::from_vec(&[2, 2], vec![1.0, 4.0, 3.0, 6.0])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// From 0 to 1; the result has one index of its first axis for each.
    pub points: Vec<f64>,
    /// How places between elements are taken; none for the median: the mean of the two in the middle.
    pub method: Option<Method>,
    /// Whether NaN is left out; else it makes the result NaN.
    pub skip_nan: bool,
}

/// How many lines that do not lie in one piece are read side by side.
const LINES: usize = 16;

impl Quantile {
    /// The quantiles along an axis of a block, in front of the other axes; `float32` for `float32`, else `float64`.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn run(&self, block: &Block, axis: usize) -> Result<Block> {
        let shape = block.shape();
        let length = *shape.get(axis).ok_or(KernelError::Axis { axis, ndim: shape.len() })?;
        let inner: usize = shape[axis + 1..].iter().product();
        let outer: usize = shape[..axis].iter().product();
        let mut result: Vec<usize> = vec![self.points.len()];
        result.extend(shape.iter().enumerate().filter(|(other, _)| *other != axis).map(|(_, length)| length));
        let packed = block.packed();
        let block = packed.as_ref().unwrap_or(block);
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>()?;
            let values = view.as_slice().unwrap_or_default();
            let lanes = outer * inner;
            let mut found = pool::take::<<T as Element>::Float>(self.points.len() * lanes);
            let mut lines: Vec<Vec<T>> = (0..LINES.min(inner)).map(|_| Vec::with_capacity(length)).collect();
            for sheet in 0..outer {
                for start in (0..inner).step_by(LINES) {
                    let width = LINES.min(inner - start);
                    lines.iter_mut().for_each(Vec::clear);
                    for row in 0..length {
                        let at = (sheet * length + row) * inner + start;
                        for (line, &x) in lines.iter_mut().zip(&values[at..at + width]) {
                            line.push(x);
                        }
                    }
                    for (number, line) in lines.iter_mut().take(width).enumerate() {
                        let lane = sheet * inner + start + number;
                        self.of_line(line, |point, value| {
                            found[point * lanes + lane] = <<T as Element>::Float as CastFrom<f64>>::cast_from(value);
                        });
                    }
                }
            }
            Block::from_vec(&result, found)
        })
    }

    /// The quantiles of one line, whose elements change places.
    fn of_line<T: Element>(&self, line: &mut Vec<T>, mut give: impl FnMut(usize, f64))
    where
        f64: CastFrom<T>,
    {
        let missing = |x: &T| x.compare(*x).is_none();
        if self.skip_nan {
            line.retain(|x| !missing(x));
        }
        if line.is_empty() || (!self.skip_nan && line.iter().any(missing)) {
            return (0..self.points.len()).for_each(|point| give(point, f64::NAN));
        }
        let last = line.len() - 1;
        let places: Vec<(f64, Part)> = match self.method {
            Some(method) => self.points.iter().map(|&q| method.place(q, line.len())).collect(),
            None => vec![(last as f64 / 2.0, Part::Linear); self.points.len()],
        };
        let ends = |place: f64| {
            let low = if place < 0.0 { 0 } else { (place.floor() as usize).min(last) };
            (low, if place < 0.0 { 0 } else { (low + 1).min(last) })
        };
        let mut wanted: Vec<usize> = places.iter().flat_map(|&(place, _)| <[usize; 2]>::from(ends(place))).collect();
        wanted.sort_unstable();
        wanted.dedup();
        select(line, 0, &wanted);
        for (point, &(place, part)) in places.iter().enumerate() {
            let (low, high) = ends(place);
            let (a, b) = (f64::cast_from(line[low]), f64::cast_from(line[high]));
            let share = place - place.floor();
            give(
                point,
                match part {
                    _ if low == high => a,
                    Part::Exact => a,
                    Part::Linear if share == 0.0 => a,
                    Part::Linear if self.method.is_none() => (a + b) / 2.0,
                    Part::Linear => lerp(a, b, share),
                    Part::HalfOrNext => lerp(a, b, if share == 0.0 { 0.5 } else { 1.0 }),
                },
            );
        }
    }
}

/// From `a` to `b`, from the nearer of the two, as NumPy does it.
pub(super) fn lerp(a: f64, b: f64, share: f64) -> f64 {
    let step = b - a;
    if share >= 0.5 { b - step * (1.0 - share) } else { a + step * share }
}

/// Puts the elements that belong to the `wanted` places there; places are counted from `start`.
fn select<T: Element>(values: &mut [T], start: usize, wanted: &[usize]) {
    let mut pending = vec![(values, start, wanted)];
    while let Some((values, start, wanted)) = pending.pop() {
        let middle = wanted.len() / 2;
        let Some(&place) = wanted.get(middle) else { continue };
        if place - start >= values.len() {
            continue;
        }
        let (below, _, above) = values.select_nth_unstable_by(place - start, order);
        pending.push((below, start, &wanted[..middle]));
        pending.push((above, place + 1, &wanted[middle + 1..]));
    }
}
