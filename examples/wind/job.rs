//! The computation, apart from the program around it.

use talatat::Result;
use talatat::array::kernels::Scalar;
use talatat::array::{Array, Element, Promote, axis};
use talatat::prelude::*;

/// Wind speed and how it varies along the last axis.
pub struct Wind<T> {
    /// `sqrt(u² + v²)`.
    pub speed: Array<T>,
    /// Its mean over the last axis, which stays with length 1.
    pub mean: Array<T>,
    /// Its standard deviation over the last axis, which stays with length 1.
    pub std: Array<T>,
    /// The speed less its mean.
    pub anomaly: Array<T>,
}

/// Describes the computation; nothing is computed yet.
pub fn wind<T>(u: &Array<T>, v: &Array<T>) -> Result<Wind<T>>
where
    T: Promote<T, Output = T> + Element<Float = T, Real = T>,
{
    let speed = (u * u + v * v).sqrt();
    let (mean, std) = (speed.mean(axis(-1).keepdims())?, speed.std(axis(-1).keepdims())?);
    let anomaly = &speed - &mean;
    anomaly.check()?;
    Ok(Wind { speed, mean, std, anomaly })
}

/// Numbers about the whole field.
pub struct Summary<T> {
    pub mean: T,
    pub std: T,
    pub hardest: T,
    /// Where it blows hardest first: an index for each axis.
    pub place: Vec<usize>,
    /// The share of cells above a limit.
    pub share: f64,
    /// The least and the largest anomaly.
    pub anomalies: (T, T),
    /// The largest standard deviation along the last axis.
    pub most_varied: T,
}

impl<T> Wind<T>
where
    T: Promote<T, Output = T> + Element<Float = T, Real = T>,
{
    /// Computes all numbers in one graph.
    pub fn summary(&self, limit: f64) -> Result<Summary<T>> {
        let limit: T = Scalar::from(limit).get();
        let (mean, std, hardest, flat, share, least, most, most_varied) = compute_all((
            self.speed.mean(..)?.item()?,
            self.speed.std(..)?.item()?,
            self.speed.max(..)?.item()?,
            self.speed.argmax(..)?.item()?,
            self.speed.greater::<T>(limit).mean(..)?.item()?,
            self.anomaly.min(..)?.item()?,
            self.anomaly.max(..)?.item()?,
            self.std.max(..)?.item()?,
        ))?;
        let place = unravel(flat as usize, &self.speed.shape()?);
        Ok(Summary { mean, std, hardest, place, share, anomalies: (least, most), most_varied })
    }
}

/// The index along each axis of an element of the flat array.
fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut place: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&length| {
            let at = flat % length;
            flat /= length;
            at
        })
        .collect();
    place.reverse();
    place
}
