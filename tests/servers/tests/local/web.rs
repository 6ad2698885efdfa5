//! Files of web servers, and servers that fail.

use talatat::frame::polars::prelude::*;
use talatat::frame::{CsvOptions, Frame, ParquetOptions, WriteOptions, read_csv, read_csv_with, read_parquet};
use talatat::storage::{Location, ObjectRef, StorageOptions, expand, expand_with};
use talatat::{Compute, Session};
use talatat_servers::web::{Fault, Skill, WebServer};

const ROWS: usize = 2000;
/// Larger than what is read with a block for the record that goes on.
const BLOCK: u64 = 4 << 10;

fn text() -> String {
    let rows: String = (0..ROWS).map(|n| format!("{n},{}\n", n * 7 % 13)).collect();
    format!("id,x\n{rows}")
}

/// Few retries, little patience.
fn short() -> StorageOptions {
    StorageOptions::new().with("max_retries", "3").with("timeout", "200ms")
}

fn blocks() -> CsvOptions {
    CsvOptions::new().sample(1000).blocksize(BLOCK)
}

fn says<T>(result: talatat::Result<T>, parts: &[&str]) -> String {
    let text = result.err().expect("this worked").to_string();
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    text
}

fn ids(frame: &Frame) -> Vec<i64> {
    let got = frame.compute().unwrap();
    got.column("id").unwrap().i64().unwrap().into_no_null_iter().collect()
}

