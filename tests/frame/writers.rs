//! Frames into folders: what was written is read back, and what fails leaves what was there.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Compression, Frame, FrameWrite, ParquetOptions, WriteOptions, read_csv, read_parquet};
use talatat::prelude::CsvOptions;
use talatat::storage::expand;
use talatat::{Compute, compute_all};

use crate::common::{everywhere, local_sessions, place, says, sessions};
use crate::parquet::{as_expected, fixture};

/// Folders that are not there yet: a local one and, where tasks run in this process, one in memory.
fn folders(root: &tempfile::TempDir) -> [String; 2] {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    [format!("{}/out-{number}", root.path().display()), place(&format!("writer-tests/{number}"))]
}

fn frame() -> Frame {
    let data = df!("n" => [1_i64, 2, 3, 4, 5], "s" => [Some("a"), None, Some("b\"c,\n"), Some(""), Some("a")]).unwrap();
    Frame::from_polars(data, 3)
}

fn files(folder: &str) -> Vec<String> {
    let found = expand(&[format!("{folder}/**/*")]).unwrap_or_default();
    let mut names: Vec<String> =
        found.iter().map(|file| file.location().to_string()[folder.len() + 1..].to_string()).collect();
    names.sort();
    names
}

fn back(folder: &str) -> DataFrame {
    everywhere(&read_parquet([folder], ParquetOptions::new()).unwrap())
}

#[test]
fn every_executor_writes_the_same() {
    let root = tempfile::tempdir().unwrap();
    for (_, session) in sessions() {
        for folder in folders(&root) {
            let write = frame().to_parquet(&folder, WriteOptions::new()).unwrap();
            assert!(files(&folder).is_empty(), "nothing is seen of it");
            write.compute_on(session).unwrap();
            assert_eq!(files(&folder), ["part-000000.parquet", "part-000001.parquet", "part-000002.parquet"]);
            assert!(back(&folder).equals_missing(&frame().compute().unwrap()));
        }
    }
    let hidden = std::fs::read_dir(root.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "no hidden folder is left");
}

#[test]
fn types_survive() {
    let root = tempfile::tempdir().unwrap();
    let types = read_parquet([fixture("types.parquet")], ParquetOptions::new()).unwrap();
    for folder in folders(&root) {
        for compression in
            [Compression::None, Compression::Snappy, Compression::Lz4, Compression::Gzip, Compression::Zstd]
        {
            let options = WriteOptions::new().compression(compression).row_group_rows(30).overwrite();
            types.to_parquet(&folder, options).unwrap().compute().unwrap();
            as_expected(&back(&folder), "types");
        }
    }
}

#[test]
fn what_is_there_is_kept_added_to_or_replaced() {
    let root = tempfile::tempdir().unwrap();
    for folder in folders(&root) {
        let write = |options| frame().to_parquet(&folder, options).and_then(|write: FrameWrite| write.compute());
        write(WriteOptions::new()).unwrap();
        says(write(WriteOptions::new()), &["`part-000000.parquet` is there", ".overwrite()", ".append()"]);
        write(WriteOptions::new().append()).unwrap();
        assert_eq!(files(&folder).len(), 6);
        let twice = back(&folder);
        assert_eq!((twice.height(), twice.slice(5, 5)), (10, frame().compute().unwrap()));
        write(WriteOptions::new().overwrite().part_name("new")).unwrap();
        assert_eq!((files(&folder).len(), back(&folder).height()), (3, 5));
        assert!(files(&folder)[0].starts_with("new-"));
    }
}

#[test]
fn folders_for_values() {
    let root = tempfile::tempdir().unwrap();
    let data = df!(
        "year" => [2023, 2024, 2024, 2023, 2024],
        "town" => [Some("São/Paulo"), Some("a b"), None, Some("São/Paulo"), Some("%")],
        "x" => [1.0, 2.0, 3.0, 4.0, 5.0],
    )
    .unwrap();
    let frame = Frame::from_polars(data, 2);
    for folder in folders(&root) {
        let options = WriteOptions::new().partition_on(["year", "town"]);
        frame.to_parquet(&folder, options.clone()).unwrap().compute().unwrap();
        let got = back(&folder).sort(["x"], SortMultipleOptions::default()).unwrap();
        let expect =
            frame.select([col("x"), col("year").cast(DataType::Int64), col("town")]).unwrap().compute().unwrap();
        assert!(got.equals_missing(&expect), "{got}");
        frame.to_parquet(&folder, options.append()).unwrap().compute().unwrap();
        assert_eq!(back(&folder).height(), 10);
        let none = frame.filter(col("x").gt(lit(9.0))).unwrap();
        none.to_parquet(&format!("{folder}-none"), WriteOptions::new().partition_on(["year"]))
            .unwrap()
            .compute()
            .unwrap();
        assert!(files(&format!("{folder}-none")).is_empty());
    }
    let bad = |columns: &[&str]| {
        frame.to_parquet("memory://writer-tests/bad", WriteOptions::new().partition_on(columns.iter().copied()))
    };
    says(bad(&["z"]), &["to_parquet: there is no column `z`", "tests/frame/writers.rs:"]);
    says(bad(&["year", "town", "x"]), &["none is left for the files"]);
}

