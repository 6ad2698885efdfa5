//! What the zarr package of Python wrote is read: all of it, in blocks of every size, and in slices.

use ndarray::{ArrayD, SliceInfoElem, s};
use proptest::prelude::*;
use talatat::Session;
use talatat::array::{Array, ZarrCompressor, ZarrInfo, ZarrOptions, ZarrWrite, open_zarr};
use talatat::prelude::*;

use super::{case, cases, dtype_of, open_any, session, small_blocks, unpack};
use crate::common::{builder, reaches};
use crate::fixtures::answer::{expected, matches};
use crate::oracle::{self, SESSIONS};

#[test]
fn stores_of_the_python_package() {
    let folder = tempfile::tempdir().unwrap();
    for (number, case) in cases().iter().filter(|case| case.get("error").is_none()).enumerate() {
        let name = case["name"].as_str().unwrap();
        let expected = expected(case);
        let dtype = dtype_of(&expected);
        for root in [folder.path().to_str().unwrap(), "memory://zarr-fixtures"] {
            let url = format!("{root}/{name}.zarr");
            unpack(case, &url);
            let info = ZarrInfo::open(&url).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((info.dtype, &info.shape), (dtype, &expected.shape), "{name}");
            assert_eq!(serde_json::json!(info.version), case["version"], "{name}");
            if name != "v3_sharded_start" {
                assert_eq!(
                    serde_json::json!((info.chunks, info.shards)),
                    serde_json::json!((&case["chunks"], &case["shards"])),
                    "{name}"
                );
            }
            for target in [1, 100, 1 << 20] {
                let opened = small_blocks(target).scope(|| open_any(&url, dtype)).unwrap();
                let sessions = [0, 1 + number % (SESSIONS.len() - 1)];
                for session in sessions.into_iter().filter(|&at| reaches(&SESSIONS[at].session, &url)) {
                    let found =
                        opened.answer(&SESSIONS[session].session).unwrap_or_else(|error| panic!("{name}: {error}"));
                    matches(&found, &expected, case).unwrap_or_else(|reason| panic!("{name}: {reason}"));
                }
            }
        }
    }
}

#[test]
fn blocks_are_chunks_up_to_the_target() {
    let url = "memory://zarr-blocks/sharded";
    unpack(&case("v3_sharded"), url);
    let blocks = |target| small_blocks(target).scope(|| open_zarr::<i32>(url)).unwrap().numblocks();
    // Shape (13, 10): shards of (6, 10), in them chunks of (2, 5).
    assert_eq!(blocks(1), [7, 2]);
    assert_eq!(blocks(6 * 10 * 4), [3, 1]);
    assert_eq!(blocks(12 * 10 * 4), [2, 1]);
    assert_eq!(blocks(1 << 20), [1, 1]);
}

#[test]
fn the_wrong_type_is_refused() {
    let url = "memory://zarr-blocks/typed";
    unpack(&case("v2_int16"), url);
    let error = open_zarr::<f32>(url).unwrap_err().to_string();
    assert!(error.contains("int16") && error.contains("float32") && error.contains("astype"), "{error}");
}

#[test]
fn slices_are_read_where_they_lie() {
    let url = "memory://zarr-slices/plan";
    unpack(&case("v3_sharded"), url);
    let x = small_blocks(6 * 10 * 4).scope(|| open_zarr::<i32>(url)).unwrap();
    let part = x.slice(s![2..9;3, 1..4]).unwrap();
    let plan = session().plan(&part).unwrap();
    let lines: Vec<String> =
        plan.operations().iter().map(|found| format!("{} x {}", found.tasks, found.operation)).collect();
    assert_eq!(lines, ["2 x zarr memory://zarr-slices/plan"]);
    // Of the whole shard there is one decoded chunk of (2, 5), with room for codecs.
    assert!(plan.peak().bytes < 6 * 10 * 4 * 2, "{plan}");
    assert_eq!(
        part.compute_on(&session()).unwrap(),
        x.compute_on(&session()).unwrap().slice(s![2..9;3, 1..4]).into_dyn()
    );
    assert!(x.describe_expression(true).contains("zarr memory://"));
}

#[test]
fn whole_chunks_are_read_as_they_are_asked_for() {
    let url = "memory://zarr-slices/recut";
    unpack(&case("v3_sharded"), url);
    let x = small_blocks(12 * 10 * 4).scope(|| open_zarr::<i32>(url)).unwrap();
    assert_eq!(x.numblocks(), [2, 1]);
    let whole = x.compute_on(&session()).unwrap();
    let count = |x: &Array<i32>| session().graph(x).unwrap().len();
    // Shards of (6, 10): these are read, and what they are cut into is not read twice.
    let shards = x.rechunk(6).unwrap().rechunk([6, 10]).unwrap();
    assert_eq!(count(&shards), 3);
    let halves = x.rechunk([6, 5]).unwrap();
    assert!(count(&halves) > 6);
    for y in [shards, halves, (&x + 0).rechunk([-1, 10]).unwrap()] {
        oracle::check(&y, whole.clone());
        oracle::check(&y.take([1, 12], 0).unwrap(), whole.select(ndarray::Axis(0), &[1, 12]));
    }
}

