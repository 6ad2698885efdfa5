//! Principal components of many points: where they vary most. By the randomised singular value decomposition of the centred points.
//!
//! `cargo run --release --no-default-features --features array --example pca`

use talatat::array::{Array, axis, normal};
use talatat::prelude::*;

/// The mean, the `k` first components as rows, and the variance along each of them.
struct Components {
    mean: Array<f64>,
    components: Array<f64>,
    variances: Array<f64>,
}

fn fit(points: &Array<f64>, k: usize) -> talatat::Result<Components> {
    let mean = points.mean(axis(0).keepdims())?;
    let (_, s, components) = (points - &mean).svd_compressed(k, 10, 2, 1)?;
    let degrees = (points.shape()?[0] - 1) as f64;
    Ok(Components { mean, components, variances: &s * &s / degrees })
}

impl Components {
    /// Points in the plane of the components.
    fn transform(&self, points: &Array<f64>) -> talatat::Result<Array<f64>> {
        (points - &self.mean).matmul(&self.components.t())
    }
}

fn main() -> talatat::Result<()> {
    // Points in 30 dimensions that lie near a plane.
    let (count, dimensions) = (100_000, 30);
    let plane = normal(0.0, 1.0, [2, dimensions], 1)?;
    let within = normal(0.0, 3.0, [count, 2], 2)?.rechunk([10_000, 2])?;
    let noise = normal(0.0, 0.1, [count, dimensions], 3)?.rechunk([10_000, dimensions])?;
    let points = (within.matmul(&plane)? + noise + 5.0).persist()?;

    let found = fit(&points, 3)?;
    let flat = found.transform(&points)?;
    let (variances, spread) = compute_all((found.variances.clone(), flat.var_ddof(0, 1)?))?;
    println!("variances along the components: {variances:.3}");
    println!("variances of the points there:  {spread:.3}");
    assert!(variances[[1]] > 100.0 * variances[[2]], "two components are enough");
    assert!(variances.iter().zip(&spread).take(2).all(|(a, b)| (a - b).abs() < 1e-6 * a));
    Ok(())
}
