//! Files that workers read and write.

use talatat::Compute;
use talatat::frame::polars::prelude::*;
use talatat::frame::{
    CsvOptions, JsonOptions, ParquetOptions, WriteOptions, read_csv, read_ipc, read_json, read_parquet,
};

use super::{data, frame, same, same_bits};
use crate::common::cluster::cluster;
use crate::here;

#[test]
fn every_format_there_and_back() {
    let Some(cluster) = cluster() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let f = frame().drop(["t"]).unwrap();
    let expected = data(200).drop("t").unwrap();
    for _ in 0..2 {
        f.to_parquet(&path("parquet"), WriteOptions::new().overwrite()).unwrap().compute_on(cluster).unwrap();
        let back = read_parquet([path("parquet")], ParquetOptions::new()).unwrap();
        assert!(same_bits(&back.compute_on(cluster).unwrap(), &expected));
        same(back.filter(col("id").gt(lit(150))).and_then(|f| f.select([col("s")])));
    }
    f.to_parquet(&path("keys"), WriteOptions::new().partition_on(["k"])).unwrap().compute_on(cluster).unwrap();
    let back = read_parquet([path("keys")], ParquetOptions::new()).unwrap();
    same(back.filter(col("k").eq(lit(3))).and_then(|f| f.sort_values(["id"], true)));
    f.to_csv(&path("csv"), WriteOptions::new()).unwrap().compute_on(cluster).unwrap();
    let back = read_csv([format!("{}/*.csv", path("csv"))], CsvOptions::new().blocksize(700)).unwrap();
    assert!(back.partitions() > 7);
    same(Ok(back));
    f.to_ipc(&path("ipc"), WriteOptions::new()).unwrap().compute_on(cluster).unwrap();
    let back = read_ipc([path("ipc")]).unwrap();
    assert!(same_bits(&back.compute_on(cluster).unwrap(), &expected));
    let some = f.select([col("id"), col("s")]).unwrap();
    some.to_json(&path("json"), WriteOptions::new()).unwrap().compute_on(cluster).unwrap();
    same(read_json([path("json")], JsonOptions::new().blocksize(900)));
    let hidden = std::fs::read_dir(folder.path()).unwrap();
    let hidden = hidden.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')).count();
    assert_eq!(hidden, 0, "no hidden folder is left");
}

/// Whether a block begins inside of quotes goes from worker to worker.
#[test]
fn newlines_in_quotes_over_borders() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quoted.csv");
    let text: String = (0..60).map(|n| format!("{n},\"a\n,{}\"\n", "b\"\"\n".repeat(n % 9))).collect();
    std::fs::write(&path, format!("n,text\n{text}")).unwrap();
    same(read_csv([path.to_str().unwrap()], CsvOptions::new().blocksize(40)));
}

/// What fails leaves what was there, and nothing of its own.
#[test]
fn what_fails_leaves_nothing() {
    let Some(cluster) = cluster() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out").to_str().unwrap().to_string();
    let bad = frame().with_columns([col("s").strict_cast(DataType::Int64).alias("n")]).unwrap();
    let write = bad.to_parquet(&path, WriteOptions::new()).unwrap();
    write.compute_on(cluster).unwrap_err();
    drop(write);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The memory of this process is not the workers': nothing must seem to be written.
#[test]
fn memory_is_refused() {
    let Some(cluster) = cluster() else { return };
    frame().to_parquet("memory://cluster/there", WriteOptions::new()).unwrap().compute_on(&here()).unwrap();
    let back = read_parquet(["memory://cluster/there"], ParquetOptions::new()).unwrap();
    let error = back.compute_on(cluster).unwrap_err().to_string();
    assert!(error.contains("another process") && error.contains("files.rs"), "{error}");
    let write = frame().to_parquet("memory://cluster/new", WriteOptions::new()).unwrap();
    let error = write.compute_on(cluster).unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
}
