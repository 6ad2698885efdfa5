//! Frames whose partitions are kept in a store.

use talatat::Compute;
use talatat::frame::polars::prelude::*;
use talatat::frame::{CsvOptions, read_csv};

use crate::common::sessions;

#[test]
fn partitions_are_found_again_until_the_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("kept").to_string_lossy().into_owned();
    let file = folder.path().join("stones.csv");
    let write = |rows: i64| {
        let text: String = (0..rows).map(|row| format!("{},{}\n", row % 3, row)).collect();
        std::fs::write(&file, format!("quarry,mass\n{text}")).unwrap();
    };
    let sums = || {
        let stones = read_csv([file.to_string_lossy()], CsvOptions::new().blocksize(64)).unwrap();
        stones.groupby(["quarry"]).unwrap().split_out(2).sum(["mass"]).unwrap()
    };
    write(30);
    let expected = sums().compute().unwrap();
    for (number, (name, session)) in sessions().iter().enumerate() {
        let sums = sums();
        let durable = sums.durable(&place).unwrap();
        assert_eq!(durable.compute_on(session).unwrap(), expected, "{name}");
        // Without rewrites it is other work, with other names.
        if number == 1 {
            assert_eq!(durable.survey().found, sums.partitions());
        }
        let kept = sums.persist_to_on(&place, session).unwrap();
        let heavy = kept.filter(col("mass").gt(lit(140))).unwrap().compute_on(session).unwrap();
        assert_eq!(heavy.height(), 2, "{name}");
    }
    write(31);
    let sums = sums();
    let durable = sums.durable(&place).unwrap();
    durable.compute_on(&sessions()[0].1).unwrap();
    assert_eq!(durable.survey().found, 0);
}
