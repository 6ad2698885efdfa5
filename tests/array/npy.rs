//! Arrays written to `.npy` files and objects block by block: on every executor, within a memory limit, with faults.

use std::path::Path;

use ndarray::{ArrayD, IxDyn};
use talatat::array::{Array, AxisChunks, NpyWrite, arange, from_ndarray, open_npy};
use talatat::prelude::*;
use talatat::{ExecutorChoice, Session};

use crate::common::{builder, faulty_sessions, reaches};
use crate::oracle::SESSIONS;

fn numbered(shape: &[usize]) -> ArrayD<i32> {
    let count = shape.iter().product::<usize>() as i32;
    ArrayD::from_shape_vec(IxDyn(shape), (0..count).collect()).unwrap()
}

/// 0, 1, 2, .. in rows; any chunk can be made by itself.
fn counted(rows: i64, columns: i64) -> Array<i64> {
    let along = |length| arange::<i64>(0, length, 1).unwrap();
    along(rows).expand_dims(1).unwrap() * columns + along(columns)
}

fn session() -> Session {
    builder().executor(ExecutorChoice::Synchronous).build().unwrap()
}

fn read(url: &str) -> ArrayD<i32> {
    open_npy::<i32>(url, "auto").unwrap().compute_on(&session()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_executor_writes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let shapes: [(&[usize], &[usize]); 6] = [
        (&[7, 5], &[3, 2]),
        (&[7, 5], &[100, 1]),
        (&[6, 5, 4], &[2, 5, 3]),
        (&[9], &[2]),
        (&[0, 3], &[2, 2]),
        (&[], &[]),
    ];
    for named in SESSIONS.iter() {
        for (number, (shape, chunks)) in shapes.iter().enumerate() {
            let data = numbered(shape);
            let chunks: Vec<AxisChunks> = chunks.iter().map(|&length| AxisChunks::Length(length)).collect();
            let x = from_ndarray(data.clone(), chunks).unwrap();
            let memory = format!("memory://npy-out/{number}");
            let urls = [path.to_str().unwrap(), memory.as_str()];
            for url in urls.into_iter().filter(|url| reaches(&named.session, url)) {
                let (plain, turned) = (&x + 1, (&x * 2).t());
                named.session.scope(|| plain.to_npy(url)).unwrap_or_else(|error| panic!("{}: {error}", named.name));
                assert_eq!(read(url), &data + 1, "{}", named.name);
                named.session.scope(|| turned.to_npy(url)).unwrap();
                assert_eq!(read(url), (&data * 2).reversed_axes(), "{}", named.name);
            }
        }
        assert_eq!(names(folder.path()), ["x.npy"], "{}", named.name);
    }
}

#[test]
fn the_plan_writes_each_block_when_it_is_there() {
    let x = arange::<i64>(0, 4000, 1).unwrap().reshape([40, 100]).unwrap().rechunk([10, -1]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("x.npy");
    let write = NpyWrite::new(&(x.persist_on(&session()).unwrap() + 1), url.to_str().unwrap()).unwrap();
    let plan = session().plan(&write).unwrap();
    let lines: Vec<String> =
        plan.operations().iter().map(|found| format!("{} x {}", found.tasks, found.operation)).collect();
    let text = lines.join("\n").replace(folder.path().to_str().unwrap(), "");
    insta::assert_snapshot!(text, @r"
    4 x persisted > blockwise add(x0, 1) > write to /x.npy
    1 x finish /x.npy
    ");
    let blocks = 4 * 10 * 100 * 8;
    assert!(plan.peak().bytes < blocks, "{plan}");
}

#[test]
fn larger_than_the_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let x = counted(1 << 10, 1 << 11).rechunk([128, 512]).unwrap();
    let y = &x * 3;
    let limit = y.nbytes().unwrap() / 4;
    for executor in [ExecutorChoice::Synchronous, ExecutorChoice::Threads, ExecutorChoice::Serialize] {
        let session = builder().executor(executor).threads(3).memory_limit(limit).build().unwrap();
        assert!(y.compute_on(&session).is_err(), "the array does not fit");
        session.scope(|| y.to_npy(path.to_str().unwrap())).unwrap();
        let back = open_npy::<i64>(path.to_str().unwrap(), [128, 512]).unwrap();
        assert_eq!((back - &y).abs().max(..).unwrap().item().unwrap().compute_on(&session).unwrap(), 0);
    }
}

#[test]
fn large_objects_go_in_parts() {
    let x = counted(3 << 5, 1 << 15);
    for (number, y) in [x.rechunk([7, -1]).unwrap(), x.rechunk([-1, 1 << 13]).unwrap(), x.t(), x.ravel().unwrap()]
        .into_iter()
        .enumerate()
    {
        let url = format!("memory://npy-parts/{number}");
        for executor in [ExecutorChoice::Threads, ExecutorChoice::Serialize] {
            let session = builder().executor(executor).threads(2).build().unwrap();
            session.scope(|| y.to_npy(&url)).unwrap();
            let back = open_npy::<i64>(&url, "4MiB").unwrap();
            assert_eq!((back - &y).abs().max(..).unwrap().item().unwrap().compute_on(&session).unwrap(), 0);
        }
    }
    // 24 MiB in parts of 8: a part, the bytes that are sent, and the blocks that it is made of.
    let y = x.rechunk([7, -1]).unwrap() + 1;
    let write = NpyWrite::new(&y, "memory://npy-parts/peak").unwrap();
    assert!(session().plan(&write).unwrap().peak().bytes < 24 << 20, "{}", session().plan(&write).unwrap());
}

/// A file with other content, and nothing else, must be left, or the complete new one.
fn check_after_failure(path: &Path, old: &ArrayD<i32>, new: &ArrayD<i32>) {
    let found = read(path.to_str().unwrap());
    assert!(found == *old || found == *new, "half of it was written");
    assert_eq!(names(path.parent().unwrap()), ["x.npy"]);
}

#[test]
fn whatever_task_fails_nothing_half_written_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let url = path.to_str().unwrap();
    let (old, new) = (numbered(&[2]), numbered(&[6, 5]));
    let x = from_ndarray(new.clone(), [2, 2]).unwrap().persist_on(&session()).unwrap();
    let mut kept = 0;
    for faulty in faulty_sessions(0..40) {
        session().scope(|| from_ndarray(old.clone(), 2).unwrap().to_npy(url)).unwrap();
        let error = faulty.scope(|| x.to_npy(url)).unwrap_err().to_string();
        assert!(error.contains("injected"), "{error}");
        check_after_failure(&path, &old, &new);
        kept += usize::from(read(url) == old);
        faulty.scope(|| x.to_npy("memory://npy-out/faulty")).unwrap_err();
        // An object is there if the task that sent it was the one to fail: all of it.
        assert!(open_npy::<i32>("memory://npy-out/faulty", 2).is_err() || read("memory://npy-out/faulty") == new);
    }
    assert!(kept > 80, "only the last task gives the name");
}

#[test]
fn a_cancelled_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/x.npy");
    let x = from_ndarray(numbered(&[40]), 2).unwrap();
    for executor in [ExecutorChoice::Synchronous, ExecutorChoice::Threads] {
        let session = builder().executor(executor).threads(2).build().unwrap();
        let cancel = session.cancel_handle();
        let y = x.map_blocks(move |info, block| {
            if info.place[0] == 7 {
                cancel.cancel();
            }
            block.to_owned()
        });
        let error = session.scope(|| y.unwrap().to_npy(path.to_str().unwrap())).unwrap_err();
        assert!(error.to_string().contains("cancelled"), "{error}");
        assert!(names(path.parent().unwrap()).is_empty());
    }
}

