//! Stacks of `.npy` files.

use ndarray::s;
use proptest::prelude::*;
use std::io::Write;
use talatat::array::{Array, NpyStackWrite, from_ndarray, open_npy_stack, open_npy_stack_along};
use talatat::prelude::*;
use talatat::storage::{Location, expand, write_atomic};

use crate::common::{builder, faulty_sessions, reaches};
use crate::{SESSIONS, names, numbered, session};

#[test]
fn round_trips_along_every_axis() {
    let data = numbered(&[5, 4, 3]);
    let folder = tempfile::tempdir().unwrap();
    for (number, session) in SESSIONS.iter().enumerate() {
        for axis in [-1, 0, 1] {
            let (local, memory) =
                (folder.path().join(format!("{number} {axis}")), format!("memory://stack/{number}{axis}"));
            let urls = [local.to_str().unwrap(), memory.as_str()];
            for url in urls.into_iter().filter(|url| reaches(session, url)) {
                let x = from_ndarray(data.clone(), [2, 3, 2]).unwrap() + 1;
                session.scope(|| x.to_npy_stack(url, axis)).unwrap();
                let y = open_npy_stack::<i32>(url).unwrap();
                assert_eq!(y.compute_on(session).unwrap(), &data + 1);
                let along = (axis + 3) as usize % 3;
                assert_eq!(y.numblocks()[along], [3, 2, 2][along]);
                assert_eq!(y.npartitions(), [3, 2, 2][along]);
                let part = y.slice(s![1..;2, .., 0]).unwrap();
                assert_eq!(part.compute_on(session).unwrap(), (&data + 1).slice(s![1..;2, .., 0]).into_dyn());
                assert_eq!(open_npy_stack_along::<i32>(url, axis).unwrap().compute_on(session).unwrap(), &data + 1);
            }
        }
    }
    assert_eq!(names(&folder.path().join("0 0")), ["0.npy", "1.npy", "2.npy", "info.json"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Any blocks, along any axis: a file is written by one task, and the next ones begin where it ends.
    #[test]
    fn any_chunks_become_whole_files(
        (rows, columns) in (0_usize..12, 0_usize..12),
        own in (1_usize..6, 1_usize..6),
        axis in 0_isize..2,
        threads in 1_usize..4,
    ) {
        let data = numbered(&[rows, columns]);
        let x = from_ndarray(data.clone(), [own.0, own.1]).unwrap() + 0;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let session = builder().threads(threads).build().unwrap();
        session.scope(|| x.to_npy_stack(path.to_str().unwrap(), axis)).unwrap();
        let back = open_npy_stack::<i32>(path.to_str().unwrap()).unwrap();
        prop_assert_eq!(names(&path).len(), x.numblocks()[axis as usize] + 1);
        prop_assert_eq!(&back.chunks()[axis as usize], &x.chunks()[axis as usize]);
        prop_assert_eq!(back.compute_on(&session).unwrap(), data);
    }
}

#[test]
fn a_slice_reads_the_files_it_touches() {
    let url = "memory://stack/touched";
    let x: Array<i32> = from_ndarray(numbered(&[9]), 3).unwrap();
    session().scope(|| x.to_npy_stack(url, 0)).unwrap();
    let plan = session().plan(&open_npy_stack::<i32>(url).unwrap().slice(s![4..6]).unwrap()).unwrap();
    let lines: Vec<String> =
        plan.operations().iter().map(|found| format!("{} x {}", found.tasks, found.operation)).collect();
    assert_eq!(lines, ["1 x npy memory://stack/touched/1.npy"]);
}

#[test]
fn what_is_no_whole_stack_is_refused() {
    let url = "memory://stack/refused";
    let x: Array<i32> = from_ndarray(numbered(&[5]), 2).unwrap();
    session().scope(|| x.to_npy_stack(url, 0)).unwrap();
    let error = |result: talatat::Result<Array<i32>>| result.unwrap_err().to_string();
    let again = session().scope(|| x.to_npy_stack(url, 0)).unwrap_err().to_string();
    assert!(again.contains("is there"), "{again}");
    let typed = open_npy_stack::<f32>(url).unwrap_err().to_string();
    assert!(typed.contains("int32, not float32"), "{typed}");
    assert!(error(open_npy_stack("memory://stack/nothing")).contains("open_npy_stack_along"));
    assert!(error(open_npy_stack_along("memory://stack/nothing", 0)).contains("does not exist"));
    assert!(error(open_npy_stack_along(url, 1)).contains("axis 1"));
    let put = |name: &str, bytes: &[u8]| {
        write_atomic(&Location::parse(&format!("{url}/{name}")).unwrap(), |w| w.write_all(bytes)).unwrap();
    };
    let info =
        |chunks: &str| format!(r#"{{"format":"npy stack","dtype":"int32","shape":[5],"axis":0,"chunks":{chunks}}}"#);
    put("info.json", info("[2, 3]").as_bytes());
    assert!(error(open_npy_stack(url)).contains("another shape"));
    put("info.json", info("[2, 2, 1, 0]").as_bytes());
    assert!(error(open_npy_stack(url)).contains("3.npy"));
    for wrong in ["[2, 2]", "[]", "[18446744073709551615, 6]"] {
        put("info.json", info(wrong).as_bytes());
        assert!(error(open_npy_stack(url)).contains("does not describe a stack"), "{wrong}");
    }
    put("info.json", b"{");
    assert!(error(open_npy_stack(url)).contains("info.json"));
    put("info.json", info("[2, 2, 1]").as_bytes());
    put("1.npy", b"no array");
    assert!(error(open_npy_stack(url)).contains("1.npy"));
    assert!(NpyStackWrite::new(&x.sum(..).unwrap(), "memory://stack/none", 0).is_err());
}

#[test]
fn whichever_block_fails_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let x = from_ndarray(numbered(&[20]), 3).unwrap();
    for at in 0..7 {
        let failing = x.map_blocks(move |info, block| {
            assert!(info.place[0] != at, "there is no block {at}");
            block.to_owned()
        });
        let failing = failing.unwrap();
        for session in &SESSIONS[..2] {
            for url in [path.to_str().unwrap(), "memory://stack-faults/block"] {
                let error = session.scope(|| failing.to_npy_stack(url, 0)).unwrap_err().to_string();
                assert!(error.contains(&format!("no block {at}")), "{error}");
            }
            assert!(names(folder.path()).is_empty());
            assert!(expand(&["memory://stack-faults/block/**"]).is_err());
        }
    }
}

#[test]
fn a_write_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let x = from_ndarray(numbered(&[20]), 3).unwrap().persist_on(&session()).unwrap();
    for (number, faulty) in faulty_sessions(0..10).enumerate() {
        faulty.scope(|| x.to_npy_stack(path.to_str().unwrap(), 0)).unwrap_err();
        // The last task may be the one that fails when it is done.
        if path.exists() {
            assert_eq!(
                open_npy_stack::<i32>(path.to_str().unwrap()).unwrap().compute_on(&session()).unwrap(),
                numbered(&[20])
            );
            std::fs::remove_dir_all(&path).unwrap();
        }
        assert!(names(folder.path()).is_empty());
        let url = format!("memory://stack-faults/{number}");
        faulty.scope(|| x.to_npy_stack(&url, 0)).unwrap_err();
        let left = expand(&[format!("{url}/**")]).map_or(0, |found| found.len());
        assert!(left == 0 || open_npy_stack::<i32>(&url).is_err(), "{left} files");
    }
}
