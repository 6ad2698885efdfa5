//! Writes that fail on the way: what is left is the whole old array, the whole new one, or none.

use ndarray::{ArrayD, IxDyn};
use talatat::array::{Array, ZarrOptions, ZarrWrite, from_ndarray, open_zarr};
use talatat::prelude::*;

use super::{case, put, session, unpack};
use crate::common::faulty_sessions;

fn numbered(shape: &[usize]) -> ArrayD<i32> {
    let count = shape.iter().product::<usize>() as i32;
    ArrayD::from_shape_vec(IxDyn(shape), (1..=count).collect()).unwrap()
}

fn found(url: &str) -> Option<ArrayD<i32>> {
    open_zarr::<i32>(url).ok().map(|x| x.compute_on(&session()).unwrap())
}

fn overwrite() -> ZarrOptions {
    ZarrOptions::new().overwrite(true)
}

fn objects(url: &str) -> usize {
    talatat::storage::expand(&[format!("{url}/**")]).map_or(0, |found| found.len())
}

#[test]
fn whatever_task_fails_there_is_never_half_an_array() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zarr");
    let local = path.to_str().unwrap();
    let (old, new) = (numbered(&[3]), numbered(&[6, 5]));
    let x = from_ndarray(new.clone(), [2, 2]).unwrap().persist_on(&session()).unwrap();
    let (mut kept, mut none) = (0, 0);
    for faulty in faulty_sessions(0..25) {
        for url in [local, "memory://zarr-faults/x"] {
            session().scope(|| from_ndarray(old.clone(), 2).unwrap().to_zarr_with(url, &overwrite())).unwrap();
            let error = faulty.scope(|| x.to_zarr_with(url, &overwrite())).unwrap_err().to_string();
            assert!(error.contains("injected"), "{error}");
            match found(url) {
                None => none += 1,
                Some(found) if found == old => kept += 1,
                Some(found) => assert_eq!(found, new, "half of it was written"),
            }
            if url == local {
                let left: Vec<_> =
                    std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
                assert_eq!(left, ["x.zarr"]);
                assert!(found(url).is_some());
            } else {
                assert!(found(url).is_some() || objects(url) == 0, "chunks are left");
            }
        }
    }
    assert!(kept > 60 && none > 20, "{kept} {none}");
}

#[test]
fn what_was_begun_goes_with_its_handle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zarr");
    let url = path.to_str().unwrap();
    let x: Array<i32> = from_ndarray(numbered(&[4]), 2).unwrap();
    let count = || std::fs::read_dir(folder.path()).unwrap().count();
    let write = ZarrWrite::new(&x, url, &ZarrOptions::new()).unwrap();
    assert_eq!((count(), path.exists()), (1, false));
    drop(write);
    assert_eq!(count(), 0);
    let write = ZarrWrite::new(&x, url, &ZarrOptions::new()).unwrap();
    let persisted = write.persist_on(&session()).unwrap();
    persisted.compute_on(&session()).unwrap();
    assert_eq!((count(), path.exists()), (1, true));
    assert_eq!(found(url), Some(numbered(&[4])));
    // A handle that is never computed takes nothing away from what is there.
    for url in [url, "memory://zarr-faults/kept"] {
        session().scope(|| x.to_zarr_with(url, &overwrite())).unwrap();
        drop(ZarrWrite::new(&x, url, &overwrite()).unwrap());
        assert_eq!(found(url), Some(numbered(&[4])));
    }
}

#[test]
fn only_arrays_are_overwritten() {
    let x: Array<i32> = from_ndarray(numbered(&[4]), 2).unwrap();
    let refused =
        |url: &str, options: &ZarrOptions| session().scope(|| x.to_zarr_with(url, options)).unwrap_err().to_string();
    let url = "memory://zarr-faults/array";
    session().scope(|| x.to_zarr_with(url, &overwrite())).unwrap();
    assert!(refused(url, &ZarrOptions::new()).contains("allow to overwrite it"));
    put(url, "notes.txt", b"by hand");
    assert!(refused(url, &overwrite()).contains("notes.txt"));
    unpack(&case("group"), "memory://zarr-faults/group");
    assert!(refused("memory://zarr-faults/group", &overwrite()).contains("group"));
    put("memory://zarr-faults/torn", "c/0", b"left by an interrupted write");
    assert!(refused("memory://zarr-faults/torn", &ZarrOptions::new()).contains("interrupted"));
    session().scope(|| x.to_zarr_with("memory://zarr-faults/torn", &overwrite())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("letter"), b"x").unwrap();
    assert!(refused(root, &overwrite()).contains("letter"));
    assert!(refused(&format!("{root}/letter"), &overwrite()).contains("letter"));
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    session().scope(|| x.to_zarr(&format!("{root}/empty"))).unwrap();
    assert_eq!(found(&format!("{root}/empty")), Some(numbered(&[4])));
}

#[test]
fn an_array_may_be_replaced_by_what_is_read_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zarr");
    let url = path.to_str().unwrap();
    session().scope(|| from_ndarray(numbered(&[7]), 2).unwrap().to_zarr(url)).unwrap();
    session().scope(|| (open_zarr::<i32>(url).unwrap() + 1).to_zarr_with(url, &overwrite())).unwrap();
    assert_eq!(found(url), Some(numbered(&[7]) + 1));
    // In a store the old chunks go first.
    let url = "memory://zarr-faults/itself";
    session().scope(|| from_ndarray(numbered(&[7]), 2).unwrap().to_zarr_with(url, &overwrite())).unwrap();
    let next = open_zarr::<i32>(url).unwrap() + 1;
    let error = session().scope(|| next.to_zarr_with(url, &overwrite())).unwrap_err().to_string();
    assert!(error.contains("persist"), "{error}");
    assert_eq!(found(url), Some(numbered(&[7])));
    let next = next.persist_on(&session()).unwrap();
    session().scope(|| next.to_zarr_with(url, &overwrite())).unwrap();
    assert_eq!(found(url), Some(numbered(&[7]) + 1));
}
