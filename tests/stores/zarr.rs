//! Regions of Zarr arrays that fail on the way.

use ndarray::s;
use talatat::array::{ZarrOptions, from_ndarray, open_zarr};
use talatat::prelude::*;

use crate::{SESSIONS, numbered, session};

#[test]
fn a_region_that_fails_says_what_may_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zarr");
    let url = path.to_str().unwrap();
    for at in 0..3 {
        session()
            .scope(|| {
                let options = ZarrOptions::new().chunks(2).overwrite(true);
                from_ndarray(numbered(&[6]), 3).unwrap().to_zarr_with(url, &options)
            })
            .unwrap();
        // A folder in the place of a chunk.
        let chunk = path.join(format!("c/{at}"));
        std::fs::remove_file(&chunk).unwrap();
        std::fs::create_dir(&chunk).unwrap();
        let next = from_ndarray(numbered(&[6]) * 10, 2).unwrap();
        for session in &SESSIONS[..2] {
            let error = session.scope(|| next.to_zarr_region(url, s![..])).unwrap_err().to_string();
            assert!(error.contains("other chunks of the region may have been written"), "{error}");
        }
        // Each of the others is as it was, or new.
        for other in (0..3).filter(|&other| other != at) {
            let part = s![2 * other..2 * other + 2];
            let found = open_zarr::<i32>(url).unwrap().slice(part).unwrap().compute_on(&session()).unwrap();
            let old = numbered(&[6]).slice(part).to_owned().into_dyn();
            assert!(found == old || found == &old * 10, "{found}");
        }
        std::fs::remove_dir(&chunk).unwrap();
    }
}
