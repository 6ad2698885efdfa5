//! Frames whose partitions stay on the workers.

use talatat::frame::polars::prelude::*;
use talatat::frame::{CsvOptions, Frame, MergeOn, SetIndex, read_csv};
use talatat::prelude::*;

use super::{data, frame, same_bits};
use crate::common::cluster::cluster_builder;
use crate::here;

#[test]
fn later_computes_start_from_what_was_persisted() {
    let Some(builder) = cluster_builder() else { return };
    let cluster = builder.local(2).unwrap();
    let large = frame().filter(col("id").gt(lit(50))).unwrap();
    let kept = large.persist_on(&cluster).unwrap();
    assert!(cluster.kept().unwrap() > 0);
    // How many rows a partition has is known without a look at it.
    let text = cluster.explain(&kept.len()).unwrap().to_string();
    assert!(!text.contains("frame.len ") && text.contains("persisted: 7 partitions"), "{text}");
    let expected = large.compute_on(&here()).unwrap();
    assert_eq!(kept.len().compute_on(&cluster).unwrap(), expected.height());
    assert!(same_bits(&kept.compute_on(&cluster).unwrap(), &expected));
    let sums = |f: &Frame| f.groupby(["k"]).unwrap().split_out(2).sum(["x"]).unwrap();
    let text = cluster.explain(&sums(&kept)).unwrap().to_string();
    assert!(text.contains("persisted") && !text.contains("persisted >"), "{text}");
    let expected = sums(&large).compute_on(&here()).unwrap();
    assert!(same_bits(&sums(&kept).compute_on(&cluster).unwrap(), &expected));
    // On another executor the partitions are brought here.
    assert!(same_bits(&sums(&kept).compute_on(&here()).unwrap(), &expected));
    // Persisted again from what is there, and joined with what was there before.
    let again = kept.filter(col("k").eq(lit(1))).unwrap().persist_on(&cluster).unwrap();
    let both = |f: &Frame, some: &Frame| {
        let some = some.select([col("id"), col("x").alias("y")]).unwrap();
        f.merge(&some, MergeOn::keys(["id"]).broadcast(false)).unwrap()
    };
    let some = large.filter(col("k").eq(lit(1))).unwrap();
    let expected = both(&large, &some).compute_on(&here()).unwrap();
    assert!(same_bits(&both(&kept, &again).compute_on(&cluster).unwrap(), &expected));
    drop(kept);
    assert_eq!(again.len().compute_on(&cluster).unwrap(), some.len().compute_on(&here()).unwrap());
    drop(again);
    assert_eq!(cluster.kept().unwrap(), 0);
}

/// Between which values of the index a partition lies is found out on the workers.
#[test]
fn divisions_are_known_after_persisting() {
    let Some(builder) = cluster_builder() else { return };
    let cluster = builder.local(2).unwrap();
    let indexed = frame().set_index("id", SetIndex::new()).unwrap();
    assert!(!indexed.divisions().unwrap().are_known());
    let (kept, other) = (&indexed, frame().len()).persist_on(&cluster).unwrap();
    let local = indexed.persist_on(&here()).unwrap();
    assert!(local.divisions().unwrap().are_known());
    assert_eq!(kept.divisions(), local.divisions());
    assert_eq!(other.compute_on(&here()).unwrap(), 200);
    let some = kept.loc(40_i64..=59).unwrap();
    assert!(some.partitions() < kept.partitions());
    let expected = indexed.loc(40_i64..=59).unwrap().compute_on(&here()).unwrap();
    assert!(same_bits(&some.compute_on(&cluster).unwrap(), &expected));
    // Partitions with equal indices meet one by one.
    let joined = kept.merge(&kept.select([col("id"), col("x").alias("y")]).unwrap(), MergeOn::keys(["id"])).unwrap();
    let text = cluster.explain(&joined).unwrap().to_string();
    assert!(text.contains("sorted partitions"), "{text}");
    assert_eq!(joined.len().compute_on(&cluster).unwrap(), 200);
}

#[test]
fn what_was_read_there_stays_there() {
    let Some(builder) = cluster_builder() else { return };
    let cluster = builder.local(2).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stones.csv");
    let text: String = (0..500).map(|n| format!("{n},{}\n", n * 7 % 31)).collect();
    std::fs::write(&path, format!("n,x\n{text}")).unwrap();
    let stones = read_csv([path.to_str().unwrap()], CsvOptions::new().blocksize(600)).unwrap();
    let kept = stones.persist_on(&cluster).unwrap();
    drop(folder);
    assert!(kept.partitions() > 4);
    assert_eq!(kept.len().compute_on(&cluster).unwrap(), 500);
    let head = kept.filter(col("x").eq(lit(0))).unwrap().head(3).compute_on(&cluster).unwrap();
    assert_eq!(head.column("n").unwrap().i64().unwrap().into_no_null_iter().collect::<Vec<_>>(), [0, 31, 62]);
    // What is here goes there, too.
    let sent = Frame::from_polars(data(60), 3).persist_on(&cluster).unwrap();
    assert!(same_bits(&sent.compute_on(&cluster).unwrap(), &data(60)));
}