#[test]
fn no_rows() {
    let root = tempfile::tempdir().unwrap();
    for folder in folders(&root) {
        let none = frame().filter(col("n").gt(lit(9))).unwrap();
        none.to_parquet(&folder, WriteOptions::new()).unwrap().compute().unwrap();
        assert_eq!(files(&folder), ["part-000000.parquet"]);
        assert_eq!(back(&folder), none.compute().unwrap());
    }
}

#[test]
fn several_in_one_pass() {
    let root = tempfile::tempdir().unwrap();
    let [local, memory] = folders(&root);
    let large = frame().filter(col("n").gt(lit(2))).unwrap();
    let (_, _, rows) = compute_all((
        frame().to_parquet(&local, WriteOptions::new()).unwrap(),
        large.to_parquet(&memory, WriteOptions::new()).unwrap(),
        large.len(),
    ))
    .unwrap();
    assert_eq!((back(&local).height(), back(&memory).height(), rows), (5, 3, 3));
}

/// A writer in whose middle something fails or panics leaves what was there, and nothing of its own.
#[test]
fn failures_leave_what_was_there() {
    let root = tempfile::tempdir().unwrap();
    for panics in [false, true] {
        let broken = frame().map_partitions_as(
            move |part: DataFrame| match part.column("n")?.i64()?.get(0) {
                Some(4) if panics => panic!("boom"),
                Some(4) => Err(PolarsError::ComputeError("boom".into())),
                _ => Ok(part),
            },
            frame().schema(),
        );
        for folder in folders(&root) {
            for old in [false, true] {
                if old {
                    frame().to_parquet(&folder, WriteOptions::new()).unwrap().compute().unwrap();
                }
                let before = files(&folder);
                for options in [WriteOptions::new().append(), WriteOptions::new().overwrite()] {
                    for (name, session) in local_sessions() {
                        let write = broken.to_parquet(&folder, options.clone()).unwrap();
                        let text = write.compute_on(session).unwrap_err().to_string();
                        assert!(text.contains("boom"), "{name}: {text}");
                        drop(write);
                        assert_eq!(files(&folder), before, "{name}");
                    }
                }
                if old {
                    assert!(back(&folder).equals_missing(&frame().compute().unwrap()));
                }
            }
        }
    }
    let entries = std::fs::read_dir(root.path()).unwrap();
    let hidden = entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')).count();
    assert_eq!(hidden, 0, "no hidden folder is left");
}

#[test]
fn texts() {
    let root = tempfile::tempdir().unwrap();
    for folder in folders(&root) {
        frame().to_csv(&folder, WriteOptions::new().separator(b';').missing("NA")).unwrap().compute().unwrap();
        let options = CsvOptions::new().separator(b';').pandas_nulls();
        let got = everywhere(&read_csv([format!("{folder}/*.csv")], options).unwrap());
        // Of an empty text and a missing one CSV keeps no difference where words mean "missing".
        let expect = frame().with_columns([when(col("s").eq(lit(""))).then(lit(NULL)).otherwise(col("s")).alias("s")]);
        assert!(got.equals_missing(&expect.unwrap().compute().unwrap()), "{got}");
    }
    let nested = frame().select([as_struct(vec![col("n")]).alias("both")]).unwrap();
    says(
        nested.to_csv("memory://writer-tests/nested", WriteOptions::new()),
        &["column `both` is struct", "CSV cannot hold"],
    );
    let snappy = WriteOptions::new().compression(Compression::Snappy);
    says(frame().to_csv("memory://writer-tests/snappy", snappy), &["Snappy is not for this format"]);
    says(frame().to_json("/proc/none", WriteOptions::new()), &["/proc"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read(rows in prop::collection::vec((any::<Option<i32>>(), ".{0,6}", any::<f64>()), 0..40), parts in 1..6_usize, group in 1..20_usize) {
        let data = df!(
            "i" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "t" => rows.iter().map(|row| row.1.as_str()).collect::<Vec<_>>(),
            "x" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        )
        .unwrap();
        let root = tempfile::tempdir().unwrap();
        let [_, folder] = folders(&root);
        Frame::from_polars(data.clone(), parts).to_parquet(&folder, WriteOptions::new().row_group_rows(group)).unwrap().compute().unwrap();
        let got = read_parquet([&folder], ParquetOptions::new().partition_bytes(200)).unwrap().compute().unwrap();
        prop_assert!(got.equals_missing(&data));
    }
}
