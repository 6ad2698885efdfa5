//! Arrays in an S3 server: written by many tasks, read back, on every executor.
//!
//! URLs of arrays have no options of their own: the server is told through the environment. So each test starts a server and itself once more, with
//! the environment for it.

use std::process::Command;

#[cfg(feature = "zarr")]
use ndarray::s;
use ndarray::{ArrayD, IxDyn};
use talatat::array::{LoadText, SaveText, from_ndarray, loadtxt, open_npy_stack};
#[cfg(feature = "zarr")]
use talatat::array::{ZarrInfo, ZarrOptions, ZarrVersion, ZarrWrite, open_zarr};
use talatat::prelude::*;
use talatat::{ExecutorChoice, Session};
use talatat_servers::s3::{KEY, S3Server, SECRET};

/// Runs a test against a server: in a process of its own.
fn with_server(name: &str, test: impl Fn()) {
    const INSIDE: &str = "TALATAT_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let server = S3Server::start(&["stones"]).unwrap();
    let again = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .env("AWS_ENDPOINT_URL", server.endpoint())
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_REGION", "us-east-1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&again.stderr));
}

fn sessions() -> Vec<Session> {
    let executors = [ExecutorChoice::Synchronous, ExecutorChoice::Threads, ExecutorChoice::Serialize];
    executors.into_iter().map(|executor| Session::builder().executor(executor).threads(2).build().unwrap()).collect()
}

fn numbered(shape: &[usize]) -> ArrayD<i32> {
    let count = shape.iter().product::<usize>() as i32;
    ArrayD::from_shape_vec(IxDyn(shape), (0..count).collect()).unwrap()
}

fn objects(url: &str) -> usize {
    talatat::storage::expand(&[format!("{url}/**")]).map_or(0, |found| found.len())
}

#[test]
fn stacks_of_npy_files() {
    with_server("arrays::stacks_of_npy_files", || {
        let data = numbered(&[13, 9]);
        for (number, session) in sessions().iter().enumerate() {
            let url = format!("s3://stones/stack/{number}");
            let x = from_ndarray(data.clone(), [5, 4]).unwrap() + 1;
            session.scope(|| x.to_npy_stack(&url, 1)).unwrap();
            assert_eq!(objects(&url), 4);
            let back = open_npy_stack::<i32>(&url).unwrap();
            assert_eq!((back.compute_on(session).unwrap(), back.numblocks()), (&data + 1, vec![1, 3]));
            let again = session.scope(|| x.to_npy_stack(&url, 1)).unwrap_err().to_string();
            assert!(again.contains("is there"), "{again}");
        }
    });
}

#[test]
fn matrices_as_text() {
    with_server("arrays::matrices_as_text", || {
        let data = numbered(&[130, 9]);
        for session in sessions() {
            let url = "s3://stones/text/x.txt";
            let x = from_ndarray(data.clone(), [50, 4]).unwrap();
            session.scope(|| x.savetxt(url, &SaveText::new().fmt("%d").header("x"))).unwrap();
            let back = loadtxt::<i32>(url, &LoadText::new().block_bytes(500)).unwrap();
            assert!(back.numblocks()[0] > 3);
            assert_eq!(back.compute_on(&session).unwrap(), data);
        }
    });
}

#[cfg(feature = "zarr")]
#[test]
fn zarr_arrays() {
    with_server("arrays::zarr_arrays", || {
        let data = numbered(&[13, 9]);
        let plain = || ZarrOptions::new().chunks([2, 3]).overwrite(true);
        let layouts = [plain().version(ZarrVersion::V2), plain(), plain().shards([4, 9]).checksum(true)];
        for session in sessions() {
            for (options, (metadata, count)) in
                layouts.iter().zip([(".zarray", 21), ("zarr.json", 22), ("zarr.json", 5)])
            {
                let url = "s3://stones/group/x.zarr";
                let x = from_ndarray(data.clone(), [5, 4]).unwrap() + 1;
                session.scope(|| x.to_zarr_with(url, options)).unwrap();
                // Those of the layout before are gone; a glob does not find what begins with a point.
                assert_eq!(objects(url), count);
                let found = talatat::storage::expand(&[format!("{url}/{metadata}")]).unwrap();
                assert_eq!(found.len(), 1);
                assert_eq!(ZarrInfo::open(url).unwrap().chunks, [2, 3]);
                let back = open_zarr::<i32>(url).unwrap();
                assert_eq!(back.compute_on(&session).unwrap(), &data + 1);
                let part = back.slice(s![3..11;2, 4]).unwrap();
                assert_eq!(part.compute_on(&session).unwrap(), (&data + 1).slice(s![3..11;2, 4]).into_dyn());
                // A region of whole chunks and shards; one that begins within a chunk is refused.
                let region = from_ndarray(numbered(&[4, 9]), [3, 2]).unwrap();
                session.scope(|| region.to_zarr_region(url, s![4..8, ..])).unwrap();
                let mut expected = &data + 1;
                expected.slice_mut(s![4..8, ..]).assign(&numbered(&[4, 9]));
                assert_eq!(open_zarr::<i32>(url).unwrap().compute_on(&session).unwrap(), expected);
                let cut = session.scope(|| region.to_zarr_region(url, s![5..9, ..])).unwrap_err().to_string();
                assert!(cut.contains("cuts the"), "{cut}");
                assert_eq!(open_zarr::<i32>(url).unwrap().compute_on(&session).unwrap(), expected);
            }
        }
    });
}

#[cfg(feature = "zarr")]
#[test]
fn zarr_writes_that_are_given_up_leave_nothing() {
    with_server("arrays::zarr_writes_that_are_given_up_leave_nothing", || {
        let url = "s3://stones/given/up.zarr";
        let x = from_ndarray(numbered(&[8]), 2).unwrap();
        let failing = x.map_blocks(|info, block| {
            assert!(info.place[0] < 3, "the last block fails");
            block.to_owned()
        });
        let failing = failing.unwrap();
        for session in sessions().into_iter().take(2) {
            let error = session.scope(|| failing.to_zarr(url)).unwrap_err().to_string();
            assert!(error.contains("the last block fails"), "{error}");
            assert_eq!(objects(url), 0);
        }
        drop(ZarrWrite::new(&x, url, &ZarrOptions::new()).unwrap());
        assert_eq!(objects(url), 0);
    });
}