/// A raw array of 6 x 64 x 1024 integers in chunks of two along the first axis.
fn raw(url: &str) -> (Array<i32>, ArrayD<i32>) {
    let count = 6 * 64 * 1024;
    let data = ArrayD::from_shape_vec(vec![6, 64, 1024], (0..count).collect()).unwrap();
    let options = ZarrOptions::new().chunks([2, 64, 1024]).compressor(ZarrCompressor::None);
    let x = talatat::array::from_ndarray(data.clone(), -1).unwrap();
    ZarrWrite::new(&x, url, &options).unwrap().compute_on(&session()).unwrap();
    (small_blocks(2 * 64 * 1024 * 4).scope(|| open_zarr::<i32>(url)).unwrap(), data)
}

#[test]
fn a_rechunk_reads_strips_of_raw_chunks() {
    let (x, data) = raw("memory://zarr-strips/raw");
    // 64 KiB lie together where 16 rows of a chunk are read.
    let y = x.rechunk([6, 16, 256]).unwrap();
    oracle::check(&y, data);
    let written = ZarrWrite::new(&y, "memory://zarr-strips/cut", &ZarrOptions::new()).unwrap();
    let peak = |session: Session| session.plan(&written).unwrap().peak().bytes;
    let all = 6 * 64 * 1024 * 4;
    let (strips, blocks) = (peak(session()), peak(builder().skip("strips").build().unwrap()));
    assert!(strips < all && blocks > all, "{strips} {blocks}");
    // Shorter ones are not: the blocks are read as they are, and what others read, too, is read once.
    for (array, tasks) in [(x.rechunk([6, 8, 1024]).unwrap(), 3), (y.rechunk([6, 15, 256]).unwrap(), 3)] {
        let plan = session().plan(&array).unwrap();
        let read: usize =
            plan.operations().iter().filter(|found| found.operation.contains("zarr")).map(|found| found.tasks).sum();
        assert_eq!(read, tasks);
    }
}

#[test]
fn what_was_read_is_read_again_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let (x, data) = raw(&format!("{}/raw.zarr", folder.path().display()));
    let small = small_blocks(2 * 16 * 1024 * 4);
    let x = small.scope(|| x.rechunk([2, 16, 1024])).unwrap().astype::<f64>();
    let limited = builder().threads(2).memory_limit(1_200_000).build().unwrap();
    let below = (&x - x.max(0).unwrap()).min(..).unwrap().item().unwrap();
    assert_eq!(below.compute_on(&limited).unwrap(), f64::from(data[[0, 0, 0]] - data[[5, 0, 0]]));
    let (all, written) = (data.len() as u64 * 4, limited.spill_traffic().0);
    assert!(written < all / 4, "{written} of {all}");
}

/// Slices with any step and direction, for three axes.
fn slices() -> impl Strategy<Value = Vec<SliceInfoElem>> {
    let axis = (-14_isize..14, prop::option::of(-14_isize..15), -4_isize..5)
        .prop_map(|(start, end, step)| SliceInfoElem::Slice { start, end, step: if step == 0 { 5 } else { step } });
    prop::collection::vec(axis, 0..3)
}

/// What a slice gives of an array in memory.
fn eager(data: &ArrayD<i32>, slice: &[SliceInfoElem]) -> ArrayD<i32> {
    let x: Array<i32> = talatat::array::from_ndarray(data.clone(), -1).unwrap();
    x.slice(slice).unwrap().compute_on(&session()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_slice_of_any_layout(
        layout in prop::sample::select(vec!["v3_sharded", "v3_zstd", "v3_checked", "v2_int32", "v2_fortran", "v3_big", "v3_sharded_holes"]),
        target in prop::sample::select(vec![1_u64, 60, 1 << 20]),
        first in slices(),
        second in slices(),
    ) {
        let url = format!("memory://zarr-any/{layout}");
        if ZarrInfo::open(&url).is_err() {
            unpack(&case(layout), &url);
        }
        let x = small_blocks(target).scope(|| open_zarr::<i32>(&url)).unwrap();
        let data = x.compute_on(&session()).unwrap();
        let part = x.slice(&first[..]).unwrap().slice(&second[..]).unwrap();
        let expected = eager(&eager(&data, &first), &second);
        for named in SESSIONS.iter().take(2) {
            prop_assert_eq!(&oracle::run(&part, &named.session).unwrap(), &expected);
        }
        prop_assert_eq!(&oracle::run(&part, &builder().executor(talatat::ExecutorChoice::Serialize).build().unwrap()).unwrap(), &expected);
    }
}
