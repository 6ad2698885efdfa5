//! Frames in buckets: an S3 server, and the same server as Google's store, whose XML protocol it speaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use talatat::frame::polars::prelude::*;
use talatat::frame::{CsvOptions, Frame, ParquetOptions, WriteOptions, read_csv_with, read_parquet_with};
use talatat::graph::Error as GraphError;
use talatat::storage::{StorageOptions, expand_with};
use talatat::{Compute, Error, ExecutorChoice, Session};
use talatat_servers::s3::{KEY, S3Server, SECRET};

/// Servers, where to write, and how to get there.
fn buckets() -> Vec<(S3Server, &'static str, StorageOptions)> {
    let s3 = S3Server::start(&["stones"]).unwrap();
    let of_s3 = StorageOptions::new()
        .with("AWS_ENDPOINT_URL", s3.endpoint())
        .with("AWS_ALLOW_HTTP", "true")
        .with("AWS_ACCESS_KEY_ID", KEY)
        .with("AWS_SECRET_ACCESS_KEY", SECRET)
        .with("AWS_REGION", "us-east-1");
    let google = S3Server::start_open(&["stones"]).unwrap();
    // How the store's client is told that nobody asks who it is.
    let nobody = format!(
        r#"{{"gcs_base_url": "{}", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}}"#,
        google.endpoint()
    );
    let of_google = StorageOptions::new().with("google_service_account_key", nobody);
    vec![(s3, "s3://stones", of_s3), (google, "gs://stones", of_google)]
}

fn sessions() -> Vec<Session> {
    let executors = [ExecutorChoice::Synchronous, ExecutorChoice::Threads, ExecutorChoice::Serialize];
    let here = executors.into_iter().map(|executor| Session::builder().executor(executor).threads(2).build().unwrap());
    #[cfg(feature = "cluster")]
    let here = here.chain(crate::common::cluster::cluster().map(|cluster| cluster.session().clone()));
    here.collect()
}

fn data(rows: i64) -> DataFrame {
    let year = |n: i64| 2020 + n % 3;
    let text = |n: i64| (n % 5 > 0).then(|| format!("stone, \"{n}\"\n"));
    df!(
        "n" => (0..rows).collect::<Vec<_>>(),
        "year" => (0..rows).map(year).collect::<Vec<_>>(),
        "text" => (0..rows).map(text).collect::<Vec<_>>(),
    )
    .unwrap()
}

fn names(url: &str, options: &StorageOptions) -> Vec<String> {
    let found = expand_with(&[format!("{url}/**")], options).unwrap_or_default();
    found.iter().map(|object| object.location().key().to_string()).collect()
}

/// With a glob, for this server has no answer to a look-up of a folder's name.
fn rows(url: &str, options: &StorageOptions) -> usize {
    read_parquet_with([format!("{url}/**")], ParquetOptions::new(), options).unwrap().len().compute().unwrap()
}

#[test]
fn parquet_and_csv() {
    for (server, bucket, storage) in buckets() {
        let write = || WriteOptions::new().storage(storage.clone());
        for (number, session) in sessions().iter().enumerate() {
            let frame = Frame::from_polars(data(300), 4);
            let url = format!("{bucket}/{number}/plain");
            frame.to_parquet(&url, write()).unwrap().compute_on(session).unwrap();
            assert_eq!(names(&url, &storage).len(), 4);
            let back = read_parquet_with([format!("{url}/**")], ParquetOptions::new(), &storage).unwrap();
            assert_eq!(back.compute_on(session).unwrap(), data(300));
            let glob = format!("{url}/part-00000[12].parquet");
            let some = read_parquet_with([&glob], ParquetOptions::new(), &storage).unwrap();
            let some = some.filter(col("n").gt(lit(200))).unwrap().select([col("text")]).unwrap();
            assert_eq!(some.compute_on(session).unwrap(), data(300).slice(201, 24).select(["text"]).unwrap());

            let url = format!("{bucket}/{number}/years");
            frame.to_parquet(&url, write().partition_on(["year"])).unwrap().compute_on(session).unwrap();
            let back = read_parquet_with([format!("{url}/**")], ParquetOptions::new(), &storage).unwrap();
            let year = back.filter(col("year").eq(lit(2021))).unwrap();
            assert_eq!(year.len().compute_on(session).unwrap(), 100);

            let url = format!("{bucket}/{number}/texts");
            frame.to_csv(&url, write()).unwrap().compute_on(session).unwrap();
            let options = CsvOptions::new().blocksize(500);
            let back = read_csv_with([format!("{url}/*.csv")], options, &storage).unwrap();
            assert!(back.partitions() > 8);
            assert_eq!(back.compute_on(session).unwrap(), data(300));
        }
        assert_eq!(server.unfinished(), 0, "{bucket}");
    }
}