#[test]
fn what_was_begun_goes_with_its_handle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let url = path.to_str().unwrap();
    let x: Array<i32> = from_ndarray(numbered(&[4]), 2).unwrap();
    let write = NpyWrite::new(&x, url).unwrap();
    assert_eq!(names(folder.path()).len(), 1);
    drop(write);
    assert!(names(folder.path()).is_empty());
    let write = NpyWrite::new(&x, url).unwrap();
    let persisted = write.persist_on(&session()).unwrap();
    persisted.compute_on(&session()).unwrap();
    let error = write.compute_on(&session()).unwrap_err().to_string();
    assert!(error.contains("x.npy"), "{error}");
    assert_eq!(names(folder.path()), ["x.npy"]);
    let tight = builder().memory_limit(4).build().unwrap();
    assert!(tight.scope(|| x.to_npy(url)).is_err());
    assert_eq!((names(folder.path()), read(url)), (vec!["x.npy".to_string()], numbered(&[4])));
    // A file can be written over by what is read from it.
    session().scope(|| (open_npy::<i32>(url, 2).unwrap() + 1).to_npy(url)).unwrap();
    assert_eq!(read(url), numbered(&[4]) + 1);
    assert!(NpyWrite::new(&x, folder.path().to_str().unwrap()).unwrap_err().to_string().contains("folder"));
}
