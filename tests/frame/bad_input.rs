//! What cannot work says what, where and how to mend it: when the frame is made, if that can be known.

use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, agg, read_csv};
use talatat::prelude::CsvOptions;
use talatat::storage::{Location, write_atomic};
use talatat::{Compute, Error};

use crate::common::{csv, memory, says};

fn frame() -> Frame {
    Frame::from_polars(df!("town" => ["Lyon", "Oslo"], "fare" => [1.0, 2.0]).unwrap(), 2)
}

#[test]
fn unknown_columns() {
    let parts = ["there is no column `fair`; there are town (str), fare (f64)", "tests/frame/bad_input.rs:"];
    says(frame().select([col("fair")]), &parts);
    says(frame().filter(col("fair").gt(lit(1))), &parts);
    says(frame().with_columns([(col("fair") + lit(1)).alias("x")]), &parts);
    says(frame().groupby(["fair"]).map(|_| ()), &parts);
    says(frame().groupby(["town"]).and_then(|group| group.mean(["fair"])), &parts);
    says(frame().groupby(["town"]).and_then(|group| group.agg([agg::mean("fair")])), &parts);
}

#[test]
fn wrong_types() {
    says(frame().filter(col("fare") + lit(1.0)), &["filter: ", "called at tests/frame/bad_input.rs"]);
    says(
        frame().groupby(["town"]).and_then(|group| group.agg([agg::mean("town")])),
        &["mean of col(\"town\") makes no sense for type str"],
    );
    says(frame().with_columns([(col("town") - lit(1)).alias("x")]), &["with_columns: "]);
}

#[test]
fn expressions_that_look_at_other_rows() {
    for expr in [
        col("fare").sum(),
        col("fare") - col("fare").mean(),
        col("fare").shift(lit(1)),
        col("fare").sort(Default::default()),
        len(),
    ] {
        says(frame().with_columns([expr.alias("x")]), &["looks at more than one row", "map_partitions"]);
    }
    says(frame().select([lit(1)]), &["select at least one column"]);
}

#[test]
fn aggregations_that_make_no_table() {
    says(frame().groupby(Vec::<Expr>::new()).map(|_| ()), &["there is no key"]);
    says(frame().groupby(["town"]).and_then(|group| group.agg(Vec::<agg::Agg>::new())), &["no aggregation"]);
    says(
        frame().groupby(["town"]).and_then(|group| group.agg([agg::sum("fare"), agg::sum("fare")])),
        &["the same name", "alias"],
    );
    says(Frame::from_partitions([]), &["there is no partition"]);
    says(
        Frame::from_partitions([df!("x" => [1]).unwrap(), df!("y" => [1]).unwrap()]),
        &["partition 1 has the columns y (i32)"],
    );
}

#[test]
fn files_that_are_not_there() {
    says(read_csv(["memory://nowhere/*.csv"], CsvOptions::new()), &["matches no file"]);
    says(read_csv(["/no/such/folder/trips.csv"], CsvOptions::new()), &["does not exist"]);
    says(read_csv(Vec::<String>::new(), CsvOptions::new()), &["matches no file"]);
}

#[test]
fn files_that_are_no_csv() {
    let binary = |bytes: &[u8], name: &str| {
        let url = format!("memory://bad-csv/{name}");
        write_atomic(&Location::parse(&url).unwrap(), |w| std::io::Write::write_all(w, bytes)).unwrap();
        read_csv([url], CsvOptions::new())
    };
    says(binary(b"a,b\n1,\x00\n", "zero"), &["bad-csv/zero`, byte 6", "zero byte"]);
    says(binary(b"a,b\n1,\xff\n", "latin"), &["byte 6", "UTF-8"]);
    says(binary(b"\x1f\x8b\x08\x00", "gzip"), &["compressed"]);
    says(binary(b"", "empty"), &["no header"]);
    says(csv("a,b\n1,2\n1,2,3\n", CsvOptions::new()), &["line 3 has 3 fields", "byte 8"]);
    says(csv("a\n1\n", CsvOptions::new().with_dtype("b", DataType::String)), &["column `b`; there are a"]);
    says(csv("a,b\n1,2\n", CsvOptions::new().column_names(["x"])), &["1 names, but the file has 2 columns"]);
}

/// What the sample does not see is found when it is parsed, by file, block and byte.
#[test]
fn later_records_that_do_not_fit() {
    let late = |last: &str| {
        let text = format!("id,x\n{}{last}", "1,2\n".repeat(100));
        csv(&text, CsvOptions::new().sample(100).blocksize(150)).unwrap().compute()
    };
    says(
        late("3,4.5\n"),
        &[
            "frame-tests/",
            "byte 40",
            "block 2: column `x`: cannot read `4.5` as dtype `i64`",
            ".with_dtype(\"x\"",
            "called at tests/frame/common.rs",
        ],
    );
    says(late("3,4,5\n"), &["block 2: a record has more fields"]);
    says(late("3,\"4\n"), &["quote"]);
    says(late("3,4\"5\n"), &["quote"]);
    let bytes = ["id,x\n".as_bytes(), "1,2\n".repeat(100).as_bytes(), b"1,\xff\n"].concat();
    let url = "memory://bad-csv/late-bytes";
    write_atomic(&Location::parse(url).unwrap(), |w| std::io::Write::write_all(w, &bytes)).unwrap();
    says(read_csv([url], CsvOptions::new().sample(100)).unwrap().compute(), &["byte 407", "UTF-8"]);
}

#[test]
fn files_of_different_columns() {
    let paths = [memory("a,b\n1,2\n"), memory("a,c\n1,2\n")];
    let error = says(
        read_csv(&paths, CsvOptions::new()).unwrap().compute(),
        &["the header is [a, c], but that of the first file is [a, b]"],
    );
    assert!(error.contains(paths[1].trim_start_matches("memory://")), "{error}");
    assert!(matches!(read_csv(&paths, CsvOptions::new()).unwrap().len().compute(), Err(Error::Graph(_))));
}
