//! Files that workers read and write.

use std::path::Path;

use talatat::array::{Array, LoadText, SaveText, from_ndarray, loadtxt, open_npy, open_npy_stack};
use talatat::prelude::*;

use crate::common::cluster::cluster;
use crate::here;

fn numbered() -> (Array<i32>, ndarray::ArrayD<i32>) {
    let data = ndarray::ArrayD::from_shape_vec(vec![13, 9], (0..13 * 9).collect()).unwrap();
    (from_ndarray(data.clone(), [5, 4]).unwrap(), data)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn npy_and_text_there_and_back() {
    let Some(cluster) = cluster() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (x, data) = numbered();
    for _ in 0..2 {
        cluster.scope(|| (&x * 2).to_npy(&path("x.npy"))).unwrap();
        assert_eq!(open_npy::<i32>(&path("x.npy"), [4, 4]).unwrap().compute_on(cluster).unwrap(), &data * 2);
    }
    cluster.scope(|| x.t().to_npy_stack(&path("stack"), 0)).unwrap();
    assert_eq!(open_npy_stack::<i32>(&path("stack")).unwrap().compute_on(cluster).unwrap(), data.t());
    cluster.scope(|| x.savetxt(&path("x.txt"), &SaveText::new().fmt("%d"))).unwrap();
    let text = loadtxt::<i32>(&path("x.txt"), &LoadText::new().block_bytes(50)).unwrap();
    assert_eq!(text.compute_on(cluster).unwrap(), data);
    assert_eq!(names(folder.path()), ["stack", "x.npy", "x.txt"]);
}

#[test]
#[cfg(feature = "zarr")]
fn zarr_there_and_back() {
    use talatat::array::{ZarrOptions, open_zarr};
    let Some(cluster) = cluster() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zarr").to_str().unwrap().to_string();
    let (x, data) = numbered();
    let options = ZarrOptions::new().chunks([4, 3]).overwrite(true);
    for factor in 1..3 {
        cluster.scope(|| (&x * factor).to_zarr_with(&path, &options)).unwrap();
        assert_eq!(open_zarr::<i32>(&path).unwrap().compute_on(cluster).unwrap(), &data * factor);
    }
    assert_eq!(names(folder.path()), ["x.zarr"]);
}

/// A run that fails leaves nothing, though others wrote.
#[test]
fn what_fails_leaves_nothing() {
    let Some(cluster) = cluster() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy").to_str().unwrap().to_string();
    let (x, _) = numbered();
    let bad = x.astype::<f64>() * f64::NAN;
    let indices = bad.nanargmin(0).unwrap();
    cluster.scope(|| indices.to_npy(&path)).unwrap_err();
    assert!(names(folder.path()).is_empty());
}

/// The memory of this process is not the workers': nothing must seem to be written.
#[test]
fn memory_is_refused() {
    let Some(cluster) = cluster() else { return };
    let (x, data) = numbered();
    here().scope(|| x.to_npy("memory://cluster/x.npy")).unwrap();
    let read = open_npy::<i32>("memory://cluster/x.npy", [4, 4]).unwrap();
    assert_eq!(read.compute_on(&here()).unwrap(), data);
    let error = read.compute_on(cluster).unwrap_err().to_string();
    assert!(error.contains("another process") && error.contains("stores.rs"), "{error}");
    let error = cluster.scope(|| x.to_npy("memory://cluster/y.npy")).unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    assert!(open_npy::<i32>("memory://cluster/y.npy", [4, 4]).is_err());
}