#[test]
fn files_are_read_by_ranges() {
    let server = WebServer::start(Skill::All).unwrap();
    let urls = [server.put("a b.csv", text()), server.put("more/c.csv", "id,x\n-1,5\n")];
    let urls = [urls[0].replace(' ', "%20"), urls[1].clone()];
    let frame = read_csv(&urls, blocks().include_path("from")).unwrap();
    assert!(frame.partitions() > 4);
    let expect: Vec<i64> = (0..ROWS as i64).chain([-1]).collect();
    assert_eq!(ids(&frame), expect);
    let last = frame.filter(col("id").eq(lit(-1))).unwrap().compute().unwrap();
    assert_eq!(last.column("from").unwrap().str().unwrap().get(0), Some(urls[1].as_str()));
    // A query is part of the name.
    let signed = server.put("x.csv?sig=a%2Fb", "id,x\n3,4\n");
    assert_eq!(ids(&read_csv([signed], CsvOptions::new()).unwrap()), [3]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    frame.to_parquet(path.to_str().unwrap(), WriteOptions::new()).unwrap().compute().unwrap();
    let parquet = std::fs::read(path.join("part-000001.parquet")).unwrap();
    let frame = read_parquet([server.put("1.parquet", parquet)], ParquetOptions::new()).unwrap();
    let some = frame.filter(col("id").lt(lit(1500))).unwrap().select([col("x")]).unwrap();
    assert!(some.compute().unwrap().height() > 0);
}

#[test]
fn servers_that_know_little() {
    let server = WebServer::start(Skill::NoHead).unwrap();
    let url = server.put("x.csv", text());
    assert_eq!(ids(&read_csv([url], blocks()).unwrap()).len(), ROWS);
    let server = WebServer::start(Skill::NoRanges).unwrap();
    let small = server.put("small.csv", "id,x\n3,4\n");
    // Without `HEAD` and ranges nobody can know how large it is.
    says(read_csv([small], CsvOptions::new()), &["small.csv"]);
}

/// Azure's blobs are read as files of a web server are.
#[test]
fn blobs() {
    let server = WebServer::start(Skill::All).unwrap();
    let endpoint = server.put("box/folder/x.csv", text()).replace("/box/folder/x.csv", "");
    let options = StorageOptions::new()
        .with("azure_storage_account_name", "mine")
        .with("azure_storage_endpoint", endpoint)
        .with("azure_skip_signature", "true")
        .with("max_retries", "1");
    for url in ["az://box/folder/x.csv", "abfs://box@mine.dfs.core.windows.net/folder/x.csv"] {
        let frame = read_csv_with([url], blocks(), &options).unwrap();
        assert_eq!(ids(&frame).len(), ROWS);
    }
    says(read_csv_with(["az://box/y.csv"], blocks(), &options), &["az://box/y.csv"]);
}

#[test]
fn what_cannot_be() {
    let server = WebServer::start(Skill::All).unwrap();
    let url = server.put("x.csv", text());
    says(
        read_csv([url.replace("x.csv", "*.csv")], CsvOptions::new()),
        &["cannot be asked what files it has", "one by one"],
    );
    says(read_csv([url.replace("x.csv", "y.csv")], CsvOptions::new()), &["y.csv", "no file of that name"]);
    let frame = read_csv([url.clone()], CsvOptions::new()).unwrap();
    says(frame.to_parquet(&url, WriteOptions::new()), &["only read from"]);
    let wrong = StorageOptions::new().with("patience", "1");
    says(expand_with(&[url.as_str()], &wrong).map_err(Into::into), &["`patience`", "not known"]);
    assert!(expand(&["http://127.0.0.1:1/x"]).is_err_and(|error| error.to_string().contains("127.0.0.1:1/x")));
}

#[test]
fn faults_that_pass() {
    let server = WebServer::start(Skill::All).unwrap();
    let url = server.put("x.csv", text());
    let expect: Vec<i64> = (0..ROWS as i64).collect();
    for faults in [
        vec![Fault::Busy, Fault::Busy],
        vec![Fault::Stall],
        vec![Fault::Cut(0), Fault::Cut(100)],
        vec![Fault::Busy, Fault::Cut(17), Fault::Stall],
    ] {
        let frame = read_csv_with([url.as_str()], blocks(), &short()).unwrap();
        let (before, count) = (server.requests("x.csv"), faults.len());
        server.fail("x.csv", faults.clone());
        let session = Session::builder().threads(1).build().unwrap();
        let got = frame.compute_on(&session).unwrap();
        let got: Vec<i64> = got.column("id").unwrap().i64().unwrap().into_no_null_iter().collect();
        assert!(got == expect, "{faults:?}");
        // The faults were met.
        assert_eq!(server.requests("x.csv") - before, frame.partitions() + count, "{faults:?}");
    }
}

/// A failure names the file, the block and the bytes, and what to do.
#[test]
fn faults_that_last() {
    let server = WebServer::start(Skill::All).unwrap();
    let url = server.put("x.csv", text());
    for (fault, cause) in [(Fault::Busy, "503"), (Fault::Stall, ""), (Fault::Cut(5), "")] {
        let frame = read_csv_with([url.as_str()], blocks(), &short()).unwrap();
        server.fail("x.csv", std::iter::repeat_n(fault.clone(), 40));
        let session = Session::builder().threads(1).build().unwrap();
        let error = says(
            frame.compute_on(&session),
            &["frame.csv_read, block 0", "reading bytes 0..", "x.csv`", "max_retries", "`timeout`", cause],
        );
        assert!(error.contains("called at"), "{error}");
        let object = ObjectRef::open(&Location::parse_with(&url, &short()).unwrap()).unwrap();
        let error = object.read_range(7..90).unwrap_err().to_string();
        assert!(error.contains("reading bytes 7..90"), "{error}");
        server.clear("x.csv");
    }
}

#[test]
fn a_file_that_changes_meanwhile() {
    let server = WebServer::start(Skill::All).unwrap();
    let url = server.put("x.csv", text());
    let frame = read_csv([url.as_str()], blocks()).unwrap();
    // Of the same size, and read in the middle.
    server.fail("x.csv", [Fault::Replace(text().replace("5\n", "6\n").into_bytes())]);
    says(frame.compute(), &["x.csv` has changed since it was opened", "build the collection anew"]);
    assert_eq!(ids(&read_csv([url.as_str()], blocks()).unwrap()).len(), ROWS);
}
