//! The wind example on real data, against NumPy.

#[path = "../../examples/wind/job.rs"]
mod job;

use ndarray::ArrayD;
use serde_json::Value as Json;
use talatat::array::{Array, Element, Promote, open_npy};
use talatat::prelude::*;

use crate::common::shared::shared;

fn number(json: &Json) -> f64 {
    json.as_str().map_or_else(|| json.as_f64().expect("a number"), |text| text.parse().expect("a number"))
}

#[track_caller]
fn close(found: f64, expected: &Json, tolerance: f64) {
    let expected = number(expected);
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{found} where {expected} is right");
}

fn wide<T: Element + Into<f64>>(array: &ArrayD<T>) -> ArrayD<f64> {
    array.mapv(Into::into)
}

fn compare<T>(u: &Array<T>, v: &Array<T>, all: &Json, tolerance: f64)
where
    T: Promote<T, Output = T> + Element<Float = T, Real = T> + Into<f64>,
{
    let expected = &all[T::DTYPE.name()];
    let wind = job::wind(u, v).unwrap();
    let summary = wind.summary(10.0).unwrap();
    close(summary.mean.into(), &expected["mean_over_all"], tolerance);
    close(summary.std.into(), &expected["std_over_all"], tolerance);
    close(summary.hardest.into(), &expected["max_speed"], tolerance);
    close(summary.share, &expected["share_over_10"], 1e-15);
    assert_eq!(serde_json::json!(summary.place), expected["max_index"]);
    close(summary.anomalies.0.into(), &expected["anomaly"]["min"], tolerance);
    close(summary.anomalies.1.into(), &expected["anomaly"]["max"], tolerance);
    close(summary.most_varied.into(), &expected["zonal_std"]["max"], tolerance);

    let (speed, mean, std, anomaly) = compute_all((wind.speed, wind.mean, wind.std, wind.anomaly)).unwrap();
    for (name, points, array) in [
        ("speed", "sample_cells", wide(&speed)),
        ("anomaly", "sample_cells", wide(&anomaly)),
        ("zonal_mean", "sample_rows", wide(&mean)),
        ("zonal_std", "sample_rows", wide(&std)),
    ] {
        close(array.iter().copied().fold(f64::INFINITY, f64::min), &expected[name]["min"], tolerance);
        close(array.iter().copied().fold(f64::NEG_INFINITY, f64::max), &expected[name]["max"], tolerance);
        close(array.iter().map(|x| x * x).sum(), &expected[name]["sum_of_squares"], tolerance);
        let points: Vec<Vec<usize>> = serde_json::from_value(all[points].clone()).unwrap();
        let samples = expected["samples"][name].as_array().unwrap();
        assert_eq!(points.len(), samples.len());
        for (mut point, sample) in points.into_iter().zip(samples) {
            point.resize(4, 0);
            close(array[point.as_slice()], sample, tolerance);
        }
    }
}

#[test]
fn as_numpy() {
    let (Some(u), Some(v)) = (shared("era_u.npy"), shared("era_v.npy")) else { return };
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wind_expected.json"));
    let expected: Json = serde_json::from_str(&text.unwrap()).unwrap();
    for chunks in [vec![-1_i64, -1, -1, -1], vec![1, 1, 100, 480], vec![2, 2, 50, 77]] {
        let chunks = || talatat::array::Chunks::PerAxis(chunks.iter().map(|&length| length.into()).collect());
        let open = |path: &std::path::Path| open_npy::<f32>(path.to_str().unwrap(), chunks()).unwrap();
        let (u, v) = (open(&u), open(&v));
        assert_eq!(serde_json::json!(u.shape().unwrap()), expected["shape"]);
        compare(&u.astype::<f64>(), &v.astype::<f64>(), &expected, 1e-12);
        compare(&u, &v, &expected, 1e-5);
    }
}