#[test]
fn append_and_overwrite() {
    for (server, bucket, storage) in buckets() {
        let write = || WriteOptions::new().storage(storage.clone());
        let url = format!("{bucket}/grows");
        let frame = |rows| Frame::from_polars(data(rows), 3);
        frame(30).to_parquet(&url, write()).unwrap().compute().unwrap();
        let refused = frame(30).to_parquet(&url, write()).err().unwrap().to_string();
        assert!(refused.contains("is there; say `.overwrite()`"), "{refused}");
        frame(12).to_parquet(&url, write().append()).unwrap().compute().unwrap();
        assert_eq!(rows(&url, &storage), 42);
        frame(7).to_parquet(&url, write().overwrite()).unwrap().compute().unwrap();
        assert_eq!((rows(&url, &storage), names(&url, &storage).len()), (7, 3));
        assert_eq!(server.unfinished(), 0, "{bucket}");
    }
}

/// More than a part of an upload: what was written is there as a whole.
#[test]
fn large_parts() {
    for (server, bucket, storage) in buckets() {
        let url = format!("{bucket}/large");
        let values: Vec<f64> = (0..2_500_000).map(|n| f64::from(n).sqrt()).collect();
        let data = df!("x" => values).unwrap();
        let frame = Frame::from_polars(data.clone(), 1);
        let options = WriteOptions::new().storage(storage.clone()).compression(talatat::frame::Compression::None);
        frame.to_parquet(&url, options).unwrap().compute().unwrap();
        let found = expand_with(&[format!("{url}/*")], &storage).unwrap();
        assert!(found[0].size() > 16 << 20);
        let back = read_parquet_with([format!("{url}/**")], ParquetOptions::new(), &storage).unwrap();
        assert_eq!(back.compute().unwrap(), data);
        assert_eq!(server.unfinished(), 0);
    }
}

/// Whatever ends a write before its end, what was there is whole, and nothing else is.
#[test]
fn writes_that_do_not_end_well() {
    for (server, bucket, storage) in buckets() {
        let url = format!("{bucket}/old");
        let write = || WriteOptions::new().storage(storage.clone()).overwrite();
        Frame::from_polars(data(30), 3).to_parquet(&url, write()).unwrap().compute().unwrap();
        let before = names(&url, &storage);
        let whole = || {
            assert_eq!(names(&url, &storage), before, "{bucket}");
            assert_eq!(rows(&url, &storage), 30);
            assert_eq!(server.unfinished(), 0, "{bucket}");
        };
        for session in sessions() {
            // A partition that cannot be computed, and one that panics.
            for panics in [false, true] {
                let seen = Arc::new(AtomicUsize::new(0));
                let broken = Frame::from_polars(data(80), 8).map_partitions_as(
                    move |part| match seen.fetch_add(1, Ordering::Relaxed) {
                        5 if panics => panic!("a stone fell"),
                        5 => Err("a stone broke"),
                        _ => Ok(part),
                    },
                    data(1).schema(),
                );
                let outcome = broken.to_parquet(&url, write()).unwrap().compute_on(&session);
                // A closure cannot be sent to another process: that is told before anything is begun.
                assert!(outcome.is_err());
                whole();
            }
            // A cancel in the middle.
            let session = session.with_cancel(talatat::Cancel::new());
            let (cancel, seen) = (session.cancel_handle(), AtomicUsize::new(0));
            let cancelled = Frame::from_polars(data(80), 8).map_partitions_as(
                move |part| {
                    if seen.fetch_add(1, Ordering::Relaxed) == 5 {
                        cancel.cancel();
                    }
                    Ok::<_, String>(part)
                },
                data(1).schema(),
            );
            let outcome = cancelled.to_parquet(&url, write()).unwrap().compute_on(&session);
            let by_cancel = matches!(outcome, Err(Error::Graph(GraphError::Cancelled { .. })));
            assert!(by_cancel || outcome.is_err_and(|error| error.to_string().contains("closure")));
            whole();
        }
        // One that nobody computes.
        drop(Frame::from_polars(data(80), 8).to_parquet(&url, write()).unwrap());
        whole();
    }
}

/// Workers upload parts; the driver completes them, and what fails there leaves nothing.
#[test]
#[cfg(feature = "cluster")]
fn workers_write_uploads_that_the_driver_completes() {
    let Some(cluster) = crate::common::cluster::cluster() else { return };
    for (server, bucket, storage) in buckets() {
        let url = format!("{bucket}/there");
        let write = || WriteOptions::new().storage(storage.clone());
        let frame = Frame::from_polars(data(90), 6);
        let kept = frame.persist_on(cluster).unwrap();
        kept.to_parquet(&url, write()).unwrap().compute_on(cluster).unwrap();
        assert_eq!((rows(&url, &storage), names(&url, &storage).len()), (90, 6));
        let bad = frame.with_columns([col("text").strict_cast(DataType::Int64).alias("bad")]).unwrap();
        let failing = bad.to_parquet(&url, write().append()).unwrap();
        assert!(failing.compute_on(cluster).unwrap_err().to_string().contains("stone"));
        assert_eq!((rows(&url, &storage), names(&url, &storage).len()), (90, 6));
        // The engine frees what nobody wants any more when it comes to it.
        let freed = (0..1000).any(|_| server.unfinished() == 0 || cluster.refresh().is_err());
        assert!(freed && server.unfinished() == 0, "{bucket}");
    }
}
