//! Gaussian and uniform filters, as `scipy.ndimage` has them, made of weighted sums along one axis after the other.
//!
//! `cargo run --release --no-default-features --features array --example filters`

use ndarray::{ArrayD, IxDyn};
use talatat::array::{Array, Boundary, uniform};
use talatat::prelude::*;

/// Weights along one axis of an array.
fn along(weights: &[f64], axis: usize, ndim: usize) -> talatat::Result<ArrayD<f64>> {
    let mut shape = vec![1; ndim];
    shape[axis] = weights.len();
    let weights = ArrayD::from_shape_vec(IxDyn(&shape), weights.to_vec());
    weights.map_err(|error| talatat::Error::invalid("filter", error.to_string()))
}

/// The same weights along each axis: as many sums as an axis has weights and not as a block of them.
fn separable(x: &Array<f64>, weights: &[f64], boundary: Boundary<f64>) -> talatat::Result<Array<f64>> {
    (0..x.ndim()).try_fold(x.clone(), |x, axis| x.correlate_nd(&along(weights, axis, x.ndim())?, boundary))
}

/// `scipy.ndimage.gaussian_filter`, cut off at four standard deviations.
fn gaussian_filter(x: &Array<f64>, sigma: f64, boundary: Boundary<f64>) -> talatat::Result<Array<f64>> {
    let radius = (4.0 * sigma + 0.5) as i64;
    let weights: Vec<f64> = (-radius..=radius).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    separable(x, &weights.iter().map(|weight| weight / sum).collect::<Vec<_>>(), boundary)
}

/// `scipy.ndimage.uniform_filter`: the mean of a window.
fn uniform_filter(x: &Array<f64>, size: usize, boundary: Boundary<f64>) -> talatat::Result<Array<f64>> {
    separable(x, &vec![1.0 / size as f64; size], boundary)
}

fn main() -> talatat::Result<()> {
    let noise = uniform(0.0, 1.0, [2000, 2000], 7)?.rechunk(500)?;
    let smooth = gaussian_filter(&noise, 2.0, Boundary::Reflect)?;
    let means = uniform_filter(&noise, 5, Boundary::Nearest)?;
    // A part computes what it needs.
    let corner = smooth.slice(ndarray::s![..3, ..3])?.compute()?;
    println!("a corner, smoothed:\n{corner:.4}");
    let (noisy, gaussian, mean) =
        compute_all((noise.std(..)?.item()?, smooth.std(..)?.item()?, means.std(..)?.item()?))?;
    println!("standard deviations: {noisy:.4}, Gaussian filter {gaussian:.4}, uniform filter {mean:.4}");
    assert!(gaussian < mean && mean < noisy);
    Ok(())
}
